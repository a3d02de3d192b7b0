"""Section 4.2.3: can metrics rank the pruners as accuracy does?

In each cell (model, dataset, sparsity) the pruners are ranked by accuracy, by each metric and by
mixtures of metrics, on means over the seeds. Nothing of a cell's dataset serves to rank it: the
direction of a metric and the weights of a mixture are learned from the other datasets, at the same
sparsity. Where there is one dataset only, nothing of the cell's model does: they are learned from
the other models, at all sparsities. Ramanujan metrics are also taken as proposed: the larger the
better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from scipy import stats

from figures.plots.ranking import plot as plot
from graph_data import measured
from graph_data.markdown import markdown

from . import intervals
from .claims import CLAIMS
from .estimators import ridge
from .networks import BIPARTITE, CELL, MULTIPARTITE, RAMANUJAN, Networks, name_of
from .statistics import expected_overlap, rank_biased_overlap
from .wording import DIGITS, Tables, signs, with_interval

LEAST = 3  # pruners that a ranking needs


def tasks(networks: Networks, seed: int) -> list:
    """One for each sparsity and held-out dataset; with one dataset, one for each model."""
    column = held_out(networks.runs)
    if column is None:
        return []
    means, features = by_pruner(networks)
    if column == "model":
        values = sorted(means[column].unique())
        return [delayed(rank)(means, features, column, value, seed) for value in values]
    found = []
    for sparsity in sorted(means["sparsity"].unique()):
        here = (means["sparsity"] == sparsity).to_numpy()
        part = {name: table[here].reset_index(drop=True) for name, table in features.items()}
        cells = means[here].reset_index(drop=True)
        values = sorted(cells[column].unique())
        found += [delayed(rank)(cells, part, column, value, seed) for value in values]
    return found


def held_out(runs: pd.DataFrame) -> str | None:
    """What is held out: ``dataset``, ``model`` where there is one dataset, or None: one of each."""
    return next((name for name in ("dataset", "model") if runs[name].nunique() > 1), None)


def by_pruner(networks: Networks) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Means over the seeds: accuracy by pruner, and its metrics in the same rows."""
    keys = [networks.runs[name] for name in (*CELL, "pruning")]
    means = networks.runs[["accuracy"]].groupby(keys, sort=True).mean()
    features = {
        name: table.groupby(keys, sort=True).mean().reset_index(drop=True)
        for name, table in networks.features.items()
        if name != "sparsity"  # the same for all pruners of a cell
    }
    return means.reset_index(), features


def rank(
    runs: pd.DataFrame, features: dict[str, pd.DataFrame], column: str, value: str, seed: int
) -> list[dict]:
    """Rank the pruners in every cell of one dataset or model.

    Parameters
    ----------
    runs : pandas.DataFrame
        From `by_pruner`: one row a cell and pruner.
    features : dict of str to pandas.DataFrame
        In the rows of `runs`.
    column : {"dataset", "model"}
    value : str
        The dataset or model that is held out: directions and weights are learned without it.
    seed : int

    Returns
    -------
    list of dict
        One row a cell, predictor and score.
    """
    test = (runs[column] == value).to_numpy()
    centre = [runs[name] for name in CELL]
    accuracy = runs["accuracy"]
    target = accuracy - accuracy.groupby(centre).transform("mean")
    # Deviations of a cell add up to 0: folds must not part it.
    cells = runs.groupby(CELL, sort=True).ngroup().to_numpy()
    rows = []
    for predictor, table in features.items():
        centred = table - table.groupby(centre).transform("mean")
        scores = {}
        for metric in table:
            sign = _direction(runs[~test], table.loc[~test, metric])
            scores[metric] = ("learned", sign * table[metric])
            if metric in RAMANUJAN:
                scores[f"{metric}, larger is better"] = ("proposed", table[metric])
        known = centred.notna().all(axis=1).to_numpy()
        train = known & ~test
        if len(table.columns) > 1 and train.sum() > LEAST:
            fitted = ridge(centred[train].to_numpy(), target[train].to_numpy(), cells[train], seed)
            mixed = pd.Series(np.nan, table.index)
            mixed[known] = fitted.predict(centred[known].to_numpy())
            scores["mixture"] = ("mixture", mixed)
        for name, (kind, score) in scores.items():
            rows += _compare(
                runs[test], score[test], {"predictor": predictor, "score": name, "kind": kind}
            )
    return rows


