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

from figures.plots.correlation import plot as plot
from graph_data.markdown import markdown
from graph_data.measured import RAMANUJAN

from .claims import CLAIMS
from .intervals import interval, of_cluster_means
from .networks import CLUSTER, Networks, name_of
from .predictors import DENSITY
from .scoring import ENDS
from .statistics import holm, williams
from .validation import RESAMPLES
from .wording import DIGITS, Tables, signs, with_both, with_both_intervals

METHODS = ("pearson", "spearman")
LEAST = 4  # networks that a correlation needs


def tasks(networks: Networks, seed: int) -> list:
    """One for each model, dataset and sparsity, and one for all sparsities together."""
    runs = networks.runs
    if not {RAMANUJAN, DENSITY} <= set(networks.features):
        return []
    configurations = networks.configurations
    found = []
    for (model, dataset), group in runs.groupby(["model", "dataset"], sort=True):
        parts = [(name_of(s), part.index) for s, part in group.groupby("sparsity", sort=True)]
        for sparsity, rows in [*parts, ("all", group.index)]:
            label = {"model": model, "dataset": dataset, "sparsity": sparsity}
            found.append(
                delayed(correlate)(
                    label,
                    networks.features[RAMANUJAN].loc[rows],
                    networks.features[DENSITY]["layer_density"].loc[rows].to_numpy(),
                    runs.loc[rows, "accuracy"].to_numpy(),
                    configurations[rows],
                    [seed, len(found)],
                )
            )
    return found


def correlate(
    label: dict[str, str],
    ramanujan: pd.DataFrame,
    density: np.ndarray,
    accuracy: np.ndarray,
    groups: np.ndarray,
    seed: Sequence[int],
) -> list[tuple[dict, np.ndarray]]:
    """Correlations of one group of networks.

    Parameters
    ----------
    label : dict
        Put into every row.
    ramanujan : pandas.DataFrame, shape (n, 3)
        NaN where undefined; such networks are left out, for the density beside it too.
    density, accuracy : numpy.ndarray, shape (n,)
    groups : numpy.ndarray, shape (n,)
        Configurations: the seeds of one are drawn together.
    seed : sequence of int
        The study's seed and the number of this group of networks, so that no two groups draw alike:
        means over groups take them for independent.

    Returns
    -------
    list of (dict, numpy.ndarray)
        For each metric and method a row, and the differences from density in resamples,
        shape (RESAMPLES,).
    """
    found = []
    random = np.random.default_rng(seed)
    for metric in ramanujan:
        x = ramanujan[metric].to_numpy()
        known = ~np.isnan(x)
        n = int(known.sum())
        values = np.stack([x[known], density[known], accuracy[known]])
        times = draw(groups[known], random) if n else np.empty((RESAMPLES, 0))
        for method in METHODS:
            r, of_density, between = np.full(3, np.nan)
            sampled = np.full((2, RESAMPLES), np.nan)
            if n >= LEAST:
                r, of_density, between = three(values, np.ones((1, n)), method)[:, 0]
                sampled = three(values, times, method)[:2]
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
        groups in which the metric is better or worse (Williams' test, Holm's adjustment). The
        clustered interval is Student's of the means of models and datasets.
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
        low, high = interval(_mean_of_known(sampled[part.index]))
        clusters = part.groupby(CLUSTER, sort=True).ngroup().to_numpy()
        least, most = of_cluster_means(part["difference"].to_numpy(), clusters)
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
                "clusters": len(np.unique(clusters)),
                "cluster_low": least,
                "cluster_high": most,
                "better": int((significant & (part["difference"] > 0)).sum()),
                "worse": int((significant & (part["difference"] < 0)).sum()),
            }
        )
    return {"correlations": table, "summary": pd.DataFrame(rows)}


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the rows in each column, of those that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def text(tables: Tables) -> str:
    """Section 4.1."""
    summary = tables["summary"]
    table = summary.rename(
        columns={
            "mean_abs_r": "mean r",
            "mean_abs_density_r": "of density",
            "mean_r": "mean r, signed",
            "mean_density_r": "of density, signed",
        }
    )
    table = table.assign(difference=with_both_intervals(summary, "mean_difference"))
    shown = ["metric", "method", "scope", "groups", "mean r, signed", "of density, signed"]
    shown += ["mean r", "of density", "difference", "better", "worse"]
    return f"""## Section 4.1: Ramanujan metrics and layer density

For each model and dataset (and sparsity): modulus of the correlation with accuracy, on the
networks where the metric is defined; mean over the groups. The first interval (95 %) of the
difference is from configurations drawn with replacement, with all their seeds, within each group
and for each group by itself; the clustered one, which decides, is Student's of the means of models
and datasets, whose sparsities have much in common. `better` and `worse`: groups in which Williams'
test for dependent correlations says at 5 %, after Holm's adjustment, that the metric correlates
more or less than density (it takes networks for independent, but the seeds of one configuration are
alike: it finds too much). Intervals of single groups, in the CSV, are of configurations: a group is
of one model and dataset. The modulus forgives a metric that errs in
opposite directions in different groups; `mean r, signed` does not. The claim is that no mean
difference is above 0.

{markdown(table[shown], DIGITS)}

All groups: [correlation/correlations.csv](correlation/correlations.csv)."""


