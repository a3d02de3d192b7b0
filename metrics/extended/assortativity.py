"""Assortativity: whether nodes of many edges are joined to nodes of many edges."""

from __future__ import annotations

from math import sqrt

import numpy as np

from graph_encoding import Graph
from graph_encoding.products.sparse import AdjacencyProduct

from ..ways import exact_dot


def assortativity(graph: Graph) -> dict[str, float | None]:
    """Correlation of the degrees at the two ends of an edge.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``assortativity``: of the undirected degrees, every edge taken both ways.
        ``assortativity_directed``: of the out-degree where an edge starts and the in-degree where
        it ends. The released CSVs of bipartite graphs have this one: there the undirected one
        mostly tells that one side has fewer nodes, and so larger degrees.
        None without an edge, or where one end has the same degree at all edges. All sums are exact
        integers.

    Notes
    -----
    Newman, "Assortative mixing in networks", Phys. Rev. Lett. 89, 2002, and "Mixing patterns in
    networks", Phys. Rev. E 67, 2003.
    """
    starts, ends, degrees = graph.out_degree, graph.in_degree, graph.degree
    return {
        "assortativity": _correlation(graph, degrees, degrees, both_ways=True),
        "assortativity_directed": _correlation(graph, starts, ends),
    }


def _correlation(
    graph: Graph, at_start: np.ndarray, at_end: np.ndarray, both_ways: bool = False
) -> float | None:
    """Correlation over the edges of a degree at the start and a degree at the end.

    Taken both ways, edges have as many starts at a node as its degree; otherwise as many starts as
    edges out of it. Each is the very degree that is summed there, so sums over edges are sums of
    powers over nodes.
    """
    ways = 2 if both_ways else 1
    product = AdjacencyProduct(graph.num_nodes, graph.blocks, weighted=False)
    joint = exact_dot(product.forward(at_start.astype(np.float64)), at_end.astype(np.float64))
    count, joint = ways * graph.num_edges, ways * joint
    start, end = _power_sum(at_start, 2), _power_sum(at_end, 2)
    spread = (count * _power_sum(at_start, 3) - start**2) * (count * _power_sum(at_end, 3) - end**2)
    return (count * joint - start * end) / sqrt(spread) if spread else None


def _power_sum(values: np.ndarray, power: int) -> int:
    """Sum of the powers of small integers, exact at any size."""
    found, counts = np.unique(values, return_counts=True)
    return sum(n * v**power for v, n in zip(found.tolist(), counts.tolist(), strict=True))
