"""Triangles: where a shortcut spans two layers.

A triangle is a step u -> a, a step a -> w and a shortcut u -> w. The triangles on an edge are the
ways of two steps between its ends, so they are counted by kernel algebra, edge by edge of a mask,
or on the written-out edges, whichever is the cheaper (see `choice`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graph_encoding import Block, Graph

from . import choice, two_layouts
from .by_bits import edges_by_bits, visits_of_edges
from .overlaps import Islands, meet
from .ways import (
    EdgeTriangles,
    Way,
    are_alike,
    chunks,
    exact_dot,
    position_counts,
    tap_outer,
)
from .written import edge_triangles


class TriangleCounts(NamedTuple):
    """Triangles of the undirected graph.

    Attributes
    ----------
    total : int
        T, the number of triangles.
    tails : int
        Sum over nodes of (their triangles) times (their degree - 2).
    diamonds : int
        Sum over edges of the number of pairs of triangles on the edge.
    """

    total: int
    tails: int
    diamonds: int


def triangles(graph: Graph) -> TriangleCounts:
    """Count the triangles of a graph.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    TriangleCounts
        Exact.
    """
    on_edges = np.zeros(graph.num_nodes)
    squares = 0
    for block, ways in _ways_beside(graph).items():
        found = _on_edges(block, ways)
        on_edges[block.source.offset : block.source.stop] += found.at_start
        on_edges[block.target.offset : block.target.stop] += found.at_end
        squares += found.squares
    # Two edges of each of its triangles meet at a node, and an edge has two ends.
    at_node = on_edges / 2
    thrice = exact_dot(at_node, np.ones(len(at_node)))
    tails = exact_dot(at_node, graph.degree.astype(np.float64)) - 2 * thrice
    return TriangleCounts(thrice // 3, tails, (squares - thrice) // 2)


def _ways_beside(graph: Graph) -> dict[Block, list[Way]]:
    """The ways of two steps that run beside each block, if any: the rest of a triangle."""
    islands = Islands(graph)
    across: dict[tuple[int, int], list[Block]] = {}
    for block in graph.blocks:
        across.setdefault(islands.of((block.source, block.target)), []).append(block)
    beside: dict[Block, list[Way]] = {}
    for first in graph.blocks:
        for second in graph.blocks:
            if not first.target.meets(second.source):
                continue
            ends = first.source, second.target
            for shortcut in across.get(islands.of(ends), ()):
                if not meet(ends, (shortcut.source, shortcut.target)):
                    continue
                beside.setdefault(shortcut, []).append(Way(first, second))
                beside.setdefault(first, []).append(Way(shortcut, second, second_along=False))
                beside.setdefault(second, []).append(Way(first, shortcut, first_along=False))
    return beside


def _on_edges(block: Block, ways: list[Way]) -> EdgeTriangles:
    """Triangles on the edges of a block, in the cheaper way."""
    written_out = choice.written_cost(ways, [block])
    if are_alike(ways, (block.source, block.target)):
        if choice.is_cheaper(choice.algebra_cost(ways, masks=[block]), written_out):
            return _by_algebra(block, ways)
        return edge_triangles(block, ways)
    cost = two_layouts.edges_cost(block, ways)
    if cost is not None and choice.is_cheaper(cost, written_out):
        return two_layouts.on_edges(block, ways)
    is_less = visits_of_edges(block, ways) < sum(way.paths for way in ways)
    return (edges_by_bits if is_less else edge_triangles)(block, ways)


def _by_algebra(block: Block, ways: list[Way]) -> EdgeTriangles:
    at_start = np.zeros((block.source.channels, block.source.positions))
    at_end = np.zeros((block.target.channels, block.target.positions))
    squares = 0
    for start, stop in chunks(ways):
        products = [way.middle_counts(start, stop) for way in ways]
        for tap, mask in enumerate(block.tap_masks()):
            tap_y, tap_x = divmod(tap, block.columns.taps)
            rows, columns = block.rows.relation[tap_y], block.columns.relation[tap_x]
            for i, way in enumerate(ways):
                by_row, by_column = way.row_ways * rows, way.column_ways * columns
                starts = tap_outer(way, by_row.sum(axis=3), by_column.sum(axis=3))
                ends = tap_outer(way, by_row.sum(axis=2), by_column.sum(axis=2))
                joined = np.flatnonzero(starts.any(axis=1))
                if not len(joined):
                    continue
                kept = products[i][joined] * mask[start:stop].ravel()
                by_channel = kept.reshape(len(joined), stop - start, -1)
                at_start[start:stop] += by_channel.sum(axis=2).T @ starts[joined]
                at_end += by_channel.sum(axis=1).T @ ends[joined]
                for other, others in zip(ways, products, strict=True):
                    counts = position_counts(way, other, rows, columns)
                    squares += exact_dot(kept.ravel(), counts.times(others, joined).ravel())
    return EdgeTriangles(at_start.ravel(), at_end.ravel(), squares)
