"""Topology before and after training: which of the two predicts accuracy, and what growth changes.

Of own results with rows at epoch 0 (``--measure-every``). The same regression is made with the
topometrics of each network as it was initialised and as it ended. It is made for all networks, for
those whose masks stay and for those whose masks change while they train. And methods that differ in
what they grow, by gradient or at random, are compared graph by graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import delayed

from figures.plots.in_time import plot as plot
from graph_data.markdown import markdown
from pruning import PRUNERS

from . import intervals
from .added import design
from .claims import EACH, NOTHING
from .networks import CELL, Networks
from .predictors import MULTIPARTITE
from .scoring import ENDS, Scored, differences, evaluate
from .validation import folds
from .wording import BOTH, DIGITS, Tables, with_both_intervals, with_interval

FIRST, LAST = "at initialisation", "at the end"
ALL, STAYING, CHANGING = "all networks", "masks that stay", "masks that change"
OF_FEW = ("ridge", "trees")
"""What can learn from configurations that are hardly more than the metrics."""

SWAPS = 9_999
"""Of the two methods within pairs, besides none at all."""

GROWTH = (("itop-gradient", "itop"), ("rigl", "set"))
"""Growth by gradient, and at random. The first two are the same but for that if the training has at
most 30,000 steps."""


def tasks(networks: Networks, seed: int) -> list:
    """The regressions on the graphs of both moments, and the comparisons of growth."""
    found = []
    if MULTIPARTITE in networks.features:
        there = set(networks.runs["pruning"])
        found += [
            delayed(compared)(networks, *pair, seed) for pair in GROWTH if there.issuperset(pair)
        ]
    if MULTIPARTITE not in networks.at_first:
        return found
    for which, members in kinds(networks).items():
        part = networks.take(members)
        tables = {FIRST: part.at_first[MULTIPARTITE], LAST: part.features[MULTIPARTITE]}
        known = np.logical_and(*(table.notna().all(axis=1) for table in tables.values()))
        part = part.take(known)
        groups = part.configurations
        splits = folds(groups, seed) if len(groups) else []
        if not splits:
            continue
        rest = (part.runs["drop"].to_numpy(), groups, part.clusters, splits, seed)
        for told in (NOTHING, EACH):
            for moment, table in tables.items():
                x = np.hstack([design(part.runs, told), table[known].to_numpy()])
                label = {"networks_of": which, "known": told, "predictor": moment}
                chosen = () if which == ALL else OF_FEW
                found.append(delayed(evaluate)(label | {"level": "joint"}, x, *rest, chosen))
    return found


def kinds(networks: Networks) -> dict[str, np.ndarray]:
    """Members of all networks, and of those whose masks stay and change, by name."""
    changing = {name for name, pruner in PRUNERS.items() if pruner.change}
    changes = networks.runs["pruning"].isin(changing)
    found = {ALL: np.ones(len(changes), dtype=bool)}
    if changes.any() and not changes.all():
        found |= {STAYING: ~changes.to_numpy(), CHANGING: changes.to_numpy()}
    return found


def compared(networks: Networks, grown: str, random: str, seed: int) -> pd.DataFrame:
    """How graphs differ that one method left from those that another left of the same networks.

    Parameters
    ----------
    networks : Networks
    grown, random : str
        The pruners.
    seed : int
        Of the swaps.

    Returns
    -------
    pandas.DataFrame
        One row a topometric: mean of ``(a - b) / mean(|a|, |b|)`` over pairs of networks of one
        model, data set, sparsity and seed, and its interval (``low``, ``high``: Student's, of the
        configurations' means, wide enough to hold for all metrics at once); ``p`` of the hypothesis
        that within a pair it makes no difference which method is which, for all metrics at once.
        The same of the accuracies, for themselves. Empty where there are fewer than two
        configurations.

    Notes
    -----
    The interval is about other configurations, of which there are few. `p` is about these: methods
    are swapped within pairs at random, and the metric's |t| is compared with the largest |t| of any
    metric (Westfall and Young, "Resampling-Based Multiple Testing", 1993, section 2.6).
    """
    keys = [*CELL, "seed"]
    table = networks.features[MULTIPARTITE].assign(accuracy=networks.runs["accuracy"])
    table = pd.concat([networks.runs[[*keys, "pruning"]], table], axis=1)
    one, other = (
        table[table["pruning"] == name].set_index(keys).drop(columns="pruning")
        for name in (grown, random)
    )
    one, other = one.align(other, join="inner")
    scale = (one.abs() + other.abs()) / 2
    pairs = (one - other) / scale.mask(scale == 0, 1)
    relative = pairs.groupby(level=CELL).mean()
    if len(relative) < 2:
        return pd.DataFrame()
    rows = []
    graphs = [metric for metric in pairs if metric != "accuracy"]
    chances = {"accuracy": by_chance(pairs[["accuracy"]].to_numpy(), seed)[0]}
    chances |= dict(zip(graphs, by_chance(pairs[graphs].to_numpy(), seed), strict=True))
    for metric in relative:
        values = relative[metric].to_numpy()
        together = 1 if metric == "accuracy" else relative.shape[1] - 1
        low, high = intervals.of_mean(values, together)
        rows.append(
            {
                "grown": grown,
                "random": random,
                "metric": metric,
                "configurations": len(values),
                "pairs": len(pairs),
                "difference": values.mean(),
                "low": low,
                "high": high,
                "p": chances[metric],
            }
        )
    return pd.DataFrame(rows)


def by_chance(differences: np.ndarray, seed: int) -> np.ndarray:
    """How often swaps within pairs give a |t| as large as the true one, in any of the columns.

    Parameters
    ----------
    differences : numpy.ndarray, shape (pairs, k)
        One thing less the other; NaN counts as none.
    seed : int

    Returns
    -------
    numpy.ndarray, shape (k,)
    """
    differences = np.nan_to_num(differences)
    count = len(differences)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (SWAPS + 1, count))
    signs[0] = 1
    means = signs @ differences / count
    spread = (differences**2).mean(axis=0) - means**2  # signs leave the squares as they are
    size = np.abs(means) / np.sqrt(np.maximum(spread, 1e-300))
    size[:, ~differences.any(axis=0)] = 0
    return (size.max(axis=1)[:, None] >= size[0] * (1 - 1e-9)).mean(axis=0)


def collect(results: Sequence[list[Scored] | pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``scores``; ``differences``: R2 with the graphs of the end less R2 with those of the
        initialisation; ``growth``: from `compared`.
    """
    growth = [result for result in results if isinstance(result, pd.DataFrame) and len(result)]
    scored = [pair for result in results if isinstance(result, list) for pair in result]
    found = {}
    if scored:
        keys = ["networks_of", "known", "estimator"]
        found["scores"] = pd.DataFrame([row for row, _ in scored]).drop(columns="level")
        found["differences"] = differences(scored, keys, LAST)
    if growth:
        found["growth"] = pd.concat(growth, ignore_index=True)
    return found


def text(tables: Tables) -> str:
    """Both questions and what the data say to them."""
    parts = ["## Topology before and after training"]
    if "differences" in tables:
        parts.append(_of_moments(tables))
    if "growth" in tables:
        parts.append(_of_growth(tables["growth"]))
    listed = ", ".join(f"[in_time/{name}.csv](in_time/{name}.csv)" for name in tables)
    return "\n\n".join([*parts, f"All of it: {listed}."])


def _of_moments(tables: Tables) -> str:
    """Which moment's graphs predict better."""
    between = tables["differences"]
    wide = tables["scores"].pivot_table(
        index=["networks_of", "known", "estimator"], columns="predictor", values="r2", sort=False
    )
    name = "end less initialisation"
    between = between.assign(**{name: with_both_intervals(between, "difference")})
    said = between.set_index(["networks_of", "known", "estimator"])[name]
    return f"""Do topometrics of the multipartite graph predict accuracy better as the network is
initialised, or as it ends? R2 on configurations not seen with each, on the networks that have both,
and the difference. (Methods that start alike have the same graph at initialisation, and may be on
both sides of a split.) {BOTH} {_verdict(between)}

{markdown(wide.join(said).reset_index(), DIGITS)}"""


def _verdict(between: pd.DataFrame) -> str:
    """What the comparisons say, data set, model and sparsity being known, over all networks."""
    part = between[(between["networks_of"] == ALL) & (between["known"] == EACH)]
    ends = ENDS[2:] if part[ENDS[2]].notna().all() else ENDS[:2]
    above, below = int((part[ends[0]] > 0).sum()), int((part[ends[1]] < 0).sum())
    if above and not below:
        moment = "the end predicts better than the initialisation"
    elif below and not above:
        moment = "the initialisation predicts better than the end"
    else:
        moment = "neither moment is shown to predict better"
    few = "" if ends == ENDS[2:] else " (by configurations: clusters are too few)"
    return (
        f"With data set, model and sparsity known, {moment}: the difference is above 0 by {above} "
        f"and below by {below} of {len(part)} estimators{few}."
    )


def _of_growth(growth: pd.DataFrame) -> str:
    """Whether growth by gradient leads to other graphs than random growth."""
    said = []
    for (grown, random), part in growth.groupby(["grown", "random"], sort=False):
        graphs = part[part["metric"] != "accuracy"]
        accuracy = part[part["metric"] == "accuracy"].iloc[0]
        apart = graphs[graphs["p"] < 0.05]
        wider = int(((graphs["low"] > 0) | (graphs["high"] < 0)).sum())
        named = ", ".join(f"{row.metric} ({row.difference:+.2f})" for row in apart.itertuples())
        said.append(
            f"- `{grown}` beside `{random}` ({int(accuracy.pairs)} pairs in "
            f"{int(accuracy.configurations)} configurations): {len(apart)} of {len(graphs)} "
            f"topometrics differ in these networks{': ' + named if named else ''}; of {wider} the "
            "interval is on one side of 0. Accuracy differs by "
            f"{with_interval(accuracy.difference, accuracy.low, accuracy.high)}, "
            f"p = {accuracy.p:.2g}."
        )
    wide = growth.assign(
        pair=growth["grown"] + " less " + growth["random"],
        value=[
            f"{with_interval(*row)}, p = {p:.2g}"
            for *row, p in growth[["difference", "low", "high", "p"]].to_numpy()
        ],
    ).pivot_table(index="metric", columns="pair", values="value", aggfunc="first", sort=False)
    return f"""Does growth by gradient lead to other graphs than random growth? Differences at the
end are relative, (a - b) by the mean of |a| and |b|, of networks of one model, data set, sparsity
and seed. Pairs are those in which both trainings have ended; the others are no random sample.
Intervals are Student's, of the configurations' means, and hold for all topometrics at once with
95 %. p is of the hypothesis that within a pair it makes no difference which method is which, for
all topometrics at once.

{chr(10).join(said)}

{markdown(wide.reset_index())}"""
