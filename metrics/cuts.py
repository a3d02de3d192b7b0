"""Global connectivity: bridges, articulation points and components.

A forest of breadth-first search and a spanning forest of what it leaves hold at most two edges a
node, yet the same bridges, articulation points and components as the whole graph: for every
node x, two nodes are joined without x in the graph if and only if they are in the two forests
(scan-first search certificates: Cheriyan, Kao and Thurimella, SIAM J. Comput. 1993; Eppstein et
al., "Sparsification", J. ACM 1997). So the depth-first search runs on the forests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graph_encoding import Graph
from graph_encoding.compiled import compiled
from graph_encoding.neighbours import tables

from .forests import spanning_forest


class Connectivity(NamedTuple):
    """Counts of the undirected graph."""

    cut_edges: int
    cut_nodes: int
    components: int


def connectivity(graph: Graph) -> Connectivity:
    """Count bridges, articulation points and connected components.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Connectivity
        A node without an edge is a component.

    Notes
    -----
    Low points: Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1972.
    """
    bridges, is_cut, components = _search(graph)
    return Connectivity(bridges, int(is_cut.sum()), components)


def articulation_points(graph: Graph) -> np.ndarray:
    """Which nodes are articulation points: without one of them more components would be left.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    numpy.ndarray of bool, shape (num_nodes,)
    """
    return _search(graph)[1]


def global_connectivity(graph: Graph) -> dict[str, int | float | None]:
    """``cut-edges``, ``cut-nodes``, ``connected_components`` and their mean size.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``avg_connected_components`` is the number of nodes over that of components (None for
        a graph without nodes).
    """
    found = connectivity(graph)
    return {
        "cut-edges": found.cut_edges,
        "cut-nodes": found.cut_nodes,
        "connected_components": found.components,
        "avg_connected_components": (
            graph.num_nodes / found.components if found.components else None
        ),
    }


def _search(graph: Graph) -> tuple[int, np.ndarray, int]:
    """Number of bridges, whether each node is an articulation point, number of components."""
    flat = tables(graph)
    first = spanning_forest(graph, flat)
    second = spanning_forest(graph, flat, without=first)
    edges = np.count_nonzero(first >= 0) + np.count_nonzero(second >= 0)
    start, other = np.zeros(len(first) + 1, np.int32), np.empty(2 * edges, np.int32)
    scratch = np.zeros((3, len(first)), np.int32)
    _adjacency(first, second, start, scratch[0], other)
    scratch[0], is_cut = start[:-1], np.zeros(len(first), bool)
    bridges = _low_points(start, other, scratch, np.full(len(first), -1, np.int32), is_cut)
    return int(bridges), is_cut, int((first < 0).sum())


@compiled
def _adjacency(first, second, start, fill, other):
    """Compressed neighbour lists of the union of two forests without common edges."""
    count = len(first)
    for forest in (first, second):
        for node in range(count):
            if forest[node] >= 0:
                start[node + 1] += 1
                start[forest[node] + 1] += 1
    for node in range(count):
        start[node + 1] += start[node]
        fill[node] = start[node]
    for forest in (first, second):
        for node in range(count):
            parent = forest[node]
            if parent >= 0:
                other[fill[node]] = parent
                fill[node] += 1
                other[fill[parent]] = node
                fill[parent] += 1


@compiled
def _low_points(start, other, scratch, parent, is_cut):
    """Bridges and articulation points by an iterative depth-first search."""
    count = len(parent)
    following = scratch[0]  # next neighbour to look at
    found, low = scratch[1], scratch[2]  # discovery time, 0 before
    bridges = clock = 0
    for root in range(count):
        if found[root]:
            continue
        clock += 1
        found[root] = low[root] = clock
        root_children = 0
        node = root
        while node >= 0:
            if following[node] < start[node + 1]:
                child = other[following[node]]
                following[node] += 1
                if not found[child]:
                    clock += 1
                    found[child] = low[child] = clock
                    parent[child] = node
                    node = child
                elif child != parent[node] and found[child] < low[node]:
                    low[node] = found[child]
                continue
            above = parent[node]
            if above >= 0:
                if low[node] < low[above]:
                    low[above] = low[node]
                if low[node] > found[above]:
                    bridges += 1
                if above == root:
                    root_children += 1
                elif low[node] >= found[above]:
                    is_cut[above] = True
            node = above
        is_cut[root] = root_children > 1
    return bridges
