"""Transitivity: how many of the paths of two edges are closed to a triangle."""

from __future__ import annotations

from graph_encoding import Graph

from ..motifs import count_stars
from ..triangles import triangles


def transitivity(graph: Graph) -> dict[str, float | None]:
    """``transitivity``: three times the triangles, over the paths of two edges (undirected).

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        A quotient of exact integers; None where there is no path of two edges. Only a shortcut
        that spans two layers makes triangles: it is 0 in bipartite graphs.

    Notes
    -----
    Newman, Watts and Strogatz, "Random graph models of social networks", PNAS 99, 2002.
    """
    paths = count_stars(graph, 2)
    return {"transitivity": 3 * triangles(graph).total / paths if paths else None}
