"""What is to be known of a metric and of the columns that it fills; how metrics are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from graph_encoding import Graph
    from system.bars import Progress

Value = int | float | None

SHARE_OF_MEMORY = 0.8
"""Of what is free, what metrics that are computed at the same time may take together."""

Values = dict[str, Value]
"""Of a graph, by column. pandas takes one as a Series, and a list of them as a DataFrame."""

GRAPH_NAME = "layer_name"
"""What tells the graphs of a list apart, as in result files."""


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
    held : int
        Bytes a node that it holds at most, about; of a large graph.
    """

    group: str
    where: str
    columns: tuple[Column, ...]
    held: int = 50

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


def compute(
    metrics: Sequence[Metric],
    graph: Graph,
    *,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Value]:
    """Compute metrics of a graph, at the same time those that fit into the memory together.

    Parameters
    ----------
    metrics : sequence of Metric
        Those that hold most are begun first, and of these the last: they take longest.
    graph : Graph
    threads : int, optional
        Metrics computed at the same time, as far as the memory goes; one by default. The values do
        not depend on it.
    device : str
        Where the products behind the spectra run: ``cpu`` or a torch device such as ``cuda``.
    progress : callable, optional
        Called with the metrics done, their number, and the column just computed.

    Returns
    -------
    dict
        Values by column name, in the order of the metrics.
    """
    from threadpoolctl import threadpool_limits

    from system import memory

    if device != graph.device:
        graph = replace(graph, device=device)
    values: dict[str, Value] = {}
    by_size = sorted(metrics, key=lambda metric: metric.held)
    waiting = [(metric, metric.function) for metric in reversed(by_size)]
    running: dict[Future, Metric] = {}
    most = threads or 1
    room = SHARE_OF_MEMORY * 1e6 * memory.available() if most > 1 else 0.0

    def fits(metric: Metric) -> bool:
        held = sum(other.held for other in running.values()) + metric.held
        return not running or held * graph.num_nodes <= room

    # BLAS sums in an order that depends on its threads; one keeps results the same everywhere.
    with threadpool_limits(1), ThreadPoolExecutor(most) as pool:
        while waiting or running:
            for metric, function in list(waiting):
                if len(running) < most and fits(metric):
                    waiting.remove((metric, function))
                    running[pool.submit(function, graph)] = metric
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                values |= future.result()
                metric = running.pop(future)
                if progress:
                    done = len(metrics) - len(waiting) - len(running)
                    progress(done, len(metrics), metric.columns[0].name)
    return {column.name: values[column.name] for column in columns_of(metrics)}


def measure(
    metrics: Sequence[Metric],
    graphs: Graph | Iterable[Graph],
    *,
    threads: int | None = None,
    device: str = "cpu",
    progress: Progress | bool | None = None,
) -> Values | list[Values | dict[str, str]]:
    """Compute metrics of a graph, or of each graph of a list, as `graph_encoding.encode` gives it.

    Parameters
    ----------
    metrics, threads, device
        As for `compute`.
    graphs : Graph or iterable of Graph
    progress : callable or bool, optional
        As for `compute`, with the metrics of all graphs together; True shows a bar.

    Returns
    -------
    dict, or list of dict
        Of a graph its values by column. Of a list a list, as long, in its order; the values of a
        bipartite graph then begin with ``layer_name``, its layer in the network.

    Raises
    ------
    TypeError
        If it is neither a graph nor a list of graphs.
    """
    from system.bars import called

    one = _is_graph(graphs)
    given = [graphs] if one else list(graphs) if isinstance(graphs, Iterable) else [graphs]
    for graph in given:
        if not _is_graph(graph):
            raise TypeError(
                "metrics are of a Graph or of a list of them, as graph_encoding.encode gives it, "
                f"and not of {type(graph if isinstance(graphs, list | tuple) else graphs).__name__}"
            )
    rows = []
    with called(progress) as call:
        for number, graph in enumerate(given):

            def told(done: int, total: int, text: str, before: int = number) -> None:
                call(before * total + done, len(given) * total, text)

            values = compute(
                metrics, graph, threads=threads, device=device, progress=told if call else None
            )
            named = not one and graph.layer_name is not None
            rows.append({GRAPH_NAME: graph.layer_name, **values} if named else values)
    return rows[0] if one else rows


def _is_graph(value: object) -> bool:
    return hasattr(value, "blocks") and hasattr(value, "layers")