def collect(results: Sequence[list[dict]]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``cells``: Kendall's tau-b and rank-biased overlap in each cell. ``summary``: their means
        for each sparsity and over all, with `intervals.of_mean`. ``differences``: the mixture of
        unrolled topometrics minus each other score, in the cells that have both. Empty if no cell
        has `LEAST` pruners.
    """
    cells = pd.DataFrame([row for result in results for row in result])
    if cells.empty:
        return {}
    cells["sparsity"] = cells["sparsity"].map(name_of)
    summary, differences = [], []
    for sparsity in [*cells["sparsity"].unique(), "all"]:
        part = cells if sparsity == "all" else cells[cells["sparsity"] == sparsity]
        wide = {
            measure: part.pivot(index=CELL, columns=["predictor", "score"], values=measure)
            for measure in ("tau", "rbo")
        }
        kinds = part.drop_duplicates(["predictor", "score"]).set_index(["predictor", "score"])
        best = wide["tau"].get((MULTIPARTITE, "mixture"))
        for key in wide["tau"]:
            predictor, score = key
            label = {"sparsity": sparsity, "predictor": predictor, "score": score}
            row = label | {"kind": kinds.loc[key, "kind"]}
            row["cells"] = int(wide["tau"][key].notna().sum())
            for measure, table in wide.items():
                row[measure] = table[key].mean()
                known = table[key].dropna().to_numpy()
                row[f"{measure}_low"], row[f"{measure}_high"] = intervals.of_mean(known)
            row["rbo_of_chance"] = part.loc[
                (part["predictor"] == predictor) & (part["score"] == score), "rbo_of_chance"
            ].mean()
            summary.append(row)
            if best is not None and key != (MULTIPARTITE, "mixture"):
                paired = (best - wide["tau"][key]).dropna()
                low, high = intervals.of_mean(paired.to_numpy())
                row = label | {"cells": len(paired), "difference": paired.mean()}
                differences.append(row | {"low": low, "high": high})
    return {
        "cells": cells,
        "summary": pd.DataFrame(summary),
        "differences": pd.DataFrame(differences),
    }


def text(tables: Tables) -> str:
    """Section 4.2.3."""
    summary = tables["summary"]
    shown = summary.pivot_table(
        index=["predictor", "score"], columns="sparsity", values="tau", sort=False
    )
    one_dataset = tables["cells"]["dataset"].nunique() < 2
    learned = (
        "the other models only, at all sparsities, for want of another dataset"
        if one_dataset
        else "the other datasets only, at the same sparsity"
    )
    overlap = summary[summary["sparsity"] == "all"].set_index(["predictor", "score"])
    shown = shown.join(overlap[["rbo", "rbo_of_chance"]]).reset_index()
    return f"""## Section 4.2.3: ranking the pruners

Kendall's tau-b with the ranking by accuracy by sparsity and over all, means over the cells (model
and dataset), and rank-biased overlap (p = 0.9) beside that of a random ranking. The direction of
a metric and the weights of a mixture (ridge regression of deviations from the cell's mean) come
from {learned}; `larger is better` is a Ramanujan metric as proposed. A score that
is the same for all pruners has tau 0. The claim is about the difference in tau against every
Ramanujan score, their mixture included. Intervals (95 %) are Student's of the mean over cells;
cells are taken for independent, though those of one model or dataset have much in common.

{markdown(shown, DIGITS)}

All cells: [ranking/cells.csv](ranking/cells.csv); intervals:
[ranking/summary.csv](ranking/summary.csv); differences:
[ranking/differences.csv](ranking/differences.csv)."""


def verdict(tables: Tables) -> str:
    """Claim c, section 4.2.3, from ``ranking/summary.csv`` and ``differences.csv``."""
    claim, summary, differences = CLAIMS["c"], tables["summary"], tables["differences"]
    theirs = claim.comparisons(differences)
    if not len(theirs):
        return ""
    scores = summary[summary["sparsity"] == "all"].set_index(["predictor", "score"])
    less = differences[differences["sparsity"] == "all"].set_index(["predictor", "score"])
    tau = {
        key: with_interval(*row)
        for key, *row in scores[["tau", "tau_low", "tau_high"]].itertuples()
    }
    best = scores.loc[measured.RAMANUJAN, "tau"].idxmax()
    others = {(name, "mixture"): f"mixture of {name}" for name in BIPARTITE}
    others["density", "layer_density"] = "layer density"
    rest = "".join(
        f", {name} {tau[key]} (difference "
        f"{with_interval(*less.loc[key, ['difference', 'low', 'high']])})"
        for key, name in others.items()
        if key in tau
    )
    return (
        f"**{claim.text}: {claim.rule(theirs)}.** Kendall's tau with the ranking by "
        f"accuracy, mean over {int(scores['cells'].max())} cells: mixture of unrolled topometrics "
        f"{tau[('unrolled', 'mixture')]}, best Ramanujan score ({best}) "
        f"{tau[('ramanujan', best)]}{rest}. Against the {len(theirs)} Ramanujan scores the "
        f"advantage is {signs(theirs)}."
    )


def _direction(runs: pd.DataFrame, metric: pd.Series) -> int:
    """Whether larger values go with more accuracy (1) or less (-1): the sign of the mean tau."""
    taus = [_tau(metric[part.index], part["accuracy"]) for _, part in runs.groupby(CELL, sort=True)]
    known = [tau for tau in taus if not np.isnan(tau)]
    return -1 if known and np.mean(known) < 0 else 1


def _compare(runs: pd.DataFrame, score: pd.Series, label: dict[str, str]) -> list[dict]:
    rows = []
    for cell, part in runs.groupby(CELL, sort=True):
        values = score[part.index]
        part, values = part[values.notna()], values[values.notna()]
        if len(part) < LEAST:
            continue
        tau = _tau(values, part["accuracy"])
        rows.append(
            dict(zip(CELL, cell))
            | label
            | {
                "pruners": len(part),
                # A score that is the same for all pruners does not rank them.
                "tau": 0.0 if np.isnan(tau) else tau,
                "rbo": rank_biased_overlap(values.to_numpy(), part["accuracy"].to_numpy()),
                "rbo_of_chance": expected_overlap(len(part)),
            }
        )
    return rows


def _tau(first: pd.Series, second: pd.Series) -> float:
    known = first.notna() & second.notna()
    if known.sum() < LEAST:
        return np.nan
    return float(stats.kendalltau(first[known], second[known]).statistic)
