"""A random graph to compare with: as many nodes in each layer, as many edges between layers.

Every edge between two layers is there with the same probability, independently of the others, so
that as many are expected as the graph has. What is compared needs no such graph drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graph_encoding import Graph
from graph_encoding.compiled import compiled
from graph_encoding.products.sparse import AdjacencyProduct

from .distances import PathLength, Stratum, mean_length

SEARCHES = 4_096
"""Searches in the random graph."""


class Layered(NamedTuple):
    """The layers of a random graph.

    Attributes
    ----------
    sizes : numpy.ndarray of int64, shape (k,)
        Nodes of each layer.
    chances : numpy.ndarray of float64, shape (k, k)
        Probability of an edge between two nodes, by their layers.
    """

    sizes: np.ndarray
    chances: np.ndarray


def layered(graph: Graph) -> Layered:
    """The random graph to compare a graph with."""
    sizes = np.array([layer.size for layer in graph.layers])
    starts = np.array([layer.offset for layer in graph.layers])
    product = AdjacencyProduct(graph.num_nodes, graph.blocks, weighted=False)
    ends = np.zeros((len(sizes), len(sizes)))
    for number, layer in enumerate(graph.layers):
        inside = np.zeros(graph.num_nodes)
        inside[layer.offset : layer.stop] = 1.0
        ends[number] = np.add.reduceat(product.symmetric(inside), starts)
    # Inside a layer (the published wiring has such edges) each pair is met from both ends.
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    return Layered(sizes, ends / np.maximum(pairs, 1))


def random_clustering(random: Layered) -> float | None:
    """Expected four-cycles, four times, over expected paths of three edges; None without these."""
    paths, cycles = _expected(*random)
    # A cycle is met from each of its vertices both ways round, a path from both ends.
    return (4 * cycles / 8) / (paths / 2) if paths else None


def random_length(random: Layered) -> PathLength | None:
    """Mean path length, by searches that each start at a random node of a random graph of its own.

    A search meets every pair of nodes for the first time, so that it need not draw the graph: of
    the nodes of a layer not found yet, those joined to the last ones found are a binomial number.

    Parameters
    ----------
    random : Layered

    Returns
    -------
    PathLength or None
        None where the searches found nothing.

    Notes
    -----
    Karp, "The transitive closure of a random digraph", Random Struct. Algorithms 1990. The seed is
    fixed.
    """
    draws = np.random.default_rng(0)
    sizes, chances = random
    with np.errstate(divide="ignore"):
        log_missed = np.maximum(np.log1p(-chances), -1e9)  # no infinity, which 0 times is not 0
    layer = draws.choice(len(sizes), SEARCHES, p=sizes / sizes.sum())
    front = np.eye(len(sizes), dtype=np.int64)[layer]
    hidden = sizes - front
    found, lengths = np.zeros((2, SEARCHES), np.int64)
    distance = 0
    while front.any():
        distance += 1
        front = draws.binomial(hidden, -np.expm1(front @ log_missed))
        hidden -= front
        found += front.sum(axis=1)
        lengths += distance * front.sum(axis=1)
    return mean_length([Stratum(1.0, 1.0, found, lengths)])


@compiled
def _expected(sizes, chances):
    """Expected number of walks of three edges over four nodes, and of those that close."""
    count = len(sizes)
    paths = cycles = 0.0
    for a in range(count):
        for b in range(count):
            first = chances[a, b] * sizes[a] * (sizes[b] - (a == b))
            if first == 0:
                continue
            for c in range(count):
                second = first * chances[b, c] * max(sizes[c] - (c == a) - (c == b), 0)
                if second == 0:
                    continue
                for d in range(count):
                    left = max(sizes[d] - (d == a) - (d == b) - (d == c), 0)
                    third = second * chances[c, d] * left
                    paths += third
                    cycles += third * chances[d, a]
    return paths, cycles
