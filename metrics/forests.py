"""Spanning forests by breadth-first search over neighbours that are never written out."""

from __future__ import annotations

import numpy as np

from graph_encoding import Graph
from graph_encoding.compiled import compiled
from graph_encoding.neighbours import Tables, neighbours, tables

AT_ONCE = 1 << 24
"""Nodes whose components are counted at a time."""


def spanning_forest(graph: Graph, flat: Tables, without: np.ndarray | None = None) -> np.ndarray:
    """Breadth-first spanning forest of the undirected graph.

    Searches level by level, and from the side with fewer edges: either every node of the
    frontier looks for new nodes, or every node not yet found looks for a neighbour in the
    frontier. Either way a node's parent is its neighbour that was found first, so the forest is
    a scan-first search forest.

    Parameters
    ----------
    graph : Graph
    flat : Tables
        Both directions of `graph`.
    without : numpy.ndarray of int32, shape (num_nodes,), optional
        Parents of a forest whose edges are left out of the graph.

    Returns
    -------
    numpy.ndarray of int32, shape (num_nodes,)
        Parent of every node, -1 for a root.

    Notes
    -----
    Beamer, Asanovic and Patterson, "Direction-optimizing breadth-first search", SC 2012.
    """
    degree = graph.degree.astype(np.int32)
    # A hub first: its tree reaches most nodes within few levels.
    first = int(degree.argmax()) if len(degree) else 0
    barred = np.empty(0, np.int32) if without is None else without
    # Made here: each array that compiled code makes takes a tenth of a second to compile.
    parent = np.full(len(degree), -1, np.int32)
    place = np.full(len(degree), -1, np.int32)  # in the queue, -1 if not found yet
    buffer = np.empty(degree.max(initial=0), np.int32)
    scratch = np.zeros((5, len(degree) + 1), np.int32)
    _search(flat, degree, first, barred, parent, place, buffer, scratch)
    return parent


def component_labels(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Connected components of the undirected graph, without the nodes that have no edge.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    labels : numpy.ndarray of int32, shape (num_nodes,)
        Number of each node's component, -1 for a node without an edge.
    sizes : numpy.ndarray of int64
        Nodes of each component.
    """
    labels = np.full(graph.num_nodes, -1, np.int32)
    _label(spanning_forest(graph, tables(graph)), graph.degree.astype(np.int32), labels)
    sizes = np.zeros(labels.max(initial=-1) + 1, np.int64)
    for start in range(0, len(labels), AT_ONCE):  # counting takes 8 bytes a node
        part = labels[start : start + AT_ONCE]
        sizes += np.bincount(part[part >= 0], minlength=len(sizes))
    return labels, sizes


@compiled
def _label(parent, degree, labels):
    count = 0
    for node in range(len(parent)):
        if degree[node] == 0 or labels[node] >= 0:
            continue
        top = node
        while parent[top] >= 0 and labels[top] < 0:
            top = parent[top]
        if labels[top] < 0:
            labels[top] = count
            count += 1
        below = node
        while labels[below] < 0:
            labels[below] = labels[top]
            below = parent[below]


@compiled
def _search(tables, degree, first, barred, parent, place, buffer, scratch):
    count = len(degree)
    queue = scratch[0]
    rest = scratch[1]  # superset of the nodes not found yet, once it is needed
    nodes, earliest_of = scratch[2], scratch[3]  # found from their side
    after = scratch[4]  # how many of these come before, by place in the frontier; zeros between
    rest_size = -1
    open_degree = np.int64(0)
    for node in range(count):
        open_degree += degree[node]
    head = tail = 0
    for candidate in range(-1, count):
        root = first if candidate < 0 else candidate
        if count == 0 or place[root] >= 0:
            continue
        place[root] = tail
        queue[tail] = root
        tail += 1
        open_degree -= degree[root]
        while head < tail:
            stop = tail
            if open_degree == 0:
                head = tail
                break
            frontier_degree = np.int64(0)
            for i in range(head, stop):
                frontier_degree += degree[queue[i]]
            if frontier_degree <= open_degree:
                for i in range(head, stop):
                    node = np.int64(queue[i])
                    for j in range(neighbours(tables, node, buffer)):
                        other = buffer[j]
                        if place[other] < 0 and not _is_barred(barred, node, other):
                            parent[other] = node
                            place[other] = tail
                            queue[tail] = other
                            tail += 1
                            open_degree -= degree[other]
                    if open_degree == 0:
                        break
            else:
                if rest_size < 0:
                    rest_size = count
                    for node in range(count):
                        rest[node] = node
                kept = found = 0
                for i in range(rest_size):
                    node = np.int64(rest[i])
                    if place[node] >= 0 or degree[node] == 0:
                        continue
                    earliest = np.int32(stop)
                    for j in range(neighbours(tables, node, buffer)):
                        p = place[buffer[j]]
                        if head <= p < earliest and not _is_barred(barred, node, buffer[j]):
                            earliest = p
                    if earliest < stop:
                        nodes[found] = node
                        earliest_of[found] = earliest
                        after[earliest - head + 1] += 1
                        found += 1
                    else:
                        rest[kept] = node
                        kept += 1
                rest_size = kept
                # A counting sort: by the parents' places, and as in `rest` where these are equal.
                for i in range(stop - head):
                    after[i + 1] += after[i]
                for i in range(found):
                    node, earliest = nodes[i], earliest_of[i]
                    place[node] = tail + after[earliest - head]
                    after[earliest - head] += 1
                    parent[node] = queue[earliest]
                    queue[place[node]] = node
                    open_degree -= degree[node]
                for i in range(stop - head + 1):
                    after[i] = 0
                tail += found
            head = stop


@compiled
def _is_barred(barred, one, other):
    return len(barred) > 0 and (barred[one] == other or barred[other] == one)
