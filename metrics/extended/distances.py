"""Path lengths: the mean of shortest paths, by breadth-first searches from many nodes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graph_encoding import Graph
from graph_encoding.compiled import compiled
from graph_encoding.neighbours import neighbours, tables

WORD = 64
"""Searches that run at the same time, a bit each."""

EXACT_SIZE = 1.3e10
"""Nodes times edges up to which every node is a start."""

STARTS = 256
"""About how many starts there are otherwise."""


class Stratum(NamedTuple):
    """Searches from a sample of some nodes.

    Attributes
    ----------
    share : float
        Of these nodes among all.
    missed : float
        Share of these nodes from which no search starts.
    found, lengths : numpy.ndarray of int64, shape (n,)
        Nodes that each search found, its start apart, and the sum of their distances.
    """

    share: float
    missed: float
    found: np.ndarray
    lengths: np.ndarray


class PathLength(NamedTuple):
    """Mean length of the shortest paths between nodes.

    Attributes
    ----------
    mean : float
        Over ordered pairs of different nodes that a path joins.
    error : float
        Its standard error; 0 where every node is a start.
    """

    mean: float
    error: float


def path_length(graph: Graph) -> PathLength | None:
    """Mean length of the shortest paths of the undirected, unweighted graph.

    Exact where nodes times edges are at most `EXACT_SIZE`. Elsewhere estimated from a sample of
    about `STARTS` starts, drawn without replacement (and with fixed seeds) from each node layer in
    proportion to its size, at least two of each.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    PathLength or None
        None without an edge, or where no start has one.

    Notes
    -----
    Sixty-four searches share each visit of an edge: Then et al., "The more the merrier: efficient
    multi-source graph traversal", PVLDB 2014.
    """
    if not graph.num_edges:
        return None
    is_exact = graph.num_nodes * graph.num_edges <= EXACT_SIZE
    share = 1.0 if is_exact else STARTS / graph.num_nodes
    flat, degree, draws = tables(graph), graph.degree, np.random.default_rng(0)
    sizes = [layer.size for layer in graph.layers]
    counts = [min(size, max(2, round(share * size))) for size in sizes]
    starts = np.concatenate(
        [
            layer.offset + draws.choice(layer.size, count, replace=False)
            for layer, count in zip(graph.layers, counts, strict=True)
        ]
    )
    batches = np.split(starts, range(WORD, len(starts), WORD))
    results = zip(*(_search(flat, degree, batch) for batch in batches), strict=True)
    ends = np.cumsum(counts)[:-1]
    found, lengths = (np.split(np.concatenate(result), ends) for result in results)
    return mean_length(
        [
            Stratum(size / graph.num_nodes, 1 - len(part) / size, part, sums)
            for size, part, sums in zip(sizes, found, lengths, strict=True)
        ]
    )


def mean_length(strata: Sequence[Stratum]) -> PathLength | None:
    """The mean length that searches tell, and its standard error; None where they found nothing.

    Notes
    -----
    A ratio of two stratified estimates: Cochran, "Sampling Techniques", 1977, section 6.11.
    """
    pairs = sum(share * found.mean() for share, _, found, _ in strata)
    if not pairs:
        return None
    mean = sum(share * lengths.mean() for share, _, _, lengths in strata) / pairs
    variance = sum(
        share**2 * missed * (lengths - mean * found).var(ddof=1) / len(found)
        for share, missed, found, lengths in strata
        if missed
    )
    return PathLength(float(mean), float(np.sqrt(variance) / pairs))


@compiled
def _search(tables, degree, starts):
    """Search from up to 64 nodes at once."""
    count = len(degree)
    seen = np.zeros(count, np.uint64)
    front = np.zeros(count, np.uint64)
    found = np.zeros(len(starts), np.int64)
    lengths = np.zeros(len(starts), np.int64)
    buffer = np.empty(degree.max(), np.int32)
    everything = np.uint64(0)
    for i in range(len(starts)):
        bit = np.uint64(1) << np.uint64(i)
        everything |= bit
        seen[starts[i]] |= bit
        front[starts[i]] |= bit
    distance = 0
    is_open = True
    while is_open:
        distance += 1
        following = np.zeros(count, np.uint64)
        active = waiting = 0
        for node in range(count):
            active += degree[node] * (front[node] != 0)
            waiting += degree[node] * (seen[node] != everything)
        if active <= waiting:
            for node in range(count):
                if front[node] != 0:
                    for i in range(neighbours(tables, node, buffer)):
                        following[buffer[i]] |= front[node]
        else:
            for node in range(count):
                missing = everything & ~seen[node]
                if missing != 0:
                    word = np.uint64(0)
                    for i in range(neighbours(tables, node, buffer)):
                        word |= front[buffer[i]]
                    following[node] = word
        is_open = False
        for node in range(count):
            word = following[node] & ~seen[node]
            front[node] = word
            if word != 0:
                is_open = True
                seen[node] |= word
                for i in range(len(starts)):
                    new = np.int64((word >> np.uint64(i)) & np.uint64(1))
                    found[i] += new
                    lengths[i] += new * distance
    return found, lengths
