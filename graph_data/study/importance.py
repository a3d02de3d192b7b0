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

from .estimators import ols, ridge, trees
from .networks import Networks, group_of
from .statistics import variance_inflation
from .validation import folds, interval

REPEATS = 4
PERMUTATIONS = 10
PREDICTOR = "unrolled"
AGREEMENT = ["kind", "method", "first", "second", "spearman", "common_of_five"]
METHODS = (
    "ols coefficient",
    "ridge coefficient",
    "ridge permutation",
    "trees permutation",
    "trees shapley",
)


def tasks(networks: Networks, seed: int) -> list:
    """One for each stratum and repeat, and one for each stratum's collinearity."""
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
        ``repeatability``: the same between the even and odd folds of one stratum, mean over the
        strata of a kind. ``collinearity``. Nothing if there is one configuration only.
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
    return {
        "importance": table,
        "agreement": agreement(table),
        "repeatability": repeatability(measured),
        "collinearity": collinear.reset_index(drop=True),
    }


def agreement(importance: pd.DataFrame) -> pd.DataFrame:
    """How alike importance is between the strata of one kind, pair by pair.

    Parameters
    ----------
    importance : pandas.DataFrame
        From `collect`.

    Returns
    -------
    pandas.DataFrame
        For each kind, method and pair of strata: Spearman correlation of the moduli of importance,
        and the number of metrics that are among the first five in both.
    """
    rows = []
    for (kind, method), part in importance.groupby(["kind", "method"], sort=False):
        wide = part.pivot(index="metric", columns="stratum", values="importance").abs()
        strata = list(wide)
        for i, first in enumerate(strata):
            for second in strata[i + 1 :]:
                top = [set(wide[s].nlargest(5).index) for s in (first, second)]
                rows.append(
                    {
                        "kind": kind,
                        "method": method,
                        "first": first,
                        "second": second,
                        "spearman": _spearman(wide[first], wide[second]),
                        "common_of_five": len(top[0] & top[1]),
                    }
                )
    return pd.DataFrame(rows, columns=AGREEMENT)


def repeatability(measured: pd.DataFrame) -> pd.DataFrame:
    """How alike importance is between halves of the folds of one and the same stratum.

    Parameters
    ----------
    measured : pandas.DataFrame
        Columns kind, stratum, method, metric, fold, value: one row a fold and repeat.

    Returns
    -------
    pandas.DataFrame
        For each kind and method: Spearman correlation of the moduli of importance between the even
        and the odd folds, mean over the strata. The halves have most training networks in common,
        so this is what little difference the choice of networks alone makes.
    """
    half = measured.assign(half=measured["fold"] % 2)
    keys = ["kind", "stratum", "method"]
    means = (
        half.groupby([*keys, "metric", "half"], sort=False)["value"].mean().unstack("half").abs()
    )
    if means.shape[1] < 2:
        return pd.DataFrame(columns=["kind", "method", "spearman"])
    r = means.groupby(keys, sort=False).apply(lambda part: _spearman(part[0], part[1]))
    return r.groupby(["kind", "method"], sort=False).mean().rename("spearman").reset_index()


def _spearman(first: pd.Series, second: pd.Series) -> float:
    """Spearman correlation; NaN where one of them does not vary."""
    if first.nunique() < 2 or second.nunique() < 2:
        return np.nan
    return first.corr(second, method="spearman")
