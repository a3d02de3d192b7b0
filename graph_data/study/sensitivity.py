"""What changes without doubtful metrics, and with the phantom nodes subtracted?

Two are faults of the released data (graph_encoding/README.md, "What is known of the released
code"): the motif count is a random estimate, and wrong wiring at stride-2 layers makes sinks and
sources that are not there. And the weighted metrics are of trained weights, so that they know how
training went. The regression on all unrolled topometrics is repeated without them, on the same
networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

import metrics
from graph_data.markdown import markdown
from graph_encoding import PUBLISHED
from metrics.registry import columns_of

from .networks import Networks
from .predictors import MULTIPARTITE
from .regression import designs, task
from .scoring import Scored
from .wording import BOTH, DIGITS, Tables, signs, with_both_intervals

PREDICTOR = MULTIPARTITE
AS_GIVEN = "as given"
WEIGHTED = [column.name for column in columns_of(metrics.METRICS) if column.weighted]

# Sink and source nodes that the published wiring makes in the dense network.
PHANTOMS = {
    "Resnet-20": {"sink_nodes": 1504, "source_nodes": 2000},
    "Resnet-32": {"sink_nodes": 1504, "source_nodes": 2000},
    "Wide-Resnet-28-2": {"sink_nodes": 3008, "source_nodes": 4000},
}


def variants(networks: Networks) -> dict[str, pd.DataFrame]:
    """The unrolled topometrics, and how else they may be taken.

    Parameters
    ----------
    networks : Networks

    Returns
    -------
    dict of str to pandas.DataFrame
        By name, the first `AS_GIVEN`; none without any metric. Phantoms are subtracted only from
        graphs of the published wiring, and never below 0: in sparse networks some of them have lost
        their edges.
    """
    given = networks.features[PREDICTOR]
    found = {AS_GIVEN: given, "without motifs": given.drop(columns="motifs", errors="ignore")}
    if networks.wiring == PUBLISHED:
        corrected = subtract_phantoms(networks)
        found["phantoms subtracted"] = corrected
        found["without motifs, phantoms subtracted"] = corrected.drop(
            columns="motifs", errors="ignore"
        )
    found["without weighted metrics"] = given.drop(columns=WEIGHTED, errors="ignore")
    return {name: table for name, table in found.items() if len(table.columns)}


def subtract_phantoms(networks: Networks) -> pd.DataFrame:
    """Unrolled topometrics with `PHANTOMS` subtracted from sink and source nodes."""
    table = networks.features[PREDICTOR].copy()
    for column in table.columns.intersection(["sink_nodes", "source_nodes"]):
        phantoms = networks.runs["model"].map({m: n[column] for m, n in PHANTOMS.items()})
        fewer = table[column] - phantoms / networks.runs["nodes"]
        table[column] = fewer.clip(lower=0).where(phantoms.notna(), table[column])
    return table


def tasks(networks: Networks, seed: int) -> list:
    """One for each stratum and variant."""
    if PREDICTOR not in networks.features:
        return []
    networks = networks.complete()
    found = []
    for variant, table in variants(networks).items():
        changed = replace(networks, features={PREDICTOR: table})
        chosen = PREDICTOR, "joint", "all", list(table)
        found += [
            task({"variant": variant, "kind": kind, "stratum": name}, part, splits, chosen, seed)
            for kind, name, part, splits in designs(changed, seed)
        ]
    return found


def collect(results: Sequence[list[Scored]]) -> dict[str, pd.DataFrame]:
    """Table from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``scores``: one row a variant, stratum and estimator; ``change`` is R2 minus that of the
        values as given, with its intervals.
    """
    pairs = [pair for result in results for pair in result]
    table = pd.DataFrame([row for row, _ in pairs])
    keys = ["kind", "stratum", "estimator"]
    given = table[table["variant"] == AS_GIVEN].reset_index().set_index(keys)["index"]
    changes = []
    for index, key in zip(table.index, table[keys].itertuples(index=False)):
        first = given[tuple(key)]
        ends = (pairs[index][1] - pairs[first][1]).ends
        difference = table.at[index, "r2"] - table.at[first, "r2"]
        changes.append({"change": difference} | {f"change_{end}": v for end, v in ends.items()})
    return {"scores": table.join(pd.DataFrame(changes))}


def text(tables: Tables) -> str:
    """Section on the faults of the released data."""
    scores = tables["scores"]
    changed = scores[scores["variant"] != AS_GIVEN]
    wide = changed.assign(value=with_both_intervals(changed, "change", "change_")).pivot_table(
        index=["kind", "stratum", "estimator"],
        columns="variant",
        values="value",
        aggfunc="first",
        sort=False,
    )
    given = scores[scores["variant"] == AS_GIVEN].set_index(["kind", "stratum", "estimator"])["r2"]
    wide = wide.join(given.rename("R2 as given")).reset_index()
    return f"""## Sensitivity: motif estimate, phantom nodes, trained weights

The regression on all unrolled topometrics again, on the same networks and folds, without the motif
count, which is a random estimate in the released CSVs, and with the phantom sink and source nodes
of the published wiring subtracted (ResNets only). Change of R2. {BOTH}
Only the counts of sinks and sources can be corrected from the CSVs: the edges and neighbourhoods of
phantoms stay in the other metrics. The phantoms depend on the model alone where a network is not
very sparse, so they also tell predictors which model a row belongs to. The weighted metrics
(strength, spectral gap and radius) are of trained weights, so they may know how training went,
which topology at initialisation cannot.

{markdown(wide, DIGITS)}

All scores: [sensitivity/scores.csv](sensitivity/scores.csv)."""


def verdict(tables: Tables) -> str:
    """What the faults of the released data change, from ``sensitivity/scores.csv``."""
    scores = tables["scores"]
    changed = scores[(scores["variant"] != AS_GIVEN) & ~scores["kind"].str.startswith("held-out")]
    said = []
    for variant, part in changed.groupby("variant", sort=False):
        overall = part.loc[part["kind"] == "overall", "change"]
        named = part.rename(columns=lambda name: name.removeprefix("change_"))
        said.append(
            f"{variant}: {overall.min():+.3f} to {overall.max():+.3f} over all networks; by "
            f"stratum and estimator {signs(named)}"
        )
    return (
        "**What doubtful metrics change** (R2 of all unrolled topometrics, less that as given): "
        f"{'; '.join(said)}."
    )
