"""What changes without doubtful metrics, and with the phantom nodes subtracted?

Two are faults of the released data (README, "What is known of the released code"): the motif
count is a random estimate, and wrong wiring at stride-2 layers makes sinks and sources that are not
there. And the weighted metrics are of trained weights, so that they know how training went. The
regression on all unrolled topometrics is repeated without them, on the same networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

import metrics
from metrics.registry import columns_of

from .intervals import interval
from .networks import Networks
from .regression import designs, task

PREDICTOR = "unrolled"
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
        By name, the first `AS_GIVEN`. Phantoms are subtracted only from graphs of the published
        wiring, and never below 0: in sparse networks some of them have lost their edges.
    """
    given = networks.features[PREDICTOR]
    found = {AS_GIVEN: given, "without motifs": given.drop(columns="motifs", errors="ignore")}
    if networks.wiring == "published":
        corrected = subtract_phantoms(networks)
        found["phantoms subtracted"] = corrected
        found["without motifs, phantoms subtracted"] = corrected.drop(
            columns="motifs", errors="ignore"
        )
    found["without weighted metrics"] = given.drop(columns=WEIGHTED, errors="ignore")
    return found


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


def collect(results: Sequence[list[tuple[dict, np.ndarray]]]) -> dict[str, pd.DataFrame]:
    """Table from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``scores``: one row a variant, stratum and estimator; ``change`` is R2 minus that of the
        values as given, with its interval.
    """
    pairs = [pair for result in results for pair in result]
    table = pd.DataFrame([row for row, _ in pairs])
    keys = ["kind", "stratum", "estimator"]
    given = table[table["variant"] == AS_GIVEN].reset_index().set_index(keys)["index"]
    changes = []
    for index, key in zip(table.index, table[keys].itertuples(index=False)):
        first = given[tuple(key)]
        low, high = interval(pairs[index][1] - pairs[first][1])
        difference = table.at[index, "r2"] - table.at[first, "r2"]
        changes.append({"change": difference, "change_low": low, "change_high": high})
    return {"scores": table.join(pd.DataFrame(changes))}
