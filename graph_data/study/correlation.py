"""Section 4.1: do Ramanujan metrics say more about accuracy than the density of layers?

For each model and dataset, at each sparsity and over all of them: Pearson and Spearman correlation
of each Ramanujan metric with accuracy, beside that of the layer density on the same networks.
Compared are the moduli: a predictor that always errs in one direction is as good.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from scipy import stats

from .networks import Networks, name_of
from .statistics import holm, williams
from .validation import RESAMPLES, interval

METHODS = ("pearson", "spearman")
LEAST = 4  # networks that a correlation needs


def tasks(networks: Networks, seed: int) -> list:
    """One for each model, dataset and sparsity, and one for all sparsities together."""
    runs = networks.runs
    if "ramanujan" not in networks.features:
        return []
    found = []
    for (model, dataset), group in runs.groupby(["model", "dataset"], sort=True):
        parts = [(name_of(s), part.index) for s, part in group.groupby("sparsity", sort=True)]
        for sparsity, rows in [*parts, ("all", group.index)]:
            label = {"model": model, "dataset": dataset, "sparsity": sparsity}
            found.append(
                delayed(correlate)(
                    label,
                    networks.features["ramanujan"].loc[rows],
                    networks.features["density"]["layer_density"].loc[rows].to_numpy(),
                    runs.loc[rows, "accuracy"].to_numpy(),
                    seed,
                )
            )
    return found


def correlate(
    label: dict[str, str],
    ramanujan: pd.DataFrame,
    density: np.ndarray,
    accuracy: np.ndarray,
    seed: int,
) -> list[tuple[dict, np.ndarray]]:
    """Correlations of one group of networks.

    Parameters
    ----------
    label : dict
        Put into every row.
    ramanujan : pandas.DataFrame, shape (n, 3)
        NaN where undefined; such networks are left out, for the density beside it too.
    density, accuracy : numpy.ndarray, shape (n,)
    seed : int

    Returns
    -------
    list of (dict, numpy.ndarray)
        For each metric and method a row, and the differences from density in resamples,
        shape (RESAMPLES,).
    """
    found = []
    for metric in ramanujan:
        x = ramanujan[metric].to_numpy()
        known = ~np.isnan(x)
        n = int(known.sum())
        values = np.stack([x[known], density[known], accuracy[known]])
        draws = np.random.default_rng(seed).integers(0, max(n, 1), (RESAMPLES, n))
        for method in METHODS:
            r, of_density, between = _three(values, method) if n >= LEAST else [np.nan] * 3
            sampled = np.full((2, RESAMPLES), np.nan)
            if n >= LEAST:
                sampled = np.array(_three(values[:, draws], method)[:2])
            # Each predictor in the direction in which it correlates with accuracy in all networks:
            # moduli of the resamples would be biased upwards, most for the weaker predictor.
            difference = np.sign(r) * sampled[0] - np.sign(of_density) * sampled[1]
            t, p = williams(abs(r), abs(of_density), between * np.sign(r * of_density), n)
            low, high = interval(sampled[0])
            density_low, density_high = interval(sampled[1])
            difference_low, difference_high = interval(difference)
            row = {
                **label,
                "metric": metric,
                "method": method,
                "networks": n,
                "r": r,
                "r_low": low,
                "r_high": high,
                "density_r": of_density,
                "density_r_low": density_low,
                "density_r_high": density_high,
                "difference": abs(r) - abs(of_density),
                "difference_low": difference_low,
                "difference_high": difference_high,
                "williams_t": t,
                "williams_p": p,
            }
            found.append((row, difference))
    return found


def collect(results: Sequence[list[tuple[dict, np.ndarray]]]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Parameters
    ----------
    results : sequence
        Results of `correlate`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``correlations``: one row a group of networks, metric and method. ``summary``: means over
        the groups, with an interval for the mean difference from density and the numbers of
        groups in which the metric is better or worse (Williams' test, Holm's adjustment).
    """
    pairs = [pair for result in results for pair in result]
    table = pd.DataFrame([row for row, _ in pairs])
    sampled = np.array([difference for _, difference in pairs])
    scope = np.where(table["sparsity"] == "all", "all sparsities", "one sparsity")
    families = [table["metric"], table["method"], pd.Series(scope, name="scope")]
    table["williams_p_holm"] = table["williams_p"].groupby(families).transform(holm)
    rows = []
    for (metric, method, where), part in table.groupby(families, sort=False):
        part = part[part["difference"].notna()]
        significant = part["williams_p_holm"] < 0.05
        low, high = (
            interval(np.nanmean(sampled[part.index], axis=0)) if len(part) else (np.nan,) * 2
        )
        rows.append(
            {
                "metric": metric,
                "method": method,
                "scope": where,
                "groups": len(part),
                "mean_r": part["r"].mean(),
                "mean_density_r": part["density_r"].mean(),
                "mean_abs_r": part["r"].abs().mean(),
                "mean_abs_density_r": part["density_r"].abs().mean(),
                "mean_difference": part["difference"].mean(),
                "low": low,
                "high": high,
                "better": int((significant & (part["difference"] > 0)).sum()),
                "worse": int((significant & (part["difference"] < 0)).sum()),
            }
        )
    return {"correlations": table, "summary": pd.DataFrame(rows)}


def _three(values: np.ndarray, method: str) -> list:
    """Correlations metric-accuracy, density-accuracy and metric-density along the last axis."""
    if method == "spearman":
        values = stats.rankdata(values, axis=-1)
    x, density, accuracy = values
    return [_pearson(x, accuracy), _pearson(density, accuracy), _pearson(x, density)]


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a = _centred(a)
    b = _centred(b)
    size = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 0, (a * b).sum(axis=-1) / size, np.nan)[()]


def _centred(a: np.ndarray) -> np.ndarray:
    """Deviations from the mean; exactly 0 where all values are equal."""
    centred = a - a.mean(axis=-1, keepdims=True)
    spread = a.max(axis=-1, keepdims=True) - a.min(axis=-1, keepdims=True)
    return np.where(spread > 1e-12 * np.abs(a).max(axis=-1, keepdims=True), centred, 0.0)
