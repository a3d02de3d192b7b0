"""Section 4.2.3: can metrics rank the pruners as accuracy does?

In each cell (model, dataset, sparsity) the pruners are ranked by accuracy, by each metric and by
mixtures of metrics, on means over the seeds. Nothing of a cell's dataset serves to rank it: the
direction of a metric and the weights of a mixture are learned from the other datasets, at the same
sparsity. Where there is one dataset only, nothing of the cell's model does: they are learned from
the other models, at all sparsities. Ramanujan metrics are also taken as proposed: the larger the
better.

Where the pruners of a cell were tested on different images, part of their ranking is the images'.
How much taus might change is drawn: every test set shifts all accuracies measured on it alike, by
a normal deviate times the standard error of an accuracy on so many images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed

from figures.plots.ranking import plot as plot
from graph_data import measured
from graph_data.markdown import markdown

from . import intervals
from .claims import CLAIMS
from .estimators import ridge
from .networks import CELL, CLUSTER, Networks, name_of
from .predictors import BIPARTITE, MULTIPARTITE, RAMANUJAN, SPARSITY
from .scoring import ENDS
from .statistics import (
    cosine_of_ranks,
    expected_cosine,
    expected_overlap,
    kendall,
    rank_biased_overlap,
)
from .wording import DIGITS, Tables, signs, with_both, with_both_intervals

LEAST = 3  # pruners that a ranking needs
DRAWS = 200  # of the test sets' shifts
MEASURES = ("tau", "rbo", "cosine")
MIXED = (MULTIPARTITE, "mixture")


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
    """Means over the seeds: accuracy by pruner and its test set, and metrics in the same rows."""
    keys = [networks.runs[name] for name in (*CELL, "pruning")]
    means = networks.runs[["accuracy", "test_images"]].groupby(keys, sort=True).mean()
    features = {
        name: table.groupby(keys, sort=True).mean().reset_index(drop=True)
        for name, table in networks.features.items()
        if name != SPARSITY  # the same for all pruners of a cell, but for er's
    }
    return means.reset_index(), features


def rank(
    runs: pd.DataFrame, features: dict[str, pd.DataFrame], column: str, value: str, seed: int
) -> list[tuple[dict, np.ndarray]]:
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
    list of (dict, numpy.ndarray)
        One row a cell, predictor and score, and what tau changes by in each draw of the test sets'
        shifts, shape (DRAWS,).
    """
    moved = shifts(runs, seed)
    test = (runs[column] == value).to_numpy()
    centre = [runs[name] for name in CELL]
    accuracy = runs["accuracy"]
    target = accuracy - accuracy.groupby(centre).transform("mean")
    # Deviations of a cell add up to 0: folds must not part it.
    cells = runs.groupby(CELL, sort=True).ngroup().to_numpy()
    learned, ranked = (
        [np.flatnonzero((cells == cell) & these) for cell in np.unique(cells[these])]
        for these in (~test, test)
    )
    rows = []
    for predictor, table in features.items():
        centred = table - table.groupby(centre).transform("mean")
        scores = {}
        for metric in table:
            values = table[metric].to_numpy()
            sign = _direction(accuracy.to_numpy(), values, learned)
            scores[metric] = ("learned", sign * values)
            if metric in RAMANUJAN:
                scores[f"{metric}, larger is better"] = ("proposed", values)
        known = centred.notna().all(axis=1).to_numpy()
        train = known & ~test
        if len(table.columns) > 1 and train.sum() > LEAST:
            fitted = ridge(centred[train].to_numpy(), target[train].to_numpy(), cells[train], seed)
            mixed = np.full(len(table), np.nan)
            mixed[known] = fitted.predict(centred[known].to_numpy())
            scores["mixture"] = ("mixture", mixed)
        for name, (kind, score) in scores.items():
            label = {"predictor": predictor, "score": name, "kind": kind}
            rows += _compare(runs, score, moved, ranked, label)
    return rows


def shifts(runs: pd.DataFrame, seed: int) -> np.ndarray:
    """What the choice of test images may do to accuracies, draw by draw.

    Parameters
    ----------
    runs : pandas.DataFrame
        From `by_pruner`.
    seed : int

    Returns
    -------
    numpy.ndarray, shape (DRAWS, n)
        Networks tested on as many images are taken to be tested on the same ones: they share a
        deviate, in every cell. Where the test set is not known there is no shift.
    """
    accuracy, images = runs["accuracy"].to_numpy(), runs["test_images"].to_numpy()
    moved = np.zeros((DRAWS, len(runs)))
    for count in np.unique(images[~np.isnan(images)]):
        on = images == count
        deviates = np.random.default_rng([seed, int(count)]).standard_normal((DRAWS, 1))
        moved[:, on] = deviates * np.sqrt(accuracy[on] * (1 - accuracy[on]) / count)
    return moved


