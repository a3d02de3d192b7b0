"""How much of the accuracy drop there is to predict: its variance beyond that between seeds."""

from __future__ import annotations

import numpy as np
from scipy import stats

from .intervals import INTERVAL


def ceiling(label: dict[str, str], y: np.ndarray, groups: np.ndarray) -> dict[str, object]:
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

    Returns
    -------
    dict
        ``ceiling``: its estimate from analysis of variance, 0 or less where configurations differ
        no more than seeds do; ``low``, ``high``: its interval (95 %, exact for normal drops and
        equally many seeds). NaN where no group has two networks, there is one group only, or y
        does not vary. After Searle, Casella and McCulloch, "Variance Components" (Wiley 1992),
        section 3.6.
    """
    _, member, count = np.unique(groups, return_inverse=True, return_counts=True)
    n, a = len(y), len(count)
    row = {**label, "networks": n, "configurations": a}
    if a < 2 or n == a or np.ptp(y) == 0:
        return row | dict.fromkeys(("ceiling", "low", "high"), np.nan)
    means = np.bincount(member, y) / count
    within = float(((y - means[member]) ** 2).sum()) / (n - a)
    between = float((count * (means - y.mean()) ** 2).sum()) / (a - 1)
    seeds = (n - (count**2).sum() / n) / (a - 1)
    ratio = between / within if within > 0 else np.inf
    bounds = ratio / stats.f.ppf(np.array(INTERVAL[::-1]) / 100, a - 1, n - a)
    estimate, low, high = (_share(value, seeds) for value in (ratio, *bounds))
    return row | {"ceiling": estimate, "low": low, "high": high}


def _share(ratio: float, seeds: float) -> float:
    """Intraclass correlation from the ratio of mean squares."""
    return float((ratio - 1) / (ratio + seeds - 1)) if np.isfinite(ratio) else 1.0
