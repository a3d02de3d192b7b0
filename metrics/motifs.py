"""Motifs: connected induced subgraphs on four vertices, counted exactly."""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np

from graph_encoding import Graph
from graph_encoding.products.sparse import BlockProduct

from .cliques import four_cliques
from .triangles import TriangleCounts, triangles
from .walks import closed_four_walks
from .ways import exact_dot


class _Counts(NamedTuple):
    closed_walks: int
    triangles: TriangleCounts


def motifs(graph: Graph) -> dict[str, int]:
    """``motifs``: number of connected induced subgraphs on four vertices (undirected).

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        An exact integer of any size.

    Notes
    -----
    ``P + S - 3 C4 - 2 TT + 4 Dm - 6 K4`` counts each connected induced subgraph once, with ``P``
    the paths of three edges, ``S`` the stars of three edges, ``C4`` the four-cycles, ``TT`` the
    triangles with a tail, ``Dm`` the pairs of triangles that share an edge (all not necessarily
    induced) and ``K4`` the complete subgraphs. See Ahmed et al., "Efficient Graphlet Counting for
    Large Networks", ICDM 2015, for such identities.
    """
    counts = _closed_walks_and_triangles(graph)
    triangle = counts.triangles
    paths = _degree_products(graph) - 3 * triangle.total
    cycles = _cycles_among(graph, counts.closed_walks)
    tails, diamonds = triangle.tails, triangle.diamonds
    count = paths + count_stars(graph, 3) - 3 * cycles - 2 * tails + 4 * diamonds
    return {"motifs": count - 6 * four_cliques(graph)}


def four_cycles(graph: Graph) -> int:
    """Number of cycles on four vertices, induced or not."""
    return _cycles_among(graph, _closed_walks_and_triangles(graph).closed_walks)


def paths_and_cycles(graph: Graph) -> tuple[int, int]:
    """Number of paths of three edges (four vertices) and of cycles on four vertices."""
    counts = _closed_walks_and_triangles(graph)
    paths = _degree_products(graph) - 3 * counts.triangles.total
    return paths, _cycles_among(graph, counts.closed_walks)


def _cycles_among(graph: Graph, closed_walks: int) -> int:
    """Four-cycles, from the closed 4-walks that they are among."""
    return (closed_walks - 2 * graph.num_edges - 4 * count_stars(graph, 2)) // 8


def count_stars(graph: Graph, rays: int) -> int:
    """Number of stars with so many rays: sum over nodes of C(degree, rays), exact."""
    degrees, nodes = np.unique(graph.degree, return_counts=True)
    return sum(comb(d, rays) * n for d, n in zip(degrees.tolist(), nodes.tolist(), strict=True))


def _closed_walks_and_triangles(graph: Graph) -> _Counts:
    return _Counts(closed_four_walks(graph), triangles(graph))


def _degree_products(graph: Graph) -> int:
    """Sum over the edges (u, v) of (d_u - 1)(d_v - 1)."""
    # Nodes without an edge would count -1; they have no edge to count it on.
    others = np.maximum(graph.degree - 1, 0).astype(np.float64)
    arriving = np.zeros(graph.num_nodes)
    for block in graph.blocks:
        BlockProduct(block, weighted=False).forward(others, arriving)
    return exact_dot(arriving, others)
