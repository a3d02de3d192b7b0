"""What is to be explained: accuracy by pruner and sparsity, and how it falls with sparsity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from scipy import stats

from .networks import Networks, name_of
from .validation import RESAMPLES, interval

KEYS = ["model", "dataset", "pruning"]


def tasks(networks: Networks, seed: int) -> list:
    """One for each model, dataset and pruner."""
    return [
        delayed(describe)(dict(zip(KEYS, key)), part, seed)
        for key, part in networks.runs.groupby(KEYS, sort=True)
    ]


def describe(label: dict[str, str], runs: pd.DataFrame, seed: int) -> tuple[list[dict], dict]:
    """The accuracies of one model, dataset and pruner.

    Parameters
    ----------
    label : dict
        Put into every row.
    runs : pandas.DataFrame
        Columns sparsity, accuracy and dense_accuracy; one row a network.
    seed : int

    Returns
    -------
    list of dict
        One row a sparsity: mean, least and most over the seeds.
    dict
        Accuracy lost from the lowest to the highest sparsity, and Spearman's correlation of
        accuracy with sparsity, with intervals (95 %, seeds drawn with replacement within a
        sparsity).
    """
    cells, groups = [], []
    for sparsity, part in runs.groupby("sparsity", sort=True):
        accuracy = part["accuracy"].to_numpy()
        groups.append((float(sparsity), accuracy))
        cells.append(
            {
                **label,
                "sparsity": name_of(sparsity),
                "networks": len(part),
                "accuracy": accuracy.mean(),
                "least": accuracy.min(),
                "most": accuracy.max(),
                "dense_accuracy": part["dense_accuracy"].mean(),
            }
        )
    random = np.random.default_rng(seed)
    draws = np.concatenate(
        [values[random.integers(0, len(values), (RESAMPLES, len(values)))] for _, values in groups],
        axis=1,
    )
    where = np.repeat([s for s, _ in groups], [len(values) for _, values in groups])
    first, last = groups[0][1], groups[-1][1]
    lost = draws[:, : len(first)].mean(axis=1) - draws[:, -len(last) :].mean(axis=1)
    low, high = interval(lost)
    falls = {
        **label,
        "sparsities": len(groups),
        "lost": first.mean() - last.mean(),
        "lost_low": low,
        "lost_high": high,
        "spearman": _spearman(where, np.concatenate([v for _, v in groups])[None])[0],
    }
    falls["spearman_low"], falls["spearman_high"] = interval(_spearman(where, draws))
    return cells, falls


def collect(results: Sequence[tuple[list[dict], dict]]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``cells``: one row a model, dataset, pruner and sparsity. ``falls``: one row a model,
        dataset and pruner that has more than one sparsity.
    """
    falls = pd.DataFrame([row for _, row in results])
    return {
        "cells": pd.DataFrame([row for rows, _ in results for row in rows]),
        "falls": falls[falls["sparsities"] > 1].reset_index(drop=True),
    }


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's correlation of x with each row of y; NaN where one of them does not vary."""
    x = stats.rankdata(x) - (len(x) + 1) / 2
    y = stats.rankdata(y, axis=1) - (len(x) + 1) / 2
    size = np.sqrt((x**2).sum() * (y**2).sum(axis=1))
    return np.divide(y @ x, size, out=np.full(len(y), np.nan), where=size > 0)
