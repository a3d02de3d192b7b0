"""Triangles: where a shortcut spans two layers.

A triangle is a step u -> a, a step a -> w and a shortcut u -> w. They are found one by one from
the ends of the sparser blocks, by looking up the third edge in the mask.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from graph_encoding import Block, Graph
from graph_encoding.axis import Axis
from graph_encoding.neighbours import Tables, neighbours, tables


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


class Corner(NamedTuple):
    """Three blocks that can close triangles: `first` then `second` run beside `shortcut`."""

    first: Block
    second: Block
    shortcut: Block


def corners(graph: Graph) -> list[Corner]:
    """All triples of blocks that can close triangles in a regular graph."""
    by_ends = {(block.source, block.target): block for block in graph.blocks}
    return [
        Corner(first, second, by_ends[first.source, second.target])
        for first in graph.blocks
        for second in graph.blocks
        if first.target == second.source and (first.source, second.target) in by_ends
    ]


def shares_blocks(found: list[Corner]) -> bool:
    """Whether a block is part of several corners, so that their triangles can share an edge."""
    blocks = [id(block) for corner in found for block in corner]
    return len(set(blocks)) < len(blocks)


def triangles(graph: Graph, found: list[Corner]) -> TriangleCounts:
    """Count the triangles of a regular graph whose corners share no block.

    Parameters
    ----------
    graph : Graph
    found : list of Corner
        From `corners`.

    Returns
    -------
    TriangleCounts
        Exact.
    """
    degree = graph.degree
    total = tails = diamonds = 0
    for corner in found:
        first, second, shortcut = corner
        # Edges u -> a and u -> w from u; edges a -> w from w.
        from_source = _count(
            _block_tables(graph, shortcut, "out"),
            _block_tables(graph, first, "out"),
            _lookup(second),
            shortcut.source.offset,
            shortcut.source.stop,
            False,
            degree,
        )
        from_target = _count(
            _block_tables(graph, shortcut, "in"),
            _block_tables(graph, second, "in"),
            _lookup(first),
            shortcut.target.offset,
            shortcut.target.stop,
            True,
            degree,
        )
        total += int(from_source[0])
        tails += int(from_source[1])
        # Both sides see the shortcut's edges: count those once.
        diamonds += int(from_source[2]) + int(from_source[3]) + int(from_target[3])
    return TriangleCounts(total, tails, diamonds)


def _block_tables(graph: Graph, block: Block, direction: str) -> Tables:
    return tables(Graph(graph.layers, [block], graph.encoding), (direction,))


def _lookup(block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What `_joined` needs: the mask, the taps between positions, and the block's ends."""
    source, target = block.source, block.target
    ends = [
        *(source.offset, source.height, source.width),
        *(target.offset, target.height, target.width),
        block.columns.taps,
    ]
    return (
        block.tap_masks().astype(np.bool_),
        _tap_between(block.rows),
        _tap_between(block.columns),
        np.array(ends),
    )


def _tap_between(axis: Axis) -> np.ndarray:
    """int64 (source positions, target positions): the tap that joins them, -1 without one."""
    relation = axis.relation > 0
    return np.where(relation.any(axis=0), relation.argmax(axis=0), -1)


@njit(cache=True, nogil=True)
def _count(shortcut, side, lookup, start, stop, reverse, degree):
    """Triangles, their tails, and pairs of triangles on the shortcut's and on the side's edges."""
    mask, row_tap, column_tap, ends = lookup
    size = degree[start:stop].max()
    nears, fars = np.empty(size, np.int32), np.empty(size, np.int32)
    on_near = np.empty(size, np.int64)
    total = tails = shortcut_pairs = side_pairs = 0
    for node in range(start, stop):
        far_count = neighbours(shortcut, node, fars)
        if far_count == 0:
            continue
        near_count = neighbours(side, node, nears)
        on_near[:near_count] = 0
        for i in range(far_count):
            on_far = 0
            for j in range(near_count):
                if reverse:
                    joined = _joined(mask, row_tap, column_tap, ends, fars[i], nears[j])
                else:
                    joined = _joined(mask, row_tap, column_tap, ends, nears[j], fars[i])
                if joined:
                    on_far += 1
                    on_near[j] += 1
                    tails += degree[node] + degree[nears[j]] + degree[fars[i]] - 6
            total += on_far
            shortcut_pairs += on_far * (on_far - 1) // 2
        for j in range(near_count):
            side_pairs += on_near[j] * (on_near[j] - 1) // 2
    return total, tails, shortcut_pairs, side_pairs


@njit(cache=True, nogil=True)
def _joined(mask, row_tap, column_tap, ends, source, target):
    source -= ends[0]
    source_channel = source // (ends[1] * ends[2])
    source -= source_channel * ends[1] * ends[2]
    target -= ends[3]
    target_channel = target // (ends[4] * ends[5])
    target -= target_channel * ends[4] * ends[5]
    tap_y = row_tap[source // ends[2], target // ends[5]]
    tap_x = column_tap[source % ends[2], target % ends[5]]
    if tap_y < 0 or tap_x < 0:
        return False
    return mask[tap_y * ends[6] + tap_x, source_channel, target_channel]
