"""How well metrics predict networks that were not seen: folds, scores and their resamples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.model_selection import GroupKFold

FOLDS = 5
RESAMPLES = 20_000

Split = tuple[np.ndarray, np.ndarray]
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, int], RegressorMixin]


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
    fit: Fit,
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    splits: Iterable[Split],
    seed: int,
) -> np.ndarray:
    """Prediction for each network by a model that was fitted without its fold.

    Parameters
    ----------
    fit : callable
        From `estimators.ESTIMATORS`.
    x : numpy.ndarray, shape (n, k)
    y : numpy.ndarray, shape (n,)
    groups : numpy.ndarray, shape (n,)
        Configurations.
    splits : iterable of (numpy.ndarray, numpy.ndarray)
    seed : int

    Returns
    -------
    numpy.ndarray, shape (n,)
        NaN for a network in no test part.
    """
    predicted = np.full(len(y), np.nan)
    for train, test in splits:
        predicted[test] = fit(x[train], y[train], groups[train], seed).predict(x[test])
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
    """R2 in resamples of groups of networks: of configurations, or of clusters of them.

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
    times = draws(size, seed, RESAMPLES)
    centred = y - y.mean() if np.ptp(y) > 0 else np.zeros(len(y))  # not its rounding
    weights = (np.ones(len(y)), (y - predicted) ** 2, centred, centred**2)
    sums = np.stack([np.bincount(member, values, size) for values in weights], axis=1)
    count, error, first, second = (times @ sums).T
    total = second - first**2 / count
    return 1 - np.divide(error, total, out=np.full(RESAMPLES, np.nan), where=total > 0)


@lru_cache(maxsize=4)
def draws(size: int, seed: int, resamples: int) -> np.ndarray:
    """How often each of `size` things is drawn in each resample; kept, for all sets of metrics."""
    random = np.random.default_rng(seed)
    return random.multinomial(size, np.full(size, 1 / size), resamples).astype(float)
