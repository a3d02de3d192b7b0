"""What is to be known of a metric and of the columns that it fills."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pkgutil import resolve_name
from typing import NamedTuple


class Column(NamedTuple):
    """A column of result files.

    Attributes
    ----------
    name : str
    meaning : str
        What it says of a network, in one line.
    formula : str
        Its definition, as in the table of `metrics/README.md`.
    divisor : {"nodes", "edges"}, optional
        What the study divides it by to compare graphs of different sizes. The divisors are those of
        the released ``graph_metrics/unrolled/unrolled.csv``: undoing them gives whole numbers for
        every count there.
    bipartite : bool
        Whether it says anything of bipartite graphs: these have no sinks by definition, say.
    weighted : bool
        Whether it depends on the weights and not on the wiring alone.
    short : str, optional
        Heading in tables with one line a layer; `name` by default.
    """

    name: str
    meaning: str
    formula: str = ""
    divisor: str | None = None
    bipartite: bool = True
    weighted: bool = False
    short: str | None = None


class Metric(NamedTuple):
    """A metric.

    Attributes
    ----------
    group : str
        Title under which its columns stand.
    where : str
        Where its function lives, so that importing a registry compiles nothing.
    columns : tuple of Column
        What it fills.
    """

    group: str
    where: str
    columns: tuple[Column, ...]

    @property
    def function(self) -> Callable:
        """The function; its module is imported when it is first asked for."""
        return resolve_name(self.where)


def columns_of(metrics: Iterable[Metric]) -> tuple[Column, ...]:
    """All columns of some metrics, in order."""
    return tuple(column for metric in metrics for column in metric.columns)


def groups_of(metrics: Iterable[Metric]) -> dict[str, list[str]]:
    """Names of the columns of some metrics by group, both in order."""
    groups: dict[str, list[str]] = {}
    for metric in metrics:
        groups.setdefault(metric.group, []).extend(column.name for column in metric.columns)
    return groups
