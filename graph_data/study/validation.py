"""How well metrics predict networks that were not seen: folds, scores and their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.model_selection import GroupKFold

FOLDS = 5
RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # per cent

Split = tuple[np.ndarray, np.ndarray]


def folds(groups: np.ndarray, seed: int) -> list[Split]:
    """Training and test rows of each fold; a group is never in both.

    Parameters
    ----------
    groups : numpy.ndarray, shape (n,)
        Configuration of each network: its seeds stay together.
    seed : int

    Returns
    -------
    list of (numpy.ndarray, numpy.ndarray)
        `FOLDS` of them, fewer if there are fewer groups; empty if there is one.
    """
    count = min(FOLDS, len(np.unique(groups)))
    if count < 2:
        return []
    splitter = GroupKFold(count, shuffle=True, random_state=seed)
    return list(splitter.split(groups, groups=groups))


def predict(
    build: Callable[[], RegressorMixin], x: np.ndarray, y: np.ndarray, splits: Iterable[Split]
) -> np.ndarray:
    """Prediction for each network by a model that was fitted without its fold.

    Parameters
    ----------
    build : callable
        From `estimators.ESTIMATORS`.
    x : numpy.ndarray, shape (n, k)
    y : numpy.ndarray, shape (n,)
    splits : iterable of (numpy.ndarray, numpy.ndarray)

    Returns
    -------
    numpy.ndarray, shape (n,)
        NaN for a network in no test part.
    """
    predicted = np.full(len(y), np.nan)
    for train, test in splits:
        predicted[test] = build().fit(x[train], y[train]).predict(x[test])
    return predicted


def r2(y: np.ndarray, predicted: np.ndarray) -> float:
    """Coefficient of determination; NaN where y does not vary."""
    if np.ptp(y) == 0:
        return np.nan
    return 1 - float(((y - predicted) ** 2).sum()) / float(((y - y.mean()) ** 2).sum())


def adjusted(score: float, n: int, k: int) -> float:
    """R2 adjusted for k features of n networks; NaN where n <= k + 1."""
    return 1 - (1 - score) * (n - 1) / (n - k - 1) if n > k + 1 else np.nan


def bootstrap_r2(y: np.ndarray, predicted: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """R2 in resamples of the configurations.

    Parameters
    ----------
    y, predicted : numpy.ndarray, shape (n,)
    groups : numpy.ndarray, shape (n,)
        Networks of one group are drawn together.
    seed : int
        The same seed and groups draw the same resamples, so that differences are paired.

    Returns
    -------
    numpy.ndarray, shape (RESAMPLES,)
    """
    _, member = np.unique(groups, return_inverse=True)
    size = member.max() + 1
    draws = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), RESAMPLES)
    centred = y - y.mean() if np.ptp(y) > 0 else np.zeros(len(y))  # not its rounding
    count, error, first, second = (
        draws @ np.bincount(member, weights, size)
        for weights in (np.ones(len(y)), (y - predicted) ** 2, centred, centred**2)
    )
    total = second - first**2 / count
    return 1 - np.divide(error, total, out=np.full(RESAMPLES, np.nan), where=total > 0)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of values; NaN where there are none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, INTERVAL)
    return float(low), float(high)
