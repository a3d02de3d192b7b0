"""The statistics that SciPy and scikit-learn do not have."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats


def williams(r_xy: float, r_zy: float, r_xz: float, n: int) -> tuple[float, float]:
    """Test whether x and z correlate equally with y, all measured on the same n things.

    Parameters
    ----------
    r_xy, r_zy : float
        The two Pearson correlations compared.
    r_xz : float
        Correlation of the two predictors.
    n : int
        At least 4.

    Returns
    -------
    t, p : float
        Statistic with n - 3 degrees of freedom, positive if x correlates more, and its two-sided
        p-value. NaN where undefined: fewer than 4 things, or x and z one and the same.

    Notes
    -----
    Williams, "The comparison of regression variables", JRSS B 21, 1959, in the form that Steiger
    recommends: "Tests for comparing elements of a correlation matrix", Psychological Bulletin 87,
    1980, equation 7.

    Examples
    --------
    >>> t, p = williams(0.4, 0.5, 0.1, 103)
    >>> round(t, 3), round(p, 3)
    (-0.891, 0.375)
    """
    determinant = 1 - r_xy**2 - r_zy**2 - r_xz**2 + 2 * r_xy * r_zy * r_xz
    mean = (r_xy + r_zy) / 2
    if n < 4:
        return math.nan, math.nan
    scale = 2 * determinant * (n - 1) / (n - 3) + mean**2 * (1 - r_xz) ** 3
    if not scale > 1e-15:
        return math.nan, math.nan
    t = (r_xy - r_zy) * math.sqrt((n - 1) * (1 + r_xz) / scale)
    return t, 2 * float(stats.t.sf(abs(t), n - 3))


def rank_biased_overlap(first: np.ndarray, second: np.ndarray, p: float = 0.9) -> float:
    """Agreement of two rankings of the same things, with more weight on the top.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        Scores of the same things in the same order; the highest score ranks first.
    p : float
        Persistence, between 0 and 1: weight of each further depth.

    Returns
    -------
    float
        1 for equal rankings.

    Notes
    -----
    The extrapolated overlap of Webber, Moffat and Zobel, "A similarity measure for indefinite
    rankings", ACM TOIS 28, 2010, equation 32, for rankings of equal length. Tied things share their
    places evenly: the value is the mean over all ways to break the ties (RBO^a of Corsi and Urbano,
    "The treatment of ties in rank-biased overlap", SIGIR 2024).

    Examples
    --------
    >>> rank_biased_overlap([3, 2, 1], [30, 20, 10])
    1.0
    """
    n = len(first)
    overlap = (_shares(first) * _shares(second)).sum(axis=1)  # at depths 1 to n
    depths = np.arange(1, n + 1)
    agreement = overlap / depths
    return float((1 - p) * (p ** (depths - 1) * agreement).sum() + p**n * agreement[-1])


def expected_overlap(n: int, p: float = 0.9) -> float:
    """Rank-biased overlap of two random rankings of n things, in the mean."""
    depths = np.arange(1, n + 1)
    return float((1 - p) * (p ** (depths - 1) * depths / n).sum() + p**n)


def cosine_of_ranks(first: np.ndarray, second: np.ndarray) -> float:
    """Cosine of the angle between two rankings of the same things, as vectors of ranks.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        Scores of the same things in the same order; the highest score has rank 1, tied ones the
        mean of their ranks.

    Returns
    -------
    float
        1 for equal rankings. Ranks are positive, so that opposite ones have some cosine, too.

    Examples
    --------
    >>> round(cosine_of_ranks([3, 2, 1], [1, 2, 3]), 4)  # (1 * 3 + 2 * 2 + 3 * 1) / 14
    0.7143
    """
    one, two = (stats.rankdata(-np.asarray(scores, dtype=float)) for scores in (first, second))
    return float(one @ two / np.sqrt((one @ one) * (two @ two)))


def expected_cosine(n: int) -> float:
    """Cosine of two random rankings of n things without ties, in the mean."""
    return 3 * (n + 1) / (2 * (2 * n + 1))


def kendall(score: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of one ranking with many.

    Parameters
    ----------
    score : numpy.ndarray, shape (n,)
    values : numpy.ndarray, shape (r, n)

    Returns
    -------
    numpy.ndarray, shape (r,)
        0 where one of the two does not rank.
    """
    i, j = np.triu_indices(len(score), 1)
    one = np.sign(score[i] - score[j])
    many = np.sign(values[:, i] - values[:, j])
    size = np.sqrt(np.count_nonzero(one) * np.count_nonzero(many, axis=1))
    return np.divide(many @ one, size, out=np.zeros(len(values)), where=size > 0)


