"""Transitivity: how many of the paths of two edges are closed to a triangle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from graph_encoding import Block, Graph, NodeLayer
from graph_encoding.compiled import compiled
from graph_encoding.neighbours import neighbours, tables

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
    closed = triangles(graph).total if graph.is_regular else _by_walking(graph)
    return {"transitivity": 3 * closed / paths if paths else None}


def _by_walking(graph: Graph) -> int:
    """Triangles, by visiting the paths of two edges in blocks that may have some.

    A triangle has one node whose edges both leave it, since no edges run in a circle.
    """
    part = replace(graph, blocks=_with_triangles(graph.blocks))
    return int(_closed_paths(tables(part, ("out",)), part.out_degree))


def _with_triangles(blocks: Sequence[Block]) -> list[Block]:
    """Blocks that are a step, or a shortcut across two steps, between node ids that meet."""
    found = {
        block
        for first, second, across in product(blocks, repeat=3)
        if _meet(first.target, second.source)
        and _meet(first.source, across.source)
        and _meet(second.target, across.target)
        for block in (first, second, across)
    }
    return [block for block in blocks if block in found]


def _meet(one: NodeLayer, other: NodeLayer) -> bool:
    return one.offset < other.stop and other.offset < one.stop


@compiled
def _closed_paths(tables, out_degree):
    size = out_degree.max()
    near, far = np.empty(size, np.int32), np.empty(size, np.int32)
    mark = np.full(len(out_degree), -1, np.int32)
    total = 0
    for node in range(len(out_degree)):
        count = neighbours(tables, node, near)
        for i in range(count):
            mark[near[i]] = node
        for i in range(count):
            if out_degree[near[i]] == 0:
                continue
            for j in range(neighbours(tables, near[i], far)):
                total += mark[far[j]] == node
    return total
