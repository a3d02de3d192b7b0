"""How much of the accuracy drop there is to predict: its variance beyond that between seeds."""

from __future__ import annotations

import numpy as np
from scipy import stats

from . import validation
from .intervals import INTERVAL, of_clustered
from .scoring import ENDS


def ceiling(
    label: dict[str, str],
    y: np.ndarray,
    groups: np.ndarray,
    clusters: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, object]:
    """Share of the variance of the drop that lies between configurations.

    The intraclass correlation of the one-way random model: the squared correlation with the drop,
    in the long run, of a predictor that knows the expected drop of every configuration.

    Parameters
    ----------
    label : dict
        Put into the row.
    y : numpy.ndarray, shape (n,)
        Accuracy drop.
    groups : numpy.ndarray, shape (n,)
        Configurations; a group has the seeds of one.
    clusters : numpy.ndarray, shape (n,), optional
        Cells of model and data set, each of whole groups; without them there is no interval of
        resampled clusters.
    seed : int
        Of the resamples of clusters.

    Returns
    -------
    dict
        ``ceiling``: its estimate from analysis of variance, 0 or less where configurations differ
        no more than seeds do; ``low``, ``high``: its interval (95 %, exact for normal drops and
        equally many seeds and independent configurations); ``cluster_low``, ``cluster_high``: that
        of resampled clusters. NaN where no group has two networks, there is one group only, or y
        does not vary. After Searle, Casella and McCulloch, "Variance Components" (Wiley 1992),
        section 3.6.
    """
    _, member, count = np.unique(groups, return_inverse=True, return_counts=True)
    n, a = len(y), len(count)
    row = {**label, "networks": n, "configurations": a}
    if a < 2 or n == a or np.ptp(y) == 0:
        return row | dict.fromkeys(("ceiling", *ENDS), np.nan)
    means = np.bincount(member, y) / count
    within = np.bincount(member, (y - means[member]) ** 2)
    ratio, seeds = _ratio(*_sums(count, means - y.mean(), within).sum(axis=0))
    bounds = ratio / stats.f.ppf(np.array(INTERVAL[::-1]) / 100, a - 1, n - a)
    estimate, *ends = (float(_share(value, seeds)) for value in (ratio, *bounds))
    row |= {"ceiling": estimate}
    if clusters is None:
        return row | dict(zip(ENDS, (*ends, np.nan, np.nan)))
    _, first = np.unique(groups, return_index=True)
    _, owner = np.unique(clusters[first], return_inverse=True)
    sums = _sums(count, means - y.mean(), within)
    each = np.stack([np.bincount(owner, column) for column in sums.T], axis=1)
    times = validation.draws(len(each), seed, validation.RESAMPLES)
    sampled = _share(*_ratio(*(times @ each).T))
    return row | dict(zip(ENDS, (*ends, *of_clustered(sampled, len(each)))))


def _sums(count: np.ndarray, means: np.ndarray, within: np.ndarray) -> np.ndarray:
    """What of each group adds up in an analysis of variance, shape (groups, 6)."""
    return np.stack(
        [np.ones(len(count)), count, count**2, count * means, count * means**2, within], axis=1
    )


def _ratio(a, n, squares, first, second, within) -> tuple[np.ndarray, np.ndarray]:
    """Ratio of the mean squares between groups and within, and the mean size of a group."""
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (second - first**2 / n) / (a - 1)
        return between / (within / (n - a)), (n - squares / n) / (a - 1)


def _share(ratio: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Intraclass correlation from the ratio of mean squares."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(ratio), 1.0, (ratio - 1) / (ratio + seeds - 1))