def variance_inflation(features: np.ndarray) -> np.ndarray:
    """Variance inflation factor of each feature: 1 / (1 - R2 from the others).

    Parameters
    ----------
    features : numpy.ndarray, shape (n, k)

    Returns
    -------
    numpy.ndarray, shape (k,)
        1 for a feature uncorrelated with the others, infinite for one that follows from them, NaN
        for a constant.

    Notes
    -----
    Belsley, Kuh and Welsch, *Regression Diagnostics*, 1980, section 3.2.
    """
    centred = features - features.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0))
    varies = spread > 1e-12 * np.maximum(np.abs(features).max(axis=0), 1e-300)
    scaled = centred[:, varies] / spread[varies]
    factors = np.full(features.shape[1], np.nan)
    for place, column in enumerate(np.flatnonzero(varies)):
        others = np.delete(scaled, place, axis=1)
        fitted = others @ np.linalg.lstsq(others, scaled[:, place], rcond=None)[0]
        rest = float(((scaled[:, place] - fitted) ** 2).sum())
        factors[column] = 1 / rest if rest > 1e-12 else np.inf
    return factors


def explained(features: np.ndarray, values: np.ndarray) -> float:
    """R2 of a least-squares fit of values by features, with a constant; NaN if they do not vary."""
    centred = values - values.mean()
    total = float(centred @ centred)
    if not total > (1e-12 * np.abs(values).max()) ** 2 * len(values):
        return math.nan
    x = _standardised(features)
    rest = centred - x @ np.linalg.lstsq(x, centred, rcond=None)[0]
    return 1 - float(rest @ rest) / total


def condition_number(features: np.ndarray) -> float:
    """Largest by smallest singular value of the standardised features that vary.

    1 for uncorrelated features, infinite where one follows from others; above 30 some are nearly
    collinear (Belsley, Kuh and Welsch, *Regression Diagnostics*, 1980, chapter 3). NaN without any.
    """
    sizes = np.linalg.svd(_standardised(features), compute_uv=False)
    if not len(sizes):
        return math.nan
    return float(sizes[0] / sizes[-1]) if sizes[-1] > 1e-12 * sizes[0] else math.inf


def _standardised(features: np.ndarray) -> np.ndarray:
    """Features less their mean, of length 1, without those that do not vary."""
    centred = features - features.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    varies = size > 1e-12 * np.maximum(np.abs(features).max(axis=0), 1e-300) * len(features) ** 0.5
    return centred[:, varies] / size[varies]


def holm(p: np.ndarray) -> np.ndarray:
    """p-values adjusted for many tests (Holm 1979); NaN stays NaN and does not count."""
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(order) else []
    return adjusted


def _shares(scores: np.ndarray) -> np.ndarray:
    """How much of each thing is within each depth, shape (n depths, n things)."""
    scores = np.asarray(scores, dtype=float)
    first = stats.rankdata(-scores, method="min")
    size = stats.rankdata(-scores, method="max") - first + 1
    depths = np.arange(1, len(scores) + 1)[:, None]
    return np.clip((depths - first + 1) / size, 0, 1)
