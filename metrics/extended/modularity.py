"""Modularity: of the node layers as communities, and of the best communities that Louvain finds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graph_encoding import Graph
from graph_encoding.compiled import compiled
from graph_encoding.neighbours import neighbours, tables

LEAST_GAIN = 1e-6
"""Rise of the modularity in a round below which Louvain's rounds end."""


class Communities(NamedTuple):
    """A partition of the nodes.

    Attributes
    ----------
    labels : numpy.ndarray of int64, shape (num_nodes,)
        Number of each node's community; a node without an edge is one by itself.
    modularity : float
    """

    labels: np.ndarray
    modularity: float


def modularity(graph: Graph) -> dict[str, float | int | None]:
    """Modularity (Newman and Girvan) of the unweighted, undirected graph.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``modularity_layers``: of the node layers as communities. No edge is inside a layer, so that
        it is never positive: -1/2 for two layers, near 0 for many of like degrees.
        ``modularity_louvain``: of the communities that `louvain` finds, a lower bound of the best.
        ``louvain_communities``: their number, without nodes that have no edge.
        None without an edge.
    """
    if not graph.num_edges:
        names = ("modularity_layers", "modularity_louvain", "louvain_communities")
        return dict.fromkeys(names)
    layers = np.repeat(np.arange(len(graph.layers)), [layer.size for layer in graph.layers])
    found = louvain(graph)
    return {
        "modularity_layers": modularity_of(graph, layers),
        "modularity_louvain": found.modularity,
        "louvain_communities": len(np.unique(found.labels[graph.degree > 0])),
    }


def modularity_of(graph: Graph, labels: np.ndarray) -> float:
    """Modularity of a partition.

    Parameters
    ----------
    graph : Graph
        With at least one edge; taken as unweighted and undirected.
    labels : numpy.ndarray of int, shape (num_nodes,)
        Communities, numbered from 0.

    Returns
    -------
    float
        Share of the edges inside communities, less the share that is expected there between nodes
        of the same degrees: sum over communities of l/m - (d / 2m)^2.

    Notes
    -----
    Newman and Girvan, "Finding and evaluating community structure in networks", Phys. Rev. E 2004.
    """
    ends = 2 * graph.num_edges
    degrees = np.bincount(labels, weights=graph.degree)
    inside = _ends_inside(tables(graph), graph.degree, labels.astype(np.int64))
    return float(inside / ends - ((degrees / ends) ** 2).sum())


def louvain(graph: Graph) -> Communities:
    """Communities by Louvain's method on every edge, none of them written out.

    Parameters
    ----------
    graph : Graph
        With at least one edge; taken as unweighted and undirected.

    Returns
    -------
    Communities
        The same in every run: nodes move in the order of their numbers, to the community that
        raises the modularity most, of equal ones to that of the lowest number. A round that raises
        it by less than `LEAST_GAIN` is a level's last.

    Notes
    -----
    Blondel et al., "Fast unfolding of communities in large networks", J. Stat. Mech. 2008. The
    first level reads neighbours off the weights; from the second on the communities and the edges
    between them are a weighted graph in memory.
    """
    flat, degree = tables(graph), graph.degree
    labels = _number(_move_nodes(flat, degree, LEAST_GAIN))
    while True:
        starts, others, weights = _between(flat, degree, labels, *_members(labels))
        moved = _move_communities(starts, others, weights, LEAST_GAIN)
        joined = _number(moved)
        if joined.max() + 1 == len(joined):
            return Communities(labels, modularity_of(graph, labels))
        labels = joined[labels]


def _number(labels: np.ndarray) -> np.ndarray:
    """The same communities, numbered in the order of their first nodes."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _members(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes by community, and where each community starts among them."""
    starts = np.searchsorted(np.sort(labels), np.arange(labels.max() + 2))
    return np.argsort(labels, kind="stable"), starts


