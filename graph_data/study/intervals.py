"""Intervals (95 %): of resamples, and where there are too few things to resample.

Percentiles of bootstrap means of few values are too narrow, by a factor of about
sqrt((n - 1) / n) * 1.96 / t (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
section 12.6; Hesterberg, "What teachers should know about the bootstrap", The American Statistician
69, 2015): for 15 values an eighth, for 3 almost two thirds. Means are therefore given Student's
interval, which needs no resamples.

The networks of one model and data set, a *cell*, share both, and with them much of the order of the
pruners: five sparsities are not five observations. So each comparison has two intervals. One takes
configurations (or, of rankings, cells by sparsity) for independent, the other, which decides,
resamples the cells as clusters (Cameron, Gelbach and Miller, "Bootstrap-based improvements for
inference with clustered errors", Review of Economics and Statistics 90, 2008).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

INTERVAL = (2.5, 97.5)  # per cent
LEAST_CLUSTERS = 6
"""Of fewer there are too few different resamples for an interval."""


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of values; NaN where there are none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, INTERVAL)
    return float(low), float(high)


def of_clustered(values: np.ndarray, clusters: int) -> tuple[float, float]:
    """Interval of a statistic from its values in resamples of few clusters.

    Parameters
    ----------
    values : numpy.ndarray, shape (resamples,)
    clusters : int
        How many were resampled.

    Returns
    -------
    low, high : float
        NaN where there are fewer than `LEAST_CLUSTERS`.

    Notes
    -----
    Percentiles further out than the middle 95 %, so that of a mean the interval is about as wide as
    Student's: the expanded percentile interval of Hesterberg (2015), section 4.2.
    """
    known = values[~np.isnan(values)]
    if clusters < LEAST_CLUSTERS or not len(known):
        return np.nan, np.nan
    reach = np.sqrt(clusters / (clusters - 1)) * _quantile(clusters - 1)
    low, high = np.percentile(known, 100 * stats.norm.cdf([-reach, reach]))
    return float(low), float(high)


def of_cluster_means(
    values: np.ndarray, clusters: np.ndarray, error: float = 0.0
) -> tuple[float, float]:
    """Student's interval of the mean of values that come in clusters, from the clusters' means.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
    clusters : numpy.ndarray, shape (n,)
        The cluster of each value.
    error : float
        Standard deviation of an error that all clusters may have in common, which their means do
        not show. It is added in quadrature.

    Returns
    -------
    low, high : float
        About the mean of the clusters' means; NaN where there are fewer than `LEAST_CLUSTERS`.
    """
    _, member, count = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(count) < LEAST_CLUSTERS:
        return np.nan, np.nan
    means = np.bincount(member, values) / count
    low, high = of_mean(means)
    half = np.hypot((high - low) / 2, stats.norm.ppf(INTERVAL[1] / 100) * error)
    return float(means.mean() - half), float(means.mean() + half)


def of_mean(values: np.ndarray, together: int = 1) -> tuple[float, float]:
    """Student's interval of the mean of values.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
    together : int
        How many such intervals are to hold their means all at once, with 95 % (Bonferroni).

    Returns
    -------
    low, high : float
        NaN where one of the values is, or there are fewer than two.
    """
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    half = _quantile(n - 1, together) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)


def of_jackknife(estimate: float, without: np.ndarray) -> tuple[float, float]:
    """Interval of what is computed from n things, from its values without each of them.

    Parameters
    ----------
    estimate : float
    without : numpy.ndarray, shape (n,)

    Returns
    -------
    low, high : float
        NaN where undefined without one of them.

    Notes
    -----
    Student's interval of Tukey's pseudo-values; of a mean it is that of `of_mean`. Valid for means
    over pairs too: Arvesen, "Jackknifing U-statistics", Annals of Mathematical Statistics 40, 1969.
    """
    n = len(without)
    return of_mean(n * estimate - (n - 1) * without)


def of_difference(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Welch's interval of the mean of the first values less that of the second.

    Parameters
    ----------
    first, second : numpy.ndarray, shape (n,)

    Returns
    -------
    low, high : float
        NaN where there are fewer than two of one.
    """
    if min(len(first), len(second)) < 2:
        return np.nan, np.nan
    difference = float(first.mean() - second.mean())
    errors = np.array([values.var(ddof=1) / len(values) for values in (first, second)])
    freedom = np.array([len(first) - 1, len(second) - 1])
    if not errors.any():
        return difference, difference
    half = _quantile(errors.sum() ** 2 / (errors**2 / freedom).sum()) * np.sqrt(errors.sum())
    return difference - half, difference + half


def of_spearman(r: float, n: int) -> tuple[float, float]:
    """Interval of Spearman's correlation r of n things; NaN for fewer than four.

    Fisher's, with the standard error of Bonett and Wright, "Sample size requirements for estimating
    Pearson, Kendall and Spearman correlations", Psychometrika 65, 2000.
    """
    if n < 4:
        return np.nan, np.nan
    half = stats.norm.ppf(INTERVAL[1] / 100) * np.sqrt((1 + r**2 / 2) / (n - 3))
    with np.errstate(divide="ignore"):  # of 1 and -1
        low, high = np.tanh(np.arctanh(r) + np.array([-half, half]))
    return float(low), float(high)


def _quantile(freedom: float, together: int = 1) -> float:
    """Student's t that leaves out the upper tail, or a share of it."""
    return float(stats.t.ppf(1 - (1 - INTERVAL[1] / 100) / together, freedom))
