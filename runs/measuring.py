"""From graphs to rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from metrics.registry import compute

from .measures import MEASURES
from .run import Measurement

if TYPE_CHECKING:
    from graph_encoding import Graph


def measure(
    measurement: Measurement,
    graphs: Sequence[Graph],
    known: Mapping[str, object],
    *,
    threads: int = 1,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] | None = None,
) -> list[dict[str, object]]:
    """Measure the graphs of a network.

    Parameters
    ----------
    measurement : Measurement
    graphs : sequence of Graph
        From `graph_encoding.encode`.
    known : mapping
        What every row says: the configuration, achieved sparsity, accuracy.
    threads : int
        Metrics computed at the same time.
    device : str
        Where the products of multipartite graphs run.
    progress : callable, optional
        Called with what is done, all there is, and the metric or layer.

    Returns
    -------
    list of dict
        One row a graph, with the layer's columns if they are bipartite.
    """
    metrics = MEASURES[measurement.graph_metrics].metrics
    if not measurement.is_bipartite:
        (graph,) = graphs
        values = compute(metrics, graph, threads=threads, device=device, progress=progress)
        return [{**known, **values}]
    rows = []
    for number, graph in enumerate(graphs):
        if progress:
            progress(number, len(graphs), graph.layer_name)
        layer = {
            "layer_id": number,
            "layer_name": graph.layer_name,
            "layer_density": graph.layer_density,
        }
        rows.append({**known, **layer, **compute(metrics, graph, threads=threads)})
    return rows
