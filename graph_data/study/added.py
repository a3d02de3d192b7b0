"""What does topology add to knowing data set, model and sparsity? (section 4.2.1)

Networks of different data sets have different accuracies, and metrics tell data sets, models and
sparsities apart: a predictor may know these, and no topology. So the same regression is made with
nothing known, with the data set, with data set, model and sparsity, and with the mean of their
cell, each alone and with every predictor's metrics (nested models).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed

from figures.plots.added import plot as plot
from graph_data.markdown import markdown
from graph_data.measured import ACHIEVED

from .claims import CELL, CLAIMS, DATASET, EACH, NOTHING, OTHERS
from .networks import Networks
from .predictors import MULTIPARTITE, SPARSITY
from .scoring import ENDS, Scored, differences, evaluate
from .validation import folds
from .wording import BOTH, DIGITS, Tables, signs, with_both, with_both_intervals

KNOWN = {
    NOTHING: (),
    DATASET: (["dataset"],),
    EACH: (["dataset"], ["model"], ["sparsity"]),
    CELL: (["dataset", "model", "sparsity"],),
}
"""Columns whose values, or combinations of values, are known."""

NO_METRICS = "none"
OF_MEANS = ("ols",)
"""What learns the means of many cells, which other estimators shrink or do not find."""


def tasks(networks: Networks, seed: int) -> list:
    """One for each of `KNOWN` alone, and with each predictor."""
    networks = networks.complete()
    groups = networks.configurations
    splits = folds(groups, seed)
    if not splits:
        return []
    rest = (networks.runs["drop"].to_numpy(), groups, networks.clusters, splits, seed)
    found = []
    for known in KNOWN:
        told = design(networks.runs, known)
        for predictor, columns in sets(networks).items():
            x = np.hstack([told, columns])
            if x.shape[1]:
                label = {"known": known, "predictor": predictor, "level": "joint"}
                chosen = OF_MEANS if known == CELL else ()
                found.append(delayed(evaluate)(label, x, *rest, chosen))
    return found


def sets(networks: Networks) -> dict[str, np.ndarray]:
    """No metrics, and those of each predictor; the sparsity is among what is known."""
    found = {name: table for name, table in networks.features.items() if name != SPARSITY}
    empty = np.empty((len(networks.runs), 0))
    return {NO_METRICS: empty} | {name: table.to_numpy() for name, table in found.items()}


def design(runs: pd.DataFrame, known: str) -> np.ndarray:
    """What is known of each network, as columns of a regression.

    Parameters
    ----------
    runs : pandas.DataFrame
    known : str
        Of `KNOWN`.

    Returns
    -------
    numpy.ndarray, shape (n, k)
        An indicator for each value (so that a tree finds it in one split). Where the sparsity is
        known so is what is kept in truth: the logarithm of its ratio to what the stated sparsity
        keeps.
    """
    columns = [
        pd.get_dummies(runs[names].astype(str).agg(" ".join, axis=1)) for names in KNOWN[known]
    ]
    if any("sparsity" in names for names in KNOWN[known]):
        kept = (1 - runs[ACHIEVED]) / (1 - runs["sparsity"])
        columns.append(np.log(kept).to_frame())
    return np.hstack([np.empty((len(runs), 0)), *columns]).astype(float)


def collect(results: Sequence[list[Scored]]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``scores``: one row for what is known, predictor and estimator. ``gains``: R2 with the
        predictor's metrics less R2 of what is known alone. ``differences``: R2 with unrolled
        topometrics less R2 with each other predictor's, what is known being the same.
    """
    scored = [pair for result in results for pair in result]
    keys = ["known", "estimator"]
    scores = pd.DataFrame([row for row, _ in scored])
    gains = []
    for name in scores["predictor"].unique():
        gained = differences(scored, keys, name)
        gains.append(gained[gained["than"] == NO_METRICS].assign(predictor=name))
    columns = [*keys, "predictor", "clusters", "difference", *ENDS]
    between = differences(scored, keys, MULTIPARTITE)
    return {
        # Of indicators one follows from the others: these would count it.
        "scores": scores.drop(columns=["level", "metrics", "adjusted_r2", "adjusted_r2_fit"]),
        "gains": pd.concat(gains, ignore_index=True)[columns].rename(
            columns={"difference": "gain"}
        ),
        "differences": between[between["than"] != NO_METRICS].reset_index(drop=True),
    }


