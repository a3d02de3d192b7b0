"""Triangles: where a shortcut spans two layers.

A triangle is a step u -> a, a step a -> w and a shortcut u -> w. The triangles on an edge are the
ways of two steps between its ends, so they are counted by kernel algebra, edge by edge of a mask.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graph_encoding import Block, Graph

from .ways import Way, chunks, exact_dot, position_counts, tap_outer


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
    """Count the triangles of a regular graph.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    TriangleCounts
        Exact.
    """
    at_node = np.zeros(graph.num_nodes)
    total = squares = edge_triangles = 0
    for block, ways in _ways_beside(graph).items():
        on_edges = _on_edges(block, ways)
        edge_triangles += on_edges.total
        squares += on_edges.squares
        # Every triangle has one edge whose ends are its first and its middle node, and one whose
        # ends are its first and its last.
        for way, at_start, at_end in zip(ways, on_edges.at_start, on_edges.at_end, strict=True):
            if way.first_along and way.second_along:
                at_node[block.source.offset : block.source.stop] += at_start
                at_node[block.target.offset : block.target.stop] += at_end
                total += int(at_start.sum())
            elif way.first_along:
                at_node[block.target.offset : block.target.stop] += at_end
    degree = graph.degree.astype(np.float64)
    tails = exact_dot(at_node, degree) - 2 * exact_dot(at_node, np.ones(len(at_node)))
    return TriangleCounts(total, tails, (squares - edge_triangles) // 2)


def _ways_beside(graph: Graph) -> dict[Block, list[Way]]:
    """The ways of two steps that run beside each block, if any: the rest of a triangle."""
    by_ends = {(block.source, block.target): block for block in graph.blocks}
    beside: dict[Block, list[Way]] = {}
    for first in graph.blocks:
        for second in graph.blocks:
            shortcut = by_ends.get((first.source, second.target))
            if first.target != second.source or shortcut is None:
                continue
            beside.setdefault(shortcut, []).append(Way(first, second))
            beside.setdefault(first, []).append(Way(shortcut, second, second_along=False))
            beside.setdefault(second, []).append(Way(first, shortcut, first_along=False))
    return beside


class _OnEdges(NamedTuple):
    """Triangles on the edges of a block: their sum, the sum of their squares over the edges, and
    for each way their sum at every start and at every end node."""

    total: int
    squares: int
    at_start: list[np.ndarray]
    at_end: list[np.ndarray]


def _on_edges(block: Block, ways: list[Way]) -> _OnEdges:
    at_start = [np.zeros((block.source.channels, block.source.positions)) for _ in ways]
    at_end = [np.zeros((block.target.channels, block.target.positions)) for _ in ways]
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
                at_start[i][start:stop] += by_channel.sum(axis=2).T @ starts[joined]
                at_end[i] += by_channel.sum(axis=1).T @ ends[joined]
                for other, others in zip(ways, products, strict=True):
                    counts = position_counts(way, other, rows, columns)[joined]
                    for one, two in zip(kept, counts @ others, strict=True):
                        squares += exact_dot(one, two)
    total = sum(int(sums.sum()) for sums in at_start)
    flat = [sums.ravel() for sums in at_start], [sums.ravel() for sums in at_end]
    return _OnEdges(total, squares, *flat)
