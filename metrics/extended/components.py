"""Components: how large the separate parts of a graph are."""

from __future__ import annotations

from graph_encoding import Graph

from ..forests import component_labels


def components(graph: Graph) -> dict[str, int]:
    """``largest_component`` and ``smallest_component``: their nodes (undirected).

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        A node without an edge is a component by itself, as in ``connected_components``.
    """
    sizes = component_labels(graph)[1].tolist()
    alone = int((graph.degree == 0).sum())
    return {
        "largest_component": max(sizes, default=1),
        "smallest_component": 1 if alone else min(sizes, default=1),
    }
