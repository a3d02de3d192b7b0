"""What is to be explained: accuracy by pruner and sparsity, and how it falls with sparsity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from scipy import stats

from figures.plots.accuracy import plot as plot
from graph_data.markdown import markdown

from . import intervals
from .networks import Networks, name_of
from .wording import DIGITS, Tables, with_intervals

KEYS = ["model", "dataset", "pruning"]


def tasks(networks: Networks, seed: int) -> list:
    """One for each model, dataset and pruner."""
    return [
        delayed(describe)(dict(zip(KEYS, key)), part)
        for key, part in networks.runs.groupby(KEYS, sort=True)
    ]


def describe(label: dict[str, str], runs: pd.DataFrame) -> tuple[list[dict], dict]:
    """The accuracies of one model, dataset and pruner.

    Parameters
    ----------
    label : dict
        Put into every row.
    runs : pandas.DataFrame
        Columns sparsity, accuracy and dense_accuracy; one row a network.

    Returns
    -------
    list of dict
        One row a sparsity: mean, least and most over the seeds.
    dict
        Accuracy lost from the lowest to the highest sparsity, and Spearman's correlation of
        accuracy with sparsity, with their `intervals`.
    """
    cells, groups = [], []
    for sparsity, part in runs.groupby("sparsity", sort=True):
        accuracy = part["accuracy"].to_numpy()
        groups.append(accuracy)
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
    first, last = groups[0], groups[-1]
    low, high = intervals.of_difference(first, last)
    varies = runs[["sparsity", "accuracy"]].nunique().min() > 1
    r = float(stats.spearmanr(runs["sparsity"], runs["accuracy"]).statistic) if varies else np.nan
    r_low, r_high = intervals.of_spearman(r, len(runs))
    falls = {
        **label,
        "sparsities": len(groups),
        "lost": first.mean() - last.mean(),
        "lost_low": low,
        "lost_high": high,
        "spearman": r,
        "spearman_low": r_low,
        "spearman_high": r_high,
    }
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


def text(tables: Tables) -> str:
    """What is to be explained."""
    cells, falls = tables["cells"], tables["falls"]
    wide = cells.pivot_table(
        index=["model", "dataset", "pruning"], columns="sparsity", values="accuracy", sort=False
    )
    wide = wide[sorted(wide, key=float)].reset_index()
    dense = cells.groupby(["model", "dataset"], sort=False)["dense_accuracy"].mean().reset_index()
    said = f"""## Accuracy

Mean test accuracy over the seeds, by sparsity:

{markdown(wide, DIGITS)}

{markdown(dense, DIGITS)}"""
    if len(falls):
        shown = falls.assign(
            lost=with_intervals(falls, "lost", "lost_low", "lost_high"),
            spearman=with_intervals(falls, "spearman", "spearman_low", "spearman_high"),
        )[["model", "dataset", "pruning", "lost", "spearman"]]
        fewer = int((falls["lost_low"] > 0).sum())
        negative = int((falls["spearman_high"] < 0).sum())
        said += f"""

How accuracy falls: from the lowest to the highest sparsity, and its Spearman correlation with
sparsity. Intervals (95 %): Welch's for the loss, from the seeds of these two sparsities alone, so
that few seeds make it wide; Fisher's for the correlation. Of {len(falls)} models, datasets and
pruners the loss is above 0 with its interval for {fewer}, the correlation below 0 for {negative}.

{markdown(shown, DIGITS)}"""
    return said + "\n\nAll of it: [accuracy/cells.csv](accuracy/cells.csv)."
