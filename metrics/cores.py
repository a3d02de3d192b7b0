"""Core numbers by peeling."""

from __future__ import annotations

import numpy as np

from graph_encoding import Graph
from graph_encoding.compiled import compiled
from graph_encoding.neighbours import neighbours, tables


def core_numbers(graph: Graph) -> np.ndarray:
    """Core number (coreness) of every node in the undirected graph.

    The k-core is the largest subgraph in which every node has at least k neighbours; a node's
    core number is the largest k whose core holds it. All nodes of at most k remaining neighbours
    are peeled off, for rising k; each edge is visited twice.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    numpy.ndarray of int32, shape (num_nodes,)

    Notes
    -----
    Seidman, "Network structure and minimum degree", Social Networks 1983; Batagelj and Zaversnik,
    "An O(m) algorithm for cores decomposition of networks", 2003.
    """
    degree = graph.degree.astype(np.int32)
    core = np.zeros(graph.num_nodes, np.int32)
    left = np.arange(graph.num_nodes, dtype=np.int32)
    stack = np.empty(graph.num_nodes, np.int32)
    buffer = np.empty(degree.max(initial=0), np.int32)
    _peel(tables(graph), degree, core, left, stack, buffer)
    return core


def k_core(graph: Graph) -> dict[str, float | None]:
    """Mean core number, as ``k-core`` (None for a graph without nodes)."""
    if not graph.num_nodes:
        return {"k-core": None}
    return {"k-core": float(core_numbers(graph).sum(dtype=np.int64) / graph.num_nodes)}


@compiled
def _peel(tables, degree, core, left, stack, buffer):
    remaining = len(degree)
    k = 0
    while remaining:
        # Keep the nodes of higher degree; the others start this level's peeling.
        kept = top = 0
        lowest = np.int32(2147483647)
        for i in range(remaining):
            node = left[i]
            if degree[node] > k:
                left[kept] = node
                kept += 1
                if degree[node] < lowest:
                    lowest = degree[node]
            elif degree[node] >= 0:
                stack[top] = node
                top += 1
        remaining = kept
        if top == 0:
            k = lowest
            continue
        for i in range(top):
            core[stack[i]] = k
            degree[stack[i]] = -1
        while top:
            top -= 1
            for i in range(neighbours(tables, np.int64(stack[top]), buffer)):
                other = buffer[i]
                d = degree[other]
                if d > k:
                    degree[other] = d - 1
                    if d - 1 == k:
                        core[other] = k
                        degree[other] = -1
                        stack[top] = other
                        top += 1
        k += 1
