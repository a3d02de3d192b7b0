"""Section 4.2.2: which topometrics carry the prediction, at each sparsity and for each model?

Standardised coefficients, permutation importance and Shapley values, over the folds of repeated
grouped cross-validation. The metrics are strongly correlated, so that several may carry the same
information and importance is shared among them at will: the variance inflation factor and the
closest other metric stand beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from sklearn.base import RegressorMixin

from figures.plots.importance import plot as plot
from figures.style import matplotlib
from graph_data.markdown import markdown

from . import agreement
from .claims import CLAIMS
from .estimators import ols, ridge, trees
from .intervals import LEAST_CLUSTERS, interval
from .networks import Networks
from .predictors import MULTIPARTITE, group_of
from .statistics import variance_inflation
from .validation import folds
from .wording import DIGITS, Tables, signs, with_interval, with_intervals

REPEATS = 4
SPLITS = 4  # of a stratum's configurations into halves
PERMUTATIONS = 10
PREDICTOR = MULTIPARTITE
CONFIGURATIONS, CLUSTERS = agreement.UNITS
METHODS = (
    "ols coefficient",
    "ridge coefficient",
    "ridge permutation",
    "trees permutation",
    "trees shapley",
)
SHOWN_METHODS = ("trees permutation", "trees shapley")  # in the verdict


def tasks(networks: Networks, seed: int) -> list:
    """For each stratum one for each repeat, for each split into halves, and for collinearity."""
    if PREDICTOR not in networks.features:
        return []
    networks = networks.complete([PREDICTOR])
    found = []
    for kind, name, members in networks.strata:
        part = networks.take(members)
        x, y, groups = part.features[PREDICTOR], part.runs["drop"].to_numpy(), part.configurations
        label = {"kind": kind, "stratum": name}
        found.append(delayed(collinearity)(label, x))
        for repeat in range(REPEATS):
            splits = folds(groups, seed + repeat)
            if splits:
                found.append(delayed(measure)(label, x, y, groups, splits, seed + repeat))
        for unit, parts in ((CONFIGURATIONS, groups), (CLUSTERS, part.clusters)):
            # Half a stratum has two configurations or more, for its folds.
            enough = len(np.unique(parts)) >= (4 if unit == CONFIGURATIONS else 2)
            if unit == CLUSTERS:
                enough &= len(np.unique(networks.clusters)) >= LEAST_CLUSTERS
            for split in range(SPLITS) if enough else ():
                found.append(delayed(halve)(label, x, y, groups, parts, unit, seed + split))
    return found


def measure(
    label: dict[str, str],
    x: pd.DataFrame,
    y: np.ndarray,
    groups: np.ndarray,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    seed: int,
) -> tuple[str, pd.DataFrame]:
    """Importance of each metric in each fold.

    Parameters
    ----------
    label : dict
        Put into every row.
    x : pandas.DataFrame, shape (n, k)
    y : numpy.ndarray, shape (n,)
    groups : numpy.ndarray, shape (n,)
        Configurations.
    splits : sequence of (numpy.ndarray, numpy.ndarray)
    seed : int

    Returns
    -------
    str, pandas.DataFrame
        ``"importance"``, and one row a fold, metric and method. Coefficients are those of
        standardised metrics on the standardised drop (training part of the fold). Permutation
        importance is the mean squared error gained when a metric is permuted, by the variance of
        the drop of all these networks: in the mean over the folds the loss of R2. (By the variance
        of the fold's own, one fold of nearly equal drops would decide the mean.) Shapley importance
        is the mean modulus of a metric's Shapley values by the standard deviation of the drop of
        all. Both are on the test part.
    """
    rows = []
    values = x.to_numpy()
    deviation = _deviation(y)
    for fold, (train, test) in enumerate(splits):
        measured = {}
        fitted = {
            name: fit(values[train], y[train], groups[train], seed)
            for name, fit in (("ols", ols), ("ridge", ridge), ("trees", trees))
        }
        for name in ("ols", "ridge"):
            measured[f"{name} coefficient"] = fitted[name][-1].coef_ / _deviation(y[train])
        for name in ("ridge", "trees"):
            gained = permuted(fitted[name], values[test], y[test], seed)
            measured[f"{name} permutation"] = gained / deviation**2
        measured["trees shapley"] = shapley(fitted["trees"], values[test]) / deviation
        rows += [
            {**label, "method": method, "metric": metric, "fold": fold, "value": value}
            for method in METHODS
            for metric, value in zip(x.columns, measured[method])
        ]
    return "importance", pd.DataFrame(rows)


def halve(
    label: dict[str, str],
    x: pd.DataFrame,
    y: np.ndarray,
    groups: np.ndarray,
    parts: np.ndarray,
    unit: str,
    seed: int,
) -> tuple[str, pd.DataFrame]:
    """Importance of each metric in two halves that have no configuration, or cluster, in common.

    Parameters
    ----------
    label, x, y
        As for `measure`.
    groups : numpy.ndarray, shape (n,)
        Configurations, four or more.
    parts : numpy.ndarray, shape (n,)
        What is parted: configurations, or clusters of them.
    unit : str
        What these are.
    seed : int

    Returns
    -------
    str, pandas.DataFrame
        ``"halves"``, and one row a half, metric and method: the mean over the folds of the half.
    """
    names = np.random.default_rng(seed).permutation(np.unique(parts))
    first = np.isin(parts, names[: len(names) // 2])
    found = []
    for half, members in enumerate((first, ~first)):
        splits = folds(groups[members], seed)
        if not splits:
            return "halves", pd.DataFrame()
        _, table = measure(label, x[members], y[members], groups[members], splits, seed)
        keys = [*label, "method", "metric"]
        means = table.groupby(keys, sort=False)["value"].mean().reset_index()
        found.append(means.assign(unit=unit, split=seed, half=half))
    return "halves", pd.concat(found, ignore_index=True)


def _deviation(y: np.ndarray) -> float:
    """Standard deviation; 1 where y does not vary, so that nothing is divided by its rounding."""
    return float(y.std()) if np.ptp(y) > 0 else 1.0


def permuted(model: RegressorMixin, values: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Mean squared error gained when a metric is permuted, for each (Breiman, "Random forests",
    Machine Learning 45, 2001); all `PERMUTATIONS` of a metric are predicted at once, which takes a
    fifth of the time of scikit-learn's function."""
    random = np.random.default_rng(seed)
    error = ((y - model.predict(values)) ** 2).mean()
    gained = np.empty(values.shape[1])
    for column in range(values.shape[1]):
        shuffled = np.tile(values, (PERMUTATIONS, 1))
        each = np.tile(values[:, column], (PERMUTATIONS, 1))
        shuffled[:, column] = random.permuted(each, axis=1).ravel()
        gained[column] = ((np.tile(y, PERMUTATIONS) - model.predict(shuffled)) ** 2).mean() - error
    return gained


def shapley(model: RegressorMixin, values: np.ndarray) -> np.ndarray:
    """Mean modulus of each metric's Shapley values (Lundberg et al., "From local explanations to
    global understanding with explainable AI for trees", Nature Machine Intelligence 2, 2020)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap imports what this does not use
        matplotlib()  # which shap imports
        import shap

        explained = shap.TreeExplainer(model).shap_values(values)
    return np.abs(explained).mean(axis=0)


def collinearity(label: dict[str, str], x: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Variance inflation of each metric, and the metric that it correlates with most.

    One without another to correlate with stands beside itself, without a correlation.
    """
    values = x.to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.atleast_2d(np.corrcoef(values, rowvar=False))
    np.fill_diagonal(r, np.nan)
    closest = np.nan_to_num(np.abs(r)).argmax(axis=1)
    table = pd.DataFrame(
        {
            **label,
            "metric": x.columns,
            "variance_inflation": variance_inflation(values),
            "closest": x.columns[closest],
            "r_with_closest": r[np.arange(len(r)), closest],
        }
    )
    return "collinearity", table


def collect(results: Sequence[tuple[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``importance``: mean over folds, its interval (the middle 95 % of the folds), the share of
        folds in which the sign is that of the mean, and the rank of the modulus. ``agreement``:
        Spearman correlation of the metrics' importance between strata of one kind, pair by pair.
        ``halves``: the same between halves of the networks of two strata, and of one, that share no
        configuration, or no cluster (``unit``). ``differences``: by kind and method, what that says
        of how strata differ. ``collinearity``.
        Nothing if there is one configuration only.
    """
    if not any(name == "importance" for name, _ in results):
        return {}
    collinear = pd.concat([table for name, table in results if name == "collinearity"])
    measured = pd.concat([table for name, table in results if name == "importance"])
    keys = ["kind", "stratum", "method", "metric"]
    rows = []
    for key, part in measured.groupby(keys, sort=False):
        values = part["value"].to_numpy()
        low, high = interval(values)
        mean = float(values.mean())
        same = float((np.sign(values) == np.sign(mean)).mean())
        row = dict(zip(keys, key)) | {"group": group_of(key[-1]), "importance": mean}
        rows.append(row | {"low": low, "high": high, "same_sign": same, "folds": len(values)})
    table = pd.DataFrame(rows)
    table["rank"] = (
        table["importance"]
        .abs()
        .groupby([table[name] for name in keys[:3]])
        .rank(ascending=False, method="first", na_option="bottom")
        .astype(int)
    )
    halved = [table for name, table in results if name == "halves" and len(table)]
    halves = (
        agreement.halves(pd.concat(halved)) if halved else pd.DataFrame(columns=agreement.HALVES)
    )
    return {
        "importance": table,
        "agreement": agreement.between(table),
        "halves": halves,
        "differences": agreement.differences(halves),
        "collinearity": collinear.reset_index(drop=True),
    }


def text(tables: Tables) -> str:
    """Section 4.2.2."""
    table = tables["importance"]
    inflation = tables["collinearity"]
    overall = inflation[inflation["kind"] == "overall"]
    method = "trees permutation"
    top = table[(table["method"] == method) & (table["rank"] <= 3)]
    # A metric whose interval reaches 0 is not counted among the first three.
    top = top[top["low"] > 0]
    firsts = top.sort_values(["kind", "stratum", "rank"]).groupby(["kind", "stratum"], sort=False)
    listed = {key: ", ".join(part["metric"]) for key, part in firsts}
    alike = tables["differences"]
    common = tables["agreement"].groupby(["kind", "method"])["common_of_five"].mean()
    alike = alike.assign(
        difference=with_intervals(alike, "difference", "low", "high"),
        clustered=with_intervals(alike, "cluster_difference", "cluster_low", "cluster_high"),
    )[["kind", "method", "strata", "between", "expected", "difference", "clustered"]]
    alike = alike.join(common, on=["kind", "method"])
    tops = pd.DataFrame(
        [
            {"kind": k, "stratum": s, "of the first three, above 0": v}
            for (k, s), v in listed.items()
        ]
    )
    main = table[(table["kind"] == "overall")].assign(
        value=lambda t: with_intervals(t, "importance", "low", "high")
    )
    main = main.pivot(index="metric", columns="method", values="value")
    main = main.reindex(index=overall["metric"], columns=list(dict.fromkeys(table["method"])))
    main = main.reset_index().merge(
        overall[["metric", "variance_inflation", "closest", "r_with_closest"]], on="metric"
    )
    return f"""## Section 4.2.2: importance of the unrolled topometrics

Over the folds of 5-fold cross-validation repeated 4 times (the middle 95 % of the folds in
brackets), on the networks that have every unrolled topometric. Coefficients are of standardised
metrics on the standardised drop; permutation importance is the loss of R2: the squared error gained
on the test part by the variance of the drop in the stratum; Shapley importance the mean modulus of
the Shapley values by the standard deviation of the drop. Metrics that carry the same information
share importance arbitrarily: read a metric with a variance inflation far above 10 together with the
closest other one, and its coefficient not at all.

All networks:

{markdown(main, DIGITS)}

Largest permutation importance (trees) by stratum, of the first three those whose interval is
above 0:

{markdown(tops)}

How alike importance is between strata (`between`: mean Spearman correlation between a half of the
networks of one stratum and a half of another's), and how alike it would be if the strata were
(`expected`: the geometric mean of the correlations between the halves of each, as for the
attenuation of correlations by noise). Halves share no configuration; for `clustered`, which
decides, they share no cluster either (a model and dataset): what distinguishes clusters is noise
there. The interval (95 %) of each difference is Student's, by leaving out one stratum each
(jackknife): wide where they are few, none for two. Last, how many metrics are among the first five
in both of two strata, all networks. The claim is that the differences by sparsity and by model are
below 0:

{markdown(alike, DIGITS)}

All strata: [importance/importance.csv](importance/importance.csv),
[importance/agreement.csv](importance/agreement.csv),
[importance/halves.csv](importance/halves.csv),
[importance/differences.csv](importance/differences.csv),
[importance/collinearity.csv](importance/collinearity.csv)."""


def verdict(tables: Tables) -> str:
    """Claim b, section 4.2.2, from ``importance/differences.csv`` and ``collinearity.csv``."""
    claim, inflation = CLAIMS["b"], tables["collinearity"]
    compared = claim.comparisons(tables["differences"])
    if not len(compared):
        return ""
    shown = compared[compared["method"].isin(SHOWN_METHODS)]
    said = "; ".join(
        f"{row.kind}, {row.method}: {row.between:.2f} where {row.expected:.2f} is expected, "
        f"difference {with_interval(row.difference, row.low, row.high)}, clustered "
        f"{with_interval(row.cluster_difference, row.cluster_low, row.cluster_high) or 'unknown'}"
        for row in (shown if len(shown) else compared).itertuples()
    )
    missing = [kind for kind in ("sparsity", "model") if kind not in set(compared["kind"])]
    kinds = " and by ".join(dict.fromkeys(compared["kind"]))
    few = "".join(f" Too few to tell anything by {kind}." for kind in missing)
    overall = inflation[inflation["kind"] == "overall"]
    high = int((overall["variance_inflation"] > 10).sum())
    return (
        f"**{claim.text}: {claim.verdict(compared)}.** Spearman correlation of the metrics' "
        "importance between samples of two strata, less what is expected of strata that are alike, "
        f"is {signs(compared)} (measures of importance, by {kinds}): {said}.{few} And {high} of "
        f"{len(overall)} metrics have a variance inflation above 10 over all networks: which of "
        "several correlated metrics gets the importance is partly arbitrary, and none of these "
        "numbers says that a metric causes accuracy."
    )
