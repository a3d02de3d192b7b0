"""Section 4.2.1: how well do topometrics predict the accuracy drop?

Every encoding's topometrics, the Ramanujan metrics, the density of layers and the sparsity itself,
jointly, by group and one by one; on networks whose configuration was not seen, within each
sparsity, model and dataset, and on a dataset or model that was not seen at all. All predictors are
compared on the same networks: those where all of them are defined. Beside them stands the ceiling:
how much of the drop differs between configurations at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from scipy import stats

from .ceiling import ceiling
from .estimators import ESTIMATORS
from .intervals import interval
from .networks import ENCODINGS, GROUPS, Networks
from .validation import Split, adjusted, bootstrap_r2, folds, predict, r2

HELD_OUT = {"held-out dataset": "dataset", "held-out model": "model"}


def tasks(networks: Networks, seed: int) -> list:
    """One for each stratum and set of metrics, and one for each stratum's ceiling."""
    networks = networks.complete()
    found = []
    for kind, name, part, splits in designs(networks, seed):
        label = {"kind": kind, "stratum": name}
        test = np.unique(np.concatenate([rows for _, rows in splits]))
        y = part.runs["drop"].to_numpy()
        found.append(delayed(ceiling)(label, y[test], part.configurations[test]))
        found += [task(label, part, splits, chosen, seed) for chosen in feature_sets(networks)]
    return found


def designs(networks: Networks, seed: int) -> Iterator[tuple[str, str, Networks, list[Split]]]:
    """Kind, name, networks and splits of every stratum and every held-out dataset and model."""
    for kind, name, members in networks.strata:
        part = networks.take(members)
        splits = folds(part.configurations, seed)
        if splits:
            yield kind, name, part, splits
    for kind, column in HELD_OUT.items():
        values = networks.runs[column]
        for value in sorted(values.unique()) if values.nunique() > 1 else ():
            test = (values == value).to_numpy()
            yield kind, value, networks, [(np.flatnonzero(~test), np.flatnonzero(test))]


def feature_sets(networks: Networks) -> Iterator[tuple[str, str, str, list[str]]]:
    """Predictor, level (joint, group or metric), name and columns of every set of metrics."""
    for predictor, table in networks.features.items():
        columns = list(table)
        yield predictor, "joint", "all", columns
        if predictor in ENCODINGS:
            for group, members in GROUPS.items():
                chosen = [column for column in columns if column in members]
                if len(chosen) > 1:
                    yield predictor, "group", group, chosen
        if len(columns) > 1:
            for column in columns:
                yield predictor, "metric", column, [column]


def task(
    label: dict[str, str],
    networks: Networks,
    splits: Sequence[Split],
    chosen: tuple[str, str, str, list[str]],
    seed: int,
):
    """`evaluate`, to be done later, on one of `feature_sets`."""
    predictor, level, name, columns = chosen
    return delayed(evaluate)(
        label | {"predictor": predictor, "level": level, "name": name},
        networks.features[predictor][columns].to_numpy(),
        networks.runs["drop"].to_numpy(),
        networks.configurations,
        splits,
        seed,
    )


def evaluate(
    label: dict[str, str],
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    splits: Sequence[Split],
    seed: int,
) -> list[tuple[dict, np.ndarray | None]]:
    """Scores of every estimator on one set of metrics.

    Parameters
    ----------
    label : dict
        Put into every row.
    x : numpy.ndarray, shape (n, k)
    y : numpy.ndarray, shape (n,)
        Accuracy drop.
    groups : numpy.ndarray, shape (n,)
        Configurations.
    splits : sequence of (numpy.ndarray, numpy.ndarray)
        Training and test rows.
    seed : int

    Returns
    -------
    list of (dict, numpy.ndarray or None)
        For each estimator a row of scores, and R2 in resamples of the configurations where the
        level is joint: these are compared. Scores are of the test networks, their predictions
        pooled over the folds; ``r2_fit`` and ``adjusted_r2_fit`` are those of the training networks
        of one fit to all of them, as papers often give.
    """
    train = np.unique(np.concatenate([rows for rows, _ in splits]))
    test = np.unique(np.concatenate([rows for _, rows in splits]))
    k = int((np.ptp(x[train], axis=0) > 0).sum())
    found = []
    for estimator, fit in ESTIMATORS.items():
        predicted = predict(fit, x, y, groups, splits, seed)[test]
        fitted = fit(x[train], y[train], groups[train], seed).predict(x[train])
        score, score_fit = r2(y[test], predicted), r2(y[train], fitted)
        sampled = bootstrap_r2(y[test], predicted, groups[test], seed)
        low, high = interval(sampled)
        row = {
            **label,
            "estimator": estimator,
            "networks": len(test),
            "configurations": len(np.unique(groups[test])),
            "metrics": k,
            "r2": score,
            "r2_low": low,
            "r2_high": high,
            "adjusted_r2": adjusted(score, len(test), k),
            "spearman": _spearman(y[test], predicted),
            "mae": float(np.abs(y[test] - predicted).mean()),
            "r2_fit": score_fit,
            "adjusted_r2_fit": adjusted(score_fit, len(train), k),
        }
        found.append((row, sampled if label["level"] == "joint" else None))
    return found


def collect(
    results: Sequence[list[tuple[dict, np.ndarray | None]] | dict],
) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``scores``: one row a stratum, set of metrics and estimator. ``differences``: R2 of all
        unrolled topometrics minus R2 of each other predictor, with its interval. ``ceilings``: one
        row a stratum.
    """
    ceilings = [result for result in results if isinstance(result, dict)]
    pairs = [pair for result in results if isinstance(result, list) for pair in result]
    scores = pd.DataFrame([row for row, _ in pairs])
    joint = scores[scores["level"] == "joint"]
    rows = []
    for (kind, stratum, estimator), part in joint.groupby(
        ["kind", "stratum", "estimator"], sort=False
    ):
        index = dict(zip(part["predictor"], part.index))
        ours = index.pop("unrolled", None)
        if ours is None:
            continue
        for other, theirs in index.items():
            low, high = interval(pairs[ours][1] - pairs[theirs][1])
            rows.append(
                {
                    "kind": kind,
                    "stratum": stratum,
                    "estimator": estimator,
                    "than": other,
                    "difference": scores.at[ours, "r2"] - scores.at[theirs, "r2"],
                    "low": low,
                    "high": high,
                }
            )
    return {
        "scores": scores,
        "differences": pd.DataFrame(rows),
        "ceilings": pd.DataFrame(ceilings),
    }


def _spearman(y: np.ndarray, predicted: np.ndarray) -> float:
    """Spearman correlation; 0 where the prediction does not vary."""
    varies = np.ptp(y) > 0 and np.ptp(predicted) > 0
    return float(stats.spearmanr(y, predicted).statistic) if varies else 0.0