@compiled
def _ends_inside(tables, degree, labels):
    """Edge ends at nodes whose neighbour is of their community."""
    buffer = np.empty(degree.max(), np.int32)
    count = 0
    for node in range(len(labels)):
        for i in range(neighbours(tables, node, buffer)):
            count += labels[node] == labels[buffer[i]]
    return count


@compiled
def _best(own, at, candidates, count, links, totals, ends):
    """The community whose gain is largest, its own where none is better.

    The node is out of its own community; a gain is in edges: links less expected ones.
    """
    best, most = own, links[own] - totals[own] * at / ends
    for i in range(count):
        label = candidates[i]
        gain = links[label] - totals[label] * at / ends
        if gain > most + 1e-9 or (gain > most - 1e-9 and label < best and best != own):
            best, most = label, gain
    return best


@compiled
def _move_nodes(tables, degree, least):
    """One level of Louvain's method on the nodes."""
    count = len(degree)
    ends = float(degree.sum())
    labels = np.arange(count)
    totals = degree.astype(np.float64)
    links = np.zeros(count)
    buffer = np.empty(degree.max(), np.int32)
    candidates = np.empty(degree.max(), np.int64)
    rise = 1.0
    while rise >= least:
        rise = 0.0
        for node in range(count):
            found = 0
            own = labels[node]
            for i in range(neighbours(tables, node, buffer)):
                label = labels[buffer[i]]
                if links[label] == 0:
                    candidates[found] = label
                    found += 1
                links[label] += 1
            at = float(degree[node])
            totals[own] -= at
            best = _best(own, at, candidates, found, links, totals, ends)
            gain = links[best] - links[own] - (totals[best] - totals[own]) * at / ends
            rise += 2 * gain / ends
            totals[best] += at
            labels[node] = best
            for i in range(found):
                links[candidates[i]] = 0
    return labels


@compiled
def _between(tables, degree, labels, nodes, starts):
    """The edges between communities: for each its neighbours and the edge ends, itself included."""
    count = len(starts) - 1
    buffer = np.empty(degree.max(), np.int32)
    links = np.zeros(count, np.int64)
    candidates = np.empty(count, np.int64)
    bounds = np.zeros(count + 1, np.int64)
    others, weights = np.empty(1024, np.int32), np.empty(1024, np.int64)
    for community in range(count):
        found = 0
        for k in range(starts[community], starts[community + 1]):
            for i in range(neighbours(tables, nodes[k], buffer)):
                label = labels[buffer[i]]
                if links[label] == 0:
                    candidates[found] = label
                    found += 1
                links[label] += 1
        first = bounds[community]
        while first + found > len(others):
            others = np.concatenate((others, np.empty_like(others)))
            weights = np.concatenate((weights, np.empty_like(weights)))
        for i in range(found):
            others[first + i] = candidates[i]
            weights[first + i] = links[candidates[i]]
            links[candidates[i]] = 0
        bounds[community + 1] = first + found
    return bounds, others[: bounds[count]], weights[: bounds[count]]


@compiled
def _move_communities(starts, others, weights, least):
    """One level of Louvain's method on a weighted graph with loops, whose edges come twice."""
    count = len(starts) - 1
    at = np.zeros(count)
    for one in range(count):
        at[one] = weights[starts[one] : starts[one + 1]].sum()
    ends = at.sum()
    labels = np.arange(count)
    totals = at.copy()
    links = np.zeros(count)
    candidates = np.empty(count, np.int64)
    rise = 1.0
    while rise >= least:
        rise = 0.0
        for one in range(count):
            found = 0
            own = labels[one]
            for i in range(starts[one], starts[one + 1]):
                if others[i] == one:
                    continue
                label = labels[others[i]]
                if links[label] == 0:
                    candidates[found] = label
                    found += 1
                links[label] += weights[i]
            totals[own] -= at[one]
            best = _best(own, at[one], candidates, found, links, totals, ends)
            gain = links[best] - links[own] - (totals[best] - totals[own]) * at[one] / ends
            rise += 2 * gain / ends
            totals[best] += at[one]
            labels[one] = best
            for i in range(found):
                links[candidates[i]] = 0
    return labels
