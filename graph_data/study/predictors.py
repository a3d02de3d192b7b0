"""What may predict accuracy: a registry of sets of metrics, and their values network by network."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

import metrics
import ramanujan
from graph_data import measured
from graph_data.measured import TOPOMETRICS as OF_GRAPHS
from graph_data.normalisation import normalise
from graph_data.tables import TableError
from graph_encoding import ENCODINGS
from metrics.registry import Column, columns_of
from runs.measures import MEASURES

RUN = list(measured.RUN)

MULTIPARTITE = "unrolled"
BIPARTITE = ("rolled", "rolled-channel")
PAPER = (MULTIPARTITE, *BIPARTITE)
"""The paper's encodings, which its claims compare. Own results may hold others."""

DENSITY, SPARSITY = "density", "sparsity"

GROUPS = {group: columns for group, columns in metrics.GROUPS.items() if group != "Size"}
TOPOMETRICS = tuple(column for columns in GROUPS.values() for column in columns)
RAMANUJAN = tuple(ramanujan.GROUPS[ramanujan.GROUP])
"""As the paper applies them: those of the original authors have a group of their own."""

NOT_BIPARTITE = {column.name for column in columns_of(metrics.METRICS) if not column.bipartite}
SIZE = list(measured.SIZE)


class Predictor(NamedTuple):
    """A set of metrics.

    Attributes
    ----------
    encoding, measure : str
        Of which graphs, and which of `runs.measures.MEASURES`.
    columns : tuple of str
    beside : str, optional
        Of what predictor the columns are added to the own ones. Such a set is used on the networks
        that have it, and leaves the comparisons of the others as they are.
    """

    encoding: str
    measure: str
    columns: tuple[str, ...]
    beside: str | None = None


def registry() -> dict[str, Predictor]:
    """All predictors by name; those of the paper first.

    A set of metrics that `MEASURES` has beside the paper's stands beside the topometrics of every
    encoding, as ``unrolled + extended``.
    """
    encodings = [*PAPER, *(name for name in ENCODINGS if name not in PAPER)]
    found = {name: Predictor(name, OF_GRAPHS, _of_graphs(name, OF_GRAPHS)) for name in encodings}
    found[measured.RAMANUJAN] = Predictor(measured.BIPARTITE, measured.RAMANUJAN, RAMANUJAN)
    found[DENSITY] = Predictor(measured.BIPARTITE, measured.RAMANUJAN, ("layer_density",))
    for table, (measure, encoding) in measured.further().items():
        found[table] = Predictor(encoding, measure, _of_graphs(encoding, measure), encoding)
    return found


def features(
    folder: str | Path, tables: dict[str, pd.DataFrame], aggregation: str
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Values of every predictor by run.

    Parameters
    ----------
    folder : str or Path
        For messages.
    tables : dict of str to pandas.DataFrame
        From `measured.read_all` or `released.read_all`.
    aggregation : {"mean", "weighted"}
        How layers become one number, of Ramanujan metrics and densities.

    Returns
    -------
    compared, further : dict of str to pandas.DataFrame
        By name; ``further`` are those that stand beside another, without its columns.

    Raises
    ------
    TableError
        If layers are to be weighted and lack their numbers of parameters.
    """
    compared, further = {}, {}
    for name, predictor in registry().items():
        table = tables.get(measured.table_name(predictor.measure, predictor.encoding))
        if table is None or (predictor.beside and predictor.beside not in compared):
            continue
        if predictor.measure == measured.RAMANUJAN:
            compared[name] = _of_layers(folder, table, predictor.columns, aggregation)
        elif predictor.beside:
            size = tables[measured.table_name(OF_GRAPHS, predictor.encoding)]
            further[name] = _normalised(table, size, predictor)
        else:
            compared[name] = _normalised(table, table, predictor)
    return compared, further


def group_of(metric: str) -> str:
    """The paper's group of a topometric."""
    return next(group for group, columns in GROUPS.items() if metric in columns)


def _of_graphs(encoding: str, measure: str) -> tuple[str, ...]:
    """The metrics of a measure that say something of an encoding's graphs, topometrics once."""
    known = {*SIZE, *(TOPOMETRICS if measure != OF_GRAPHS else ())}
    return tuple(
        column.name
        for column in _columns(measure)
        if column.name not in known and (column.bipartite or not ENCODINGS[encoding].bipartite)
    )


def _columns(measure: str) -> tuple[Column, ...]:
    return columns_of(MEASURES[measure].metrics)


def _normalised(table: pd.DataFrame, size: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """Metrics by run, by the size of the graphs; of the mean over layers for bipartite graphs."""
    known = [name for name in predictor.columns if name in table]
    sizes = size.groupby(RUN, sort=True)[SIZE].mean()
    raw = sizes.join(table.groupby(RUN, sort=True)[known].mean())
    divisors = {c.name: c.divisor for c in _columns(predictor.measure) if c.divisor}
    return normalise(raw, divisors).reindex(columns=list(predictor.columns))


def _of_layers(
    folder: str | Path, table: pd.DataFrame, names: tuple[str, ...], aggregation: str
) -> pd.DataFrame:
    """Metrics by run, aggregated over the layers where they are defined."""
    weighted = aggregation == "weighted"
    if weighted and table["no_params"].isna().any():
        raise TableError(
            f"{folder}: not every layer has no_params, by which --aggregation weighted weights: "
            "--aggregation mean needs none"
        )
    weights = table["no_params"] if weighted else 1.0
    values = table.reindex(columns=list(names))
    keys = [table[name] for name in RUN]
    known = values.notna().mul(weights, axis=0).groupby(keys, sort=True).sum()
    return values.mul(weights, axis=0).groupby(keys, sort=True).sum(min_count=1) / known