def text(tables: Tables) -> str:
    """What topology adds."""
    scores, gains, between = (tables[name] for name in ("scores", "gains", "differences"))
    wide = scores.pivot_table(
        index=["known", "estimator"], columns="predictor", values="r2", sort=False
    ).reset_index()
    both = {"index": ["known", "estimator"], "aggfunc": "first", "sort": False}
    gained = gains.assign(value=with_both_intervals(gains, "gain"))
    gained = gained[gained["known"].isin([EACH, CELL])].pivot_table(
        index=["known", "estimator"],
        columns="predictor",
        values="value",
        aggfunc="first",
        sort=False,
    )
    compared = between[between["than"].isin(OTHERS)]
    compared = compared.assign(value=with_both_intervals(compared, "difference"))
    compared = compared.pivot_table(columns="than", values="value", **both)
    versus = (
        f"""

R2 with unrolled topometrics less R2 with another predictor's metrics, the same being known. The
claim is about `{EACH}`:

{markdown(compared.reset_index(), DIGITS)}"""
        if len(compared)
        else ""
    )
    return f"""## What topology adds to knowing data set, model and sparsity (section 4.2.1)

Networks of different data sets, models and sparsities have different accuracies, and every
predictor's metrics tell these apart. So R2 (on configurations not seen, as in section 4.2.1, on the
networks that have every predictor) is given with nothing known beside the metrics, with the data
set known, with data set, model and sparsity, and with the mean of their cell, which topology cannot
pass but by what differs between the pruners of a cell (by OLS only: it has an indicator for every
cell). `{NO_METRICS}` is what is known alone. The sparsity is the stated one, with the logarithm of
what was kept in truth by what it keeps.

{markdown(wide, DIGITS)}

What the metrics add to what is known (R2 with them less R2 without). {BOTH}

{markdown(gained.reset_index(), DIGITS)}{versus}

All of it: [added/scores.csv](added/scores.csv), [added/gains.csv](added/gains.csv),
[added/differences.csv](added/differences.csv)."""


def verdict(tables: Tables) -> str:
    """Claim a, section 4.2.1, from ``added/differences.csv`` and ``added/gains.csv``."""
    said = []
    for name in ("a, bipartite topometrics", "a, Ramanujan metrics"):
        claim = CLAIMS[name]
        compared = claim.comparisons(tables["differences"])
        if not len(compared):
            continue
        shown = compared[compared["estimator"].isin(["ols", "trees"])]
        numbers = "; ".join(
            f"{row.estimator} against {row.than} "
            f"{with_both(row.difference, *(getattr(row, end) for end in ENDS))}"
            for row in shown.itertuples()
        )
        than = list(dict.fromkeys(compared["than"]))
        said.append(
            f"**{claim.text}: {claim.verdict(compared)}.** R2 on configurations not seen with "
            f"unrolled topometrics less that with the other metrics, data set, model and sparsity "
            f"known to both: {numbers}. The difference is {signs(compared)}."
            f"{_plain(tables['scores'], than)}"
        )
    return "\n- ".join([*said, _gain(tables)])


def _gain(tables: Tables) -> str:
    """What each predictor's metrics add by OLS to data set, model and sparsity."""
    gains, scores = tables["gains"], tables["scores"]
    part = gains[(gains["known"] == EACH) & (gains["estimator"] == "ols")]
    alone = scores[(scores["known"] == EACH) & (scores["predictor"] == NO_METRICS)]
    alone = alone.set_index("estimator")["r2"]
    listed = ", ".join(
        f"{row.predictor} {with_both(row.gain, *(getattr(row, end) for end in ENDS))}"
        for row in part.itertuples()
    )
    return (
        "**What topology adds to data set, model and sparsity** (R2 on configurations not seen, "
        f"OLS): they alone have {alone['ols']:.2f}; to that is added by {listed}."
    )


def _plain(scores: pd.DataFrame, others: Sequence[str]) -> str:
    """R2 by OLS with nothing and with the data set known, in a sentence."""
    ols = scores[scores["estimator"] == "ols"].set_index(["known", "predictor"])["r2"]
    names = [MULTIPARTITE, *others]
    of = {
        known: ", ".join(f"{name} {ols[known, name]:.2f}" for name in names)
        for known in (NOTHING, DATASET)
        if all((known, name) in ols for name in names)
    }
    if NOTHING not in of or DATASET not in of:
        return ""
    return f" R2 by OLS with nothing known: {of[NOTHING]}; with the data set known: {of[DATASET]}."
