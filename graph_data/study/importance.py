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
from sklearn.inspection import permutation_importance

from . import agreement
from .estimators import ols, ridge, trees
from .networks import Networks, group_of
from .statistics import variance_inflation
from .validation import folds, interval

REPEATS = 4
SPLITS = 4  # of a stratum's configurations into halves
PERMUTATIONS = 10
PREDICTOR = "unrolled"
METHODS = (
    "ols coefficient",
    "ridge coefficient",
    "ridge permutation",
    "trees permutation",
    "trees shapley",
)


def tasks(networks: Networks, seed: int) -> list:
    """For each stratum one for each repeat, for each split into halves, and for collinearity."""
    if PREDICTOR not in networks.features:
        return []
    networks = networks.complete([PREDICTOR])
    found = []
    for kind, name, members in networks.strata:
        part = networks.take(members)
        x, y = part.features[PREDICTOR], part.runs["drop"].to_numpy()
        label = {"kind": kind, "stratum": name}
        found.append(delayed(collinearity)(label, x))
        for repeat in range(REPEATS):
            splits = folds(part.configurations, seed + repeat)
            if splits:
                found.append(delayed(measure)(label, x, y, splits, seed + repeat))
        for split in range(SPLITS) if len(np.unique(part.configurations)) >= 4 else ():
            found.append(delayed(halve)(label, x, y, part.configurations, seed + split))
    return found


def measure(
    label: dict[str, str],
    x: pd.DataFrame,
    y: np.ndarray,
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
    splits : sequence of (numpy.ndarray, numpy.ndarray)
    seed : int

    Returns
    -------
    str, pandas.DataFrame
        ``"importance"``, and one row a fold, metric and method. Coefficients are those of
        standardised metrics on the standardised drop (training part of the fold). Permutation
        importance is the loss of R2 when a metric is permuted, and Shapley importance the mean
        modulus of a metric's Shapley values by the standard deviation of the drop (both on the test
        part).
    """
    rows = []
    values = x.to_numpy()
    for fold, (train, test) in enumerate(splits):
        measured = {}
        linear = {
            "ols": ols().fit(values[train], y[train]),
            "ridge": ridge().fit(values[train], y[train]),
        }
        for name, model in linear.items():
            measured[f"{name} coefficient"] = model[-1].coef_ / max(y[train].std(), 1e-300)
        boosted = trees().fit(values[train], y[train])
        for name, model in (("ridge", linear["ridge"]), ("trees", boosted)):
            measured[f"{name} permutation"] = permutation_importance(
                model,
                values[test],
                y[test],
                scoring="r2",
                n_repeats=PERMUTATIONS,
                random_state=seed,
            ).importances_mean
        measured["trees shapley"] = shapley(boosted, values[test]) / max(y.std(), 1e-300)
        rows += [
            {**label, "method": method, "metric": metric, "fold": fold, "value": value}
            for method in METHODS
            for metric, value in zip(x.columns, measured[method])
        ]
    return "importance", pd.DataFrame(rows)


def halve(
    label: dict[str, str], x: pd.DataFrame, y: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[str, pd.DataFrame]:
    """Importance of each metric in two halves that have no configuration in common.

    Parameters
    ----------
    label, x, y
        As for `measure`.
    groups : numpy.ndarray, shape (n,)
        Configurations, four or more.
    seed : int

    Returns
    -------
    str, pandas.DataFrame
        ``"halves"``, and one row a half, metric and method: the mean over the folds of the half.
    """
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    first = np.isin(groups, names[: len(names) // 2])
    found = []
    for half, members in enumerate((first, ~first)):
        splits = folds(groups[members], seed)
        _, table = measure(label, x[members], y[members], splits, seed)
        keys = [*label, "method", "metric"]
        means = table.groupby(keys, sort=False)["value"].mean().reset_index()
        found.append(means.assign(split=seed, half=half))
    return "halves", pd.concat(found, ignore_index=True)


def shapley(model, values: np.ndarray) -> np.ndarray:
    """Mean modulus of each metric's Shapley values (Lundberg et al., "From local explanations to
    global understanding with explainable AI for trees", Nature Machine Intelligence 2, 2020)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap imports what this does not use
        import shap

        explained = shap.TreeExplainer(model).shap_values(values)
    return np.abs(explained).mean(axis=0)


def collinearity(label: dict[str, str], x: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Variance inflation of each metric, and the metric that it correlates with most."""
    values = x.to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.corrcoef(values, rowvar=False)
    others = np.nan_to_num(np.abs(r - np.eye(len(r))))
    closest = others.argmax(axis=1)
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
        ``halves``: the same between halves of the networks of two strata, and of one.
        ``differences``: by kind and method, what that says of how strata differ. ``collinearity``.
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
    halved = [table for name, table in results if name == "halves"]
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
