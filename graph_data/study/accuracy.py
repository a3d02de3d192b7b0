"""What is to be explained: accuracy by pruner and sparsity, and how it falls with sparsity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from scipy import stats

from figures.plots.accuracy import plot as plot
from graph_data.markdown import markdown
from graph_data.measured import ACHIEVED

from . import intervals
from .networks import Networks, name_of
from .rows import BEST_SPARSE, DENSE
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
        Columns sparsity, achieved_sparsity, accuracy, test_images, baseline and
        baseline_accuracy; one row a network.

    Returns
    -------
    list of dict
        One row a sparsity: mean, least and most over the seeds; weights kept over what the stated
        sparsity keeps; images of the test set, as far as accuracies tell; and in a column named
        after it what the drop is measured from.
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
                "achieved_sparsity": part[ACHIEVED].mean(),
                "kept_of_stated": (1 - part[ACHIEVED].mean()) / (1 - sparsity),
                "test_images": part["test_images"].iloc[0],
                part["baseline"].iloc[0]: part["baseline_accuracy"].mean(),
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
    names = [name for name in (DENSE, BEST_SPARSE) if name in cells]
    from_what = cells.groupby(["model", "dataset"], sort=False)[names].mean().reset_index()
    said = f"""## Accuracy

Mean test accuracy over the seeds, by sparsity:

{markdown(wide, DIGITS)}

What the drop is measured from (`{DENSE}` is the mean of dense networks; `{BEST_SPARSE}`,
where there are none, the best of any network, dynamic sparse training included):

{markdown(from_what, DIGITS)}

{_kept(cells)}{_tested(cells)}"""
    said = said.rstrip()
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
that few seeds make it wide; Fisher's for the correlation. Both are of one model and dataset, one
cluster, and say nothing of others. Of {len(falls)} models, datasets and
pruners the loss is above 0 with its interval for {fewer}, the correlation below 0 for {negative}.

{markdown(shown, DIGITS)}"""
    return said + "\n\nAll of it: [accuracy/cells.csv](accuracy/cells.csv)."


def _kept(cells: pd.DataFrame) -> str:
    """What was kept in truth by what the stated sparsity keeps."""
    kept = cells.groupby("pruning", sort=False)["kept_of_stated"].agg(["min", "mean", "max"])
    far = kept[(kept - 1).abs().max(axis=1) > 0.01].index
    wide = cells[cells["pruning"].isin(far)].pivot_table(
        index=["pruning", "model", "dataset"],
        columns="sparsity",
        values="kept_of_stated",
        sort=False,
    )
    said = f"""Weights kept over those that the stated sparsity keeps, means over the seeds (least,
mean and most of the models, datasets and sparsities of a pruner). What is compared here are
networks of the stated sparsity; as a predictor serves the achieved one:

{markdown(kept.reset_index(), DIGITS)}

"""
    if not len(wide):
        return said
    wide = wide[sorted(wide, key=float)].reset_index()
    return f"""{said}Where it is off by more than 1 %:

{markdown(wide, DIGITS)}

"""


def _tested(cells: pd.DataFrame) -> str:
    """Test sets of the data sets where not all pruners have the same."""
    images = cells.dropna(subset="test_images").astype({"test_images": int})
    several = images.groupby("dataset")["test_images"].nunique() > 1
    images = images[images["dataset"].isin(several.index[several])]
    if not len(images):
        return ""
    who = images.groupby(["dataset", "model", "test_images"], sort=False)["pruning"]
    table = who.agg(lambda names: ", ".join(dict.fromkeys(names))).reset_index()
    p = images.groupby("dataset")["accuracy"].mean()
    worst = images.assign(p=images["dataset"].map(p))
    error = np.sqrt(worst["p"] * (1 - worst["p"]) / worst["test_images"]).max()
    return f"""Accuracies of one model and dataset were not all measured on as many images, by the
least number of which all accuracies of a pruner are whole numbers. So its pruners are ranked on
different images; the standard error of an accuracy on the smaller test set is about {error:.3f}:

{markdown(table)}

"""