def collect(results: Sequence[list[tuple[dict, np.ndarray]]]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``cells``: Kendall's tau-b, rank-biased overlap and the cosine of ranks in each cell.
        ``summary``: their means for each sparsity and over all, with `intervals.of_mean` of the
        cells and `intervals.of_cluster_means`; ``test_sets``: root mean square change of the mean
        tau by the test sets' shifts, which is in the clustered interval. ``differences``: tau of
        the mixture of unrolled topometrics minus that of each other score, in the cells that have
        both. Empty if no cell has `LEAST` pruners.
    """
    pairs = [pair for result in results for pair in result]
    if not pairs:
        return {}
    cells = pd.DataFrame([row for row, _ in pairs])
    noise = np.array([changes for _, changes in pairs])
    cells["sparsity"] = cells["sparsity"].map(name_of)
    place = cells.groupby(CELL, sort=True).ngroup()
    cluster = cells.groupby(CLUSTER, sort=True).ngroup()
    summary, differences = [], []
    for sparsity in [*cells["sparsity"].unique(), "all"]:
        part = cells if sparsity == "all" else cells[cells["sparsity"] == sparsity]
        scores = dict(iter(part.groupby(["predictor", "score"], sort=True)))
        best = scores.get(MIXED)
        for key, found in scores.items():
            label = {"sparsity": sparsity, "predictor": key[0], "score": key[1]}
            row = label | {"kind": found["kind"].iloc[0], "cells": len(found)}
            error = _size(noise[found.index].mean(axis=0))
            row |= {"clusters": cluster[found.index].nunique(), "test_sets": error}
            for measure in MEASURES:
                values = found[measure].to_numpy()
                ends = _ends(values, cluster[found.index], error if measure == "tau" else 0.0)
                row[measure] = values.mean()
                row |= {f"{measure}_{end}": value for end, value in ends.items()}
            chances = [f"{measure}_of_chance" for measure in MEASURES[1:]]
            summary.append(row | found[chances].mean().to_dict())
            if best is not None and key != MIXED:
                rows = pd.Series(found.index, place[found.index])
                ours = pd.Series(best.index, place[best.index])
                both = rows.index.intersection(ours.index)
                theirs, ours = rows[both].to_numpy(), ours[both].to_numpy()
                values = cells.loc[ours, "tau"].to_numpy() - cells.loc[theirs, "tau"].to_numpy()
                error = _size((noise[ours] - noise[theirs]).mean(axis=0))
                row = label | {"cells": len(both), "clusters": cluster[theirs].nunique()}
                row |= {"test_sets": error, "difference": values.mean()}
                differences.append(row | _ends(values, cluster[theirs], error))
    return {
        "cells": cells,
        "summary": pd.DataFrame(summary),
        "differences": pd.DataFrame(differences),
    }


def _size(changes: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt((changes**2).mean()))


def _ends(values: np.ndarray, clusters: pd.Series, error: float) -> dict[str, float]:
    """Intervals of a mean over cells, by `scoring.ENDS`."""
    clustered = intervals.of_cluster_means(values, clusters.to_numpy(), error)
    return dict(zip(ENDS, (*intervals.of_mean(values), *clustered)))


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
    others = ["rbo", "rbo_of_chance", "cosine", "cosine_of_chance"]
    overall = summary[summary["sparsity"] == "all"].set_index(["predictor", "score"])
    shown = shown.join(overall[others]).reset_index()
    said = f"""## Section 4.2.3: ranking the pruners

Kendall's tau-b with the ranking by accuracy by sparsity and over all, means over the cells (model,
dataset and sparsity), and rank-biased overlap (p = 0.9) and the cosine of the ranks, each beside
that of a random ranking. The direction of a metric and the weights of a mixture (ridge regression
of deviations from the cell's mean) come from {learned}; `larger is better` is a Ramanujan metric as
proposed. A score that is the same for all pruners has tau 0.

{markdown(shown, DIGITS)}"""
    if len(tables["differences"]):
        said += f"\n\n{_compared(tables)}"
    return f"""{said}

All cells: [ranking/cells.csv](ranking/cells.csv); intervals:
[ranking/summary.csv](ranking/summary.csv); differences:
[ranking/differences.csv](ranking/differences.csv)."""


def _compared(tables: Tables) -> str:
    """The mixture of unrolled topometrics against every other mixture and Ramanujan score."""
    found = tables["differences"]
    found = found[found["sparsity"] == "all"]
    chosen = (found["score"] == "mixture") | ~found["predictor"].isin([MULTIPARTITE, *BIPARTITE])
    found = found[chosen]
    shown = found.assign(difference=with_both_intervals(found, "difference"))
    shown = shown[["predictor", "score", "cells", "clusters", "difference", "test_sets"]]
    return f"""Tau of the mixture of unrolled topometrics less that of other scores, all sparsities.
The claim is about every Ramanujan score, their mixture included. Intervals (95 %) are Student's of
the mean: first over cells as if they were independent, then, after `clustered`, over the means of
clusters (a model and dataset, with all its sparsities), which decides. `test_sets`: by how much the
mean may change (root mean square) because pruners of a cell were tested on different images; the
clustered interval has it in it. 0: all of a cell were tested on the same, as far as accuracies
tell.

{markdown(shown, DIGITS)}"""


def verdict(tables: Tables) -> str:
    """Claim c, section 4.2.3, from ``ranking/summary.csv`` and ``differences.csv``."""
    claim, summary, differences = CLAIMS["c"], tables["summary"], tables["differences"]
    theirs = claim.comparisons(differences)
    if not len(theirs):
        return ""
    scores = summary[summary["sparsity"] == "all"].set_index(["predictor", "score"])
    less = differences[differences["sparsity"] == "all"].set_index(["predictor", "score"])
    tau = {
        key: with_both(*row)
        for key, *row in scores[["tau", *(f"tau_{end}" for end in ENDS)]].itertuples()
    }
    best = scores.loc[measured.RAMANUJAN, "tau"].idxmax()
    others = {(measured.RAMANUJAN, best): f"best Ramanujan score ({best})"}
    others |= {(name, "mixture"): f"mixture of {name} topometrics" for name in BIPARTITE}
    others["density", "layer_density"] = "layer density"
    rest = "; ".join(
        f"{name} {scores.loc[key, 'tau']:.3f}, so that the mixture's tau is higher by "
        f"{with_both(*less.loc[key, ['difference', *ENDS]])}"
        for key, name in others.items()
        if key in tau
    )
    return (
        f"**{claim.text}: {claim.verdict(theirs)}.** Kendall's tau with the ranking by accuracy, "
        f"mean over {int(scores['cells'].max())} cells: mixture of unrolled topometrics "
        f"{tau[MIXED]}; {rest}. Against the {len(theirs)} Ramanujan scores the difference is "
        f"{signs(theirs)}."
    )


def _direction(accuracy: np.ndarray, metric: np.ndarray, cells: Sequence[np.ndarray]) -> int:
    """Whether larger values go with more accuracy (1) or less (-1): the sign of the mean tau."""
    total = 0.0
    for rows in cells:
        known = rows[~np.isnan(metric[rows])]
        if len(known) >= LEAST:
            total += kendall(metric[known], accuracy[None, known])[0]
    return -1 if total < -1e-9 else 1  # not its rounding


def _compare(
    runs: pd.DataFrame,
    score: np.ndarray,
    moved: np.ndarray,
    cells: Sequence[np.ndarray],
    label: dict[str, str],
) -> list[tuple[dict, np.ndarray]]:
    """How a score ranks the pruners of each cell; a cell is the rows that it has."""
    rows = []
    names, images = runs[CELL].to_numpy(), runs["test_images"].to_numpy()
    for members in cells:
        known = members[~np.isnan(score[members])]
        n = len(known)
        if n < LEAST:
            continue
        values, accuracy = score[known], runs["accuracy"].to_numpy()[known]
        # A score that is the same for all pruners does not rank them: 0.
        tau = float(kendall(values, accuracy[None])[0])
        changes = np.zeros(len(moved))
        if len(set(images[known])) > 1:
            changes = kendall(values, accuracy + moved[:, known]) - tau
        row = dict(zip(CELL, names[known[0]])) | label
        row |= {
            "pruners": n,
            "tau": tau,
            "rbo": rank_biased_overlap(values, accuracy),
            "rbo_of_chance": expected_overlap(n),
            "cosine": cosine_of_ranks(values, accuracy),
            "cosine_of_chance": expected_cosine(n),
        }
        rows.append((row, changes))
    return rows
