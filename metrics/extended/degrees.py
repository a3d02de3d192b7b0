"""Degrees: how many edges meet at a node, and how unevenly they are spread."""

from __future__ import annotations

from math import sqrt

import numpy as np

from graph_encoding import Graph


def degrees(graph: Graph) -> dict[str, int | float | None]:
    """Least, largest and mean degree, its standard deviation and its Gini coefficient.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``min_degree``, ``max_degree``, ``mean_degree``, ``degree_deviation`` (of all nodes, not of
        a sample), ``degree_gini``: of the undirected degrees of all nodes, those without an edge
        among them. The Gini coefficient is None where there is no edge. Each float is one rounding
        or two away from a quotient of exact integers.

    Notes
    -----
    Gini coefficient of the ascending degrees: sum over i of (2 i - N - 1) d_(i), over N sum d.
    """
    values, counts = (found.tolist() for found in np.unique(graph.degree, return_counts=True))
    nodes, ends = graph.num_nodes, 2 * graph.num_edges
    squares = sum(n * d**2 for d, n in zip(values, counts, strict=True))
    ranked, below = 0, 0
    for degree, count in zip(values, counts, strict=True):
        # 2 i - N - 1, summed over the `count` nodes of this degree, which follow `below` others.
        ranked += degree * count * (2 * below + count - nodes)
        below += count
    return {
        "min_degree": values[0],
        "max_degree": values[-1],
        "mean_degree": ends / nodes,
        "degree_deviation": sqrt((nodes * squares - ends**2) / nodes**2),
        "degree_gini": ranked / (nodes * ends) if ends else None,
    }
