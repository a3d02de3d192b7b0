"""Difference of bound: how far a layer's graph stays below the Ramanujan bound."""

from __future__ import annotations

from graph_encoding import Graph

from .bipartite import biadjacency, ramanujan_bound, relative_slack, without_isolated

SMALLEST_GRAPH = 4


def delta_r(graph: Graph) -> dict[str, float | None]:
    """``(ub - mu) / ub`` of the graph without its isolated nodes.

    ``mu`` is the third largest eigenvalue modulus of the unweighted adjacency matrix and
    ``ub = sqrt(d_l - 1) + sqrt(d_r - 1)``, with the mean left and right degree.

    Parameters
    ----------
    graph : Graph
        From a bipartite encoding.

    Returns
    -------
    dict
        ``delta_r``: positive for a Ramanujan graph; None below four nodes, or where
        ``ub`` is zero (all edges apart).

    Notes
    -----
    Hoang et al., "Revisiting Pruning at Initialization through the Lens of Ramanujan Graph", ICLR
    2023, section 3; relative to the bound as in Cunegatti et al., TMLR 2024.
    """
    matrix = without_isolated(biadjacency(graph))
    if sum(matrix.shape) < SMALLEST_GRAPH or ramanujan_bound(matrix) == 0:
        return {"delta_r": None}
    return {"delta_r": relative_slack(matrix)}
