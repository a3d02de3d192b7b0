"""What do metrics add that are none of the paper's? (own results only)

Every set of metrics that `runs.measures.MEASURES` has beside the paper's, together with the
topometrics of its encoding, on the networks that have both. How much of it topometrics say already
stands beside it: the share of each metric's variance that they explain, and the condition number of
all together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed

from graph_data.markdown import markdown

from .added import design
from .claims import EACH, NOTHING
from .networks import Networks
from .predictors import registry
from .scoring import ENDS, Scored, differences, evaluate
from .statistics import condition_number, explained
from .validation import folds
from .wording import BOTH, DIGITS, Tables, with_both_intervals


def tasks(networks: Networks, seed: int) -> list:
    """For each set, with nothing known and with data set, model and sparsity: alone, the
    topometrics alone, and both; and the collinearity."""
    found = []
    for name, own in networks.further.items():
        beside = registry()[name].beside
        if beside not in networks.features:
            continue
        known = own.notna().all(axis=1) & networks.features[beside].notna().all(axis=1)
        part = networks.take(known)
        base, own = part.features[beside], part.further[name]
        groups = part.configurations
        splits = folds(groups, seed) if len(groups) else []
        if not splits:
            continue
        found.append(delayed(collinearity)(name, base, own))
        rest = (part.runs["drop"].to_numpy(), groups, part.clusters, splits, seed)
        for told in (NOTHING, EACH):
            for predictor, tables in ((beside, [base]), (name, [base, own])):
                x = np.hstack([design(part.runs, told), *(t.to_numpy() for t in tables)])
                label = {"set": name, "known": told, "predictor": predictor, "level": "joint"}
                found.append(delayed(evaluate)(label, x, *rest))
    return found


def collinearity(name: str, base: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """How much of each metric the topometrics say already.

    Parameters
    ----------
    name : str
        Of the set.
    base, own : pandas.DataFrame, shape (n, k)
        Topometrics; the other metrics of the same networks.

    Returns
    -------
    pandas.DataFrame
        One row a metric: ``explained``, R2 of its fit by the topometrics (NaN if it does not
        vary), and the condition number of the standardised topometrics, and of all together.
    """
    x, y = base.to_numpy(), own.to_numpy()
    return pd.DataFrame(
        {
            "set": name,
            "metric": own.columns,
            "explained": [explained(x, column) for column in y.T],
            "condition_of_topometrics": condition_number(x),
            "condition_of_all": condition_number(np.hstack([x, y])),
        }
    )


def collect(results: Sequence[list[Scored] | pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``scores``; ``gains``: R2 of both less R2 of the topometrics; ``collinearity``.
    """
    collinear = [result for result in results if isinstance(result, pd.DataFrame)]
    scored = [pair for result in results if isinstance(result, list) for pair in result]
    keys = ["set", "known", "estimator"]
    names = list(dict.fromkeys(row["set"] for row, _ in scored))
    gains = [differences(scored, keys, name) for name in names]
    columns = [*keys, "than", "clusters", "gain", *ENDS]
    return {
        "scores": pd.DataFrame([row for row, _ in scored]).drop(columns="level"),
        "gains": pd.concat(gains).rename(columns={"difference": "gain"})[columns],
        "collinearity": pd.concat(collinear, ignore_index=True),
    }


def text(tables: Tables) -> str:
    """What further metrics add."""
    gains = tables["gains"].assign(gain=with_both_intervals(tables["gains"], "gain"))
    networks = tables["scores"].groupby("set", sort=False)["networks"].first()
    counts = ", ".join(f"{name}: {count}" for name, count in networks.items())
    return f"""## What metrics beside the paper's add

R2 (on configurations not seen) of topometrics and the other metrics together less R2 of the
topometrics alone, with nothing else known and with data set, model and sparsity, on the networks
that have all ({counts}). {BOTH}

{markdown(gains[["set", "known", "estimator", "gain"]])}

Where topometrics explain nearly all of a metric (`explained`: R2 of its fit by them), it can say
little that is new, and coefficients are shared at will; a condition number (standardised metrics)
above 30 means that some are nearly collinear:

{markdown(tables["collinearity"], DIGITS)}

All scores: [further/scores.csv](further/scores.csv), [further/gains.csv](further/gains.csv),
[further/collinearity.csv](further/collinearity.csv)."""