def verdict(tables: Tables) -> str:
    """Section 4.1, from ``correlation/summary.csv``."""
    claim, summary = CLAIMS["4.1"], tables["summary"]
    compared = claim.comparisons(summary)
    if not len(compared):
        return ""
    single = summary[(summary["scope"] == "one sparsity") & (summary["method"] == "pearson")]
    numbers = "; ".join(
        f"{row.metric} {row.mean_abs_r:.2f} against {row.mean_abs_density_r:.2f} (with their signs "
        f"{row.mean_r:.2f} against {row.mean_density_r:.2f}), difference "
        f"{with_both(row.mean_difference, *(getattr(row, end) for end in ENDS))}"
        for row in single[single["groups"] > 0].itertuples()
    )
    return (
        f"**{claim.text}: {claim.verdict(compared)}.** Mean modulus of Pearson's correlation with "
        f"accuracy within a sparsity, metric against density: {numbers or 'undefined'}. The "
        f"difference of means is {signs(compared)}."
    )


def draw(groups: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """How often each network is there in each resample of the groups, shape (RESAMPLES, n)."""
    _, member = np.unique(groups, return_inverse=True)
    size = member.max() + 1
    return random.multinomial(size, np.full(size, 1 / size), RESAMPLES)[:, member].astype(float)


def three(values: np.ndarray, times: np.ndarray, method: str) -> np.ndarray:
    """Correlations metric-accuracy, density-accuracy and metric-density in each resample.

    Parameters
    ----------
    values : numpy.ndarray, shape (3, n)
        Metric, density and accuracy.
    times : numpy.ndarray, shape (r, n)
        How often each network is there in each resample.
    method : str
        Of `METHODS`.

    Returns
    -------
    numpy.ndarray, shape (3, r)
        NaN where one of the two does not vary.
    """
    each = [_ranks(row, times) if method == "spearman" else _centred(row) for row in values]
    n, sums = times.sum(axis=1), [_sum(row, times) for row in each]

    def covariance(a: int, b: int) -> np.ndarray:
        return _sum(each[a] * each[b], times) / n - sums[a] * sums[b] / n**2

    variances = [covariance(a, a) for a in range(3)]
    varies = [var > 1e-12 * np.abs(row).max() ** 2 for var, row in zip(variances, each)]
    found = np.full((3, len(n)), np.nan)
    for r, (a, b) in zip(found, ((0, 2), (1, 2), (0, 1))):
        np.sqrt(variances[a] * variances[b], out=r, where=varies[a] & varies[b])
        np.divide(covariance(a, b), r, out=r)
    return found


def _ranks(x: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean rank of each network in each resample, less one half."""
    below = (x[:, None] < x) + 0.5 * (x[:, None] == x)
    return times @ below


def _centred(x: np.ndarray) -> np.ndarray:
    """Deviations from the mean of all; exactly 0 where all are equal."""
    varies = np.ptp(x) > 1e-12 * np.abs(x).max()
    return x - x.mean() if varies else np.zeros(len(x))


def _sum(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Sum over each resample of values that are the same in all, or each resample's own."""
    return times @ values if values.ndim == 1 else np.einsum("rn,rn->r", times, values)
