"""Density: how many of all pairs of nodes are joined."""

from __future__ import annotations

from graph_encoding import Graph


def density(graph: Graph) -> dict[str, float | None]:
    """``density``: edges over pairs of nodes, of the undirected simple graph.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        The denominator has *all* pairs of nodes, N (N - 1) / 2, and not those alone that a network
        could join: so networkx, igraph and the released CSVs have it. None below two nodes.
    """
    pairs = graph.num_nodes * (graph.num_nodes - 1) // 2
    return {"density": graph.num_edges / pairs if pairs else None}
