"""The paper's own statistics, beside which the other sections stand (section 4.2).

Adjusted R2 of ordinary least squares, fitted to the networks that it is computed on, by encoding
and sparsity; and the strongest metrics by sparsity and by model. Agreement of rankings is in
`ranking`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed

from graph_data.markdown import markdown

from .estimators import ols
from .networks import Networks
from .predictors import MULTIPARTITE, SPARSITY
from .validation import adjusted, r2
from .wording import DIGITS, Tables

KINDS = ("overall", "sparsity", "model")
SHOWN = 3  # metrics of a stratum


def tasks(networks: Networks, seed: int) -> list:
    """One for each stratum."""
    networks = networks.complete()
    found = []
    for kind, name, members in networks.strata:
        if kind in KINDS:
            part = networks.take(members)
            features = {k: table for k, table in part.features.items() if k != SPARSITY}
            label = {"kind": kind, "stratum": name}
            found.append(delayed(fit)(label, features, part.runs["drop"].to_numpy()))
    return found


def fit(
    label: dict[str, str], features: dict[str, pd.DataFrame], y: np.ndarray
) -> tuple[list[dict], list[dict]]:
    """The statistics of one stratum.

    Parameters
    ----------
    label : dict
        Put into every row.
    features : dict of str to pandas.DataFrame
        Metrics of each predictor.
    y : numpy.ndarray, shape (n,)
        Accuracy drop.

    Returns
    -------
    fits, metrics : list of dict
        One row a predictor: R2 of the fit and adjusted R2, NaN where there are no more networks
        than metrics. One row a metric of the unrolled graph: its standardised coefficient by the
        standard deviation of the drop, and Pearson's correlation with the drop; NaN where it, or
        the drop, does not vary.
    """
    fits, metrics = [], []
    for predictor, table in features.items():
        x = table.to_numpy()
        varies = np.ptp(x, axis=0) > 0
        k = int(varies.sum())
        model = ols(x, y, np.arange(len(y)), 0)
        score = r2(y, model.predict(x))
        row = {**label, "predictor": predictor, "networks": len(y), "metrics": k, "r2": score}
        fits.append(row | {"adjusted_r2": adjusted(score, len(y), k)})
        if predictor != MULTIPARTITE:
            continue
        for place, name in enumerate(table):
            known = varies[place] and np.ptp(y) > 0
            beta = model[-1].coef_[place] / y.std() if known else np.nan
            r = float(np.corrcoef(x[:, place], y)[0, 1]) if known else np.nan
            metrics.append({**label, "metric": name, "coefficient": beta, "pearson": r})
    return fits, metrics


def collect(results: Sequence[tuple[list[dict], list[dict]]]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``fits`` and ``metrics``, as `fit` gives them; those without rows are left out.
    """
    found = {
        name: pd.DataFrame([row for result in results for row in result[place]])
        for place, name in enumerate(("fits", "metrics"))
    }
    return {name: table for name, table in found.items() if len(table)}


def text(tables: Tables) -> str:
    """The paper's statistics."""
    fits = tables["fits"]
    fits = fits[fits["kind"] != "model"]
    wide = fits.pivot_table(
        index="predictor", columns="stratum", values="adjusted_r2", sort=False
    ).reset_index()
    said = f"""## The paper's own statistics (section 4.2)

Adjusted R2 of ordinary least squares by sparsity and over all, of the fit to the networks that it
is fitted to, on those that have every predictor. It has no interval, and knows no network that was
not seen, nor what else tells accuracies apart: the sections below have these.

{markdown(wide, DIGITS)}"""
    if "metrics" in tables:
        said += f"""

Strongest unrolled topometrics by sparsity and by model: the {SHOWN} with the largest modulus of the
standardised coefficient in that fit, which correlated metrics share arbitrarily, and those with the
largest modulus of Pearson's correlation with the drop:

{markdown(_strongest(tables["metrics"]))}"""
    return (
        f"{said}\n\nAll of it: "
        + ", ".join(f"[paper/{name}.csv](paper/{name}.csv)" for name in tables)
        + "."
    )


def _strongest(table: pd.DataFrame) -> pd.DataFrame:
    """The first metrics of each stratum by either measure."""
    rows = []
    for (kind, stratum), part in table.groupby(["kind", "stratum"], sort=False):
        row = {"kind": kind, "stratum": stratum}
        for measure in ("coefficient", "pearson"):
            order = part[measure].abs().sort_values(ascending=False, kind="stable").dropna().index
            top = part.loc[order[:SHOWN]]
            row[measure] = ", ".join(
                f"{name} {value:+.2f}" for name, value in top[["metric", measure]].to_numpy()
            )
        rows.append(row)
    return pd.DataFrame(rows)
