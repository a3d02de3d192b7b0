"""Strength: the weight that nodes carry."""

from __future__ import annotations

from graph_encoding import Graph


def strength(graph: Graph) -> dict[str, float | None]:
    """Mean over all nodes of the summed weight of their edges, incoming and outgoing.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``strength``, None for a graph without nodes.

    Notes
    -----
    Barrat et al., "The architecture of complex weighted networks", PNAS 2004. Every edge counts
    at both ends, hence twice the total weight over the number of nodes.
    """
    if not graph.num_nodes:
        return {"strength": None}
    total = sum(block.total_weight for block in graph.blocks)
    return {"strength": 2 * total / graph.num_nodes}
