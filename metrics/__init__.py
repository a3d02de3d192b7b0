"""Topometrics: what the paper measures on a graph, as plain functions.

A metric is a function of a `Graph` that returns its columns. To add one, write it in a file of
its own and give it a line in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import NamedTuple

from threadpoolctl import threadpool_limits

from graph_encoding import Graph

from .cores import k_core
from .cuts import global_connectivity
from .degrees import local_connectivity
from .motifs import motifs
from .neighbourhoods import one_hop, two_hop
from .spectra import spectral_gap, spectral_radius
from .strength import strength

__all__ = ["COLUMNS", "GROUPS", "METRICS", "Metric", "topometrics"]

Value = int | float | None


class Metric(NamedTuple):
    """A metric's group in the paper, its function, and the columns that it fills."""

    group: str
    function: Callable[[Graph], dict[str, Value]]
    columns: tuple[str, ...]


def size(graph: Graph) -> dict[str, int]:
    """``nodes`` and ``edges``."""
    return {"nodes": graph.num_nodes, "edges": graph.num_edges}


METRICS: tuple[Metric, ...] = (
    Metric("Size", size, ("nodes", "edges")),
    Metric(
        "Local connectivity",
        local_connectivity,
        ("sink_nodes", "source_nodes", "disconnected_nodes", "removable_out", "removable_in"),
    ),
    Metric("Neighbourhood", one_hop, ("1-hop",)),
    Metric("Neighbourhood", two_hop, ("2-hop",)),
    Metric("Neighbourhood", motifs, ("motifs",)),
    Metric("Strength", strength, ("strength",)),
    Metric("Strength", k_core, ("k-core",)),
    Metric(
        "Global connectivity",
        global_connectivity,
        ("cut-edges", "cut-nodes", "connected_components", "avg_connected_components"),
    ),
    Metric("Expansion", spectral_gap, ("spectral-gap",)),
    Metric("Expansion", spectral_radius, ("spectral-radius",)),
)
COLUMNS = tuple(column for metric in METRICS for column in metric.columns)
GROUPS = {
    group: [column for metric in METRICS if metric.group == group for column in metric.columns]
    for group in dict.fromkeys(metric.group for metric in METRICS)
}


def topometrics(
    graph: Graph,
    *,
    threads: int | None = None,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Value]:
    """All topometrics of a graph.

    Parameters
    ----------
    graph : Graph
        From any encoding.
    threads : int, optional
        Metrics computed at the same time; one by default. The values do not depend on it.
    device : str
        Where the products behind the spectra run: ``cpu`` or a torch device such as ``cuda``.
        Both work in float64; eigenvalues agree within the tolerance of `spectra`.
    progress : callable, optional
        Called with the metrics done, their number, and the column just computed.

    Returns
    -------
    dict
        Values by column name, in the order of `COLUMNS`: exact integers for counts, floats for
        means and eigenvalues, None where a metric is undefined.

    Notes
    -----
    Cunegatti et al., "Understanding Sparse Neural Networks from their Topology via Multipartite
    Graph Representations", TMLR 2024, section 3.2.

    Examples
    --------
    >>> import graph_encoding, metrics, torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> graph, = graph_encoding.encode(network, torch.zeros(1, 4))
    >>> values = metrics.topometrics(graph)
    >>> values["edges"], values["sink_nodes"], values["strength"] > 0
    (18, 0, True)
    """
    if device != graph.device:
        graph = replace(graph, device=device)
    values: dict[str, Value] = {}
    # BLAS sums in an order that depends on its threads; one keeps results the same everywhere.
    with threadpool_limits(1), ThreadPoolExecutor(threads or 1) as pool:
        # The spectra take longest: they go first.
        pending = {pool.submit(metric.function, graph): metric for metric in METRICS[::-1]}
        for done, future in enumerate(as_completed(pending), 1):
            values |= future.result()
            if progress:
                progress(done, len(METRICS), pending[future].columns[0])
    return {column: values[column] for column in COLUMNS}
