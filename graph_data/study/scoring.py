"""Scores of one set of features, by every estimator, with both kinds of interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from . import intervals
from .estimators import ESTIMATORS
from .validation import Split, adjusted, bootstrap_r2, predict, r2

ENDS = ["low", "high", "cluster_low", "cluster_high"]
"""Of an interval that takes configurations for independent, and of one of clusters."""


class Resampled(NamedTuple):
    """R2 in resamples.

    Attributes
    ----------
    configurations, clusters : numpy.ndarray, shape (RESAMPLES,)
        Of configurations, and of cells (model and data set), each with all their networks.
    count : int
        Number of clusters.
    """

    configurations: np.ndarray
    clusters: np.ndarray
    count: int

    def __sub__(self, other: Resampled) -> Resampled:
        """The difference in each resample: both are of the same networks."""
        pairs = zip(self[:2], other[:2])
        return Resampled(*(first - second for first, second in pairs), self.count)

    @property
    def ends(self) -> dict[str, float]:
        """Both intervals, by `ENDS`."""
        of_clusters = intervals.of_clustered(self.clusters, self.count)
        return dict(zip(ENDS, (*intervals.interval(self.configurations), *of_clusters)))


Scored = tuple[dict, Resampled | None]


def evaluate(
    label: dict[str, str],
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    clusters: np.ndarray,
    splits: Sequence[Split],
    seed: int,
    estimators: Sequence[str] = (),
) -> list[Scored]:
    """Scores of estimators on one set of features.

    Parameters
    ----------
    label : dict
        Put into every row.
    x : numpy.ndarray, shape (n, k)
    y : numpy.ndarray, shape (n,)
        Accuracy drop.
    groups, clusters : numpy.ndarray, shape (n,)
        Configurations; cells of model and data set.
    splits : sequence of (numpy.ndarray, numpy.ndarray)
        Training and test rows.
    seed : int
    estimators : sequence of str
        All by default.

    Returns
    -------
    list of (dict, Resampled or None)
        For each estimator a row of scores, and R2 in resamples where the level is joint: these are
        compared. Scores are of the test networks, their predictions pooled over the folds;
        ``r2_fit`` and ``adjusted_r2_fit`` are those of the training networks of one fit to all of
        them, as papers often give.
    """
    train = np.unique(np.concatenate([rows for rows, _ in splits]))
    test = np.unique(np.concatenate([rows for _, rows in splits]))
    k = int((np.ptp(x[train], axis=0) > 0).sum())
    found = []
    for estimator in estimators or ESTIMATORS:
        fit = ESTIMATORS[estimator]
        predicted = predict(fit, x, y, groups, splits, seed)[test]
        fitted = fit(x[train], y[train], groups[train], seed).predict(x[train])
        score, score_fit = r2(y[test], predicted), r2(y[train], fitted)
        sampled = resampled(y[test], predicted, groups[test], clusters[test], seed)
        row = {
            **label,
            "estimator": estimator,
            "networks": len(test),
            "configurations": len(np.unique(groups[test])),
            "clusters": sampled.count,
            "metrics": k,
            "r2": score,
            **{f"r2_{end}": value for end, value in sampled.ends.items()},
            "adjusted_r2": adjusted(score, len(test), k),
            "spearman": _spearman(y[test], predicted),
            "mae": float(np.abs(y[test] - predicted).mean()),
            "r2_fit": score_fit,
            "adjusted_r2_fit": adjusted(score_fit, len(train), k),
        }
        found.append((row, sampled if label["level"] == "joint" else None))
    return found


def resampled(
    y: np.ndarray, predicted: np.ndarray, groups: np.ndarray, clusters: np.ndarray, seed: int
) -> Resampled:
    """R2 in resamples of the configurations and of the clusters; as for `evaluate`."""
    both = (bootstrap_r2(y, predicted, these, seed) for these in (groups, clusters))
    return Resampled(*both, len(np.unique(clusters)))


def differences(
    scored: Sequence[Scored], keys: Sequence[str], first: str, second: str = "predictor"
) -> pd.DataFrame:
    """R2 of one set of features less that of each other, estimator by estimator.

    Parameters
    ----------
    scored : sequence of (dict, Resampled or None)
        From `evaluate`; those of level joint are compared.
    keys : sequence of str
        Columns in which rows that are compared agree.
    first : str
        Value, in the column `second`, of the one.
    second : str

    Returns
    -------
    pandas.DataFrame
        ``keys``, ``than``, ``clusters``, ``difference`` and its `ENDS`.
    """
    joint = pd.DataFrame([row | {"place": i} for i, (row, s) in enumerate(scored) if s])
    rows = []
    for key, part in joint.groupby(list(keys), sort=False) if len(joint) else ():
        places = dict(zip(part[second], part["place"]))
        ours = places.pop(first, None)
        for other, theirs in places.items() if ours is not None else ():
            (one, one_sampled), (two, two_sampled) = scored[ours], scored[theirs]
            row = dict(zip(keys, key)) | {"than": other, "clusters": one["clusters"]}
            row["difference"] = one["r2"] - two["r2"]
            rows.append(row | (one_sampled - two_sampled).ends)
    return pd.DataFrame(rows, columns=[*keys, "than", "clusters", "difference", *ENDS])


def _spearman(y: np.ndarray, predicted: np.ndarray) -> float:
    """Spearman correlation; 0 where the prediction does not vary."""
    varies = np.ptp(y) > 0 and np.ptp(predicted) > 0
    return float(stats.spearmanr(y, predicted).statistic) if varies else 0.0
