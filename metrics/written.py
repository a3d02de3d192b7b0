"""Ways of two steps between two node layers, counted edge by edge in compiled code.

The blocks of one group of ways are written out as lists of neighbours, first steps a chunk of
start nodes at a time, and every path of two steps is visited (Gustavson's product of sparse
matrices, row by row). See `choice` for when.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from graph_encoding import Block, Graph, NodeLayer
from graph_encoding.compiled import compiled
from graph_encoding.neighbours import neighbours, tables

from .choice import CHUNK_EDGES
from .overlaps import hull
from .ways import EdgeTriangles, Way


class Lists(NamedTuple):
    """Neighbours of some nodes: those of node i are ``far[start[i] : start[i + 1]]``."""

    start: np.ndarray  # int64 (nodes + 1,)
    far: np.ndarray  # int32


def walk_product(ways: Sequence[Way], others: Sequence[Way] | None = None) -> int:
    """Frobenius product of the numbers of ways, or their squared norm.

    Parameters
    ----------
    ways, others : sequence of Way
        Without `others` the ways themselves. They may start, turn and end where they will.

    Returns
    -------
    int
        Sum over pairs of a start and an end node of (ways between them) times (others).
    """
    every = [*ways, *(others or ())]
    origin, stop = hull(way.end for way in every)
    second = _second(ways, origin)
    other_second = second if others is None else _second(others, origin)
    size = stop - origin
    total = 0
    for low, high in ranges(every):
        first = first_steps(ways, low, high)
        if others is None:
            sums = _squares(first, second, size)
        else:
            sums = _products(first, second, first_steps(others, low, high), other_second, size)
        total += _exact_sum(sums)
    return total


def edge_triangles(block: Block, ways: Sequence[Way]) -> EdgeTriangles:
    """Count, for each edge of a block, the ways between its ends.

    Parameters
    ----------
    block : Block
    ways : sequence of Way
        Beside it: some from its source to its target.

    Returns
    -------
    EdgeTriangles
    """
    source, target = block.source, block.target
    second = _within(_second(ways, target.offset), target.size)
    at_start = np.zeros(source.size)
    at_end = np.zeros(target.size)
    squares = 0
    for low, high in ranges(ways, (source.offset, source.stop)):
        edges = neighbour_lists([(block, True, -target.offset)], low, high)
        first = first_steps(ways, low, high)
        part = at_start[low - source.offset : high - source.offset]
        squares += _exact_sum(_on_edges(first, second, edges, part, at_end))
    return EdgeTriangles(at_start, at_end, squares)


def reached_nodes(steps: Sequence[Block], ways: Sequence[Way]) -> int:
    """Pairs of a start and an end node that a block or a way joins.

    Parameters
    ----------
    steps : sequence of Block
    ways : sequence of Way
        At least one of both together.
    """
    origin, stop = hull([*(block.target for block in steps), *(way.end for way in ways)])
    second = _second(ways, origin)
    starts = hull([*(block.source for block in steps), *(way.start for way in ways)])
    total = 0
    for low, high in ranges(ways, starts):
        direct = neighbour_lists([(block, True, -origin) for block in steps], low, high)
        total += int(_reached(first_steps(ways, low, high), second, direct, stop - origin))
    return total


def ranges(ways: Sequence[Way], nodes: tuple[int, int] | None = None) -> Iterator[tuple[int, int]]:
    """Ranges of start nodes whose first steps fit into a chunk; of some nodes, or all."""
    low, stop = nodes or hull(way.start for way in ways)
    degree = _degrees([(way.first, way.first_along) for way in ways], low, stop)
    before = np.concatenate([[0], np.cumsum(degree)])
    first = low
    while low < stop:
        most = before[low - first] + CHUNK_EDGES
        high = first + int(np.searchsorted(before, most, side="right")) - 1
        high = min(max(high, low + 1), stop)
        yield low, high
        low = high


def first_steps(ways: Sequence[Way], low: int, high: int) -> Lists:
    """First steps of all ways, from some start nodes; the middle nodes of all ways in a row."""
    steps = []
    shift = 0
    for way in ways:
        steps.append((way.first, way.first_along, shift - way.middle.offset))
        shift += way.middle.size
    return neighbour_lists(steps, low, high)


def _second(ways: Sequence[Way], origin: int) -> Lists:
    """Second steps from the middle nodes of all ways in a row; ends are counted from `origin`."""
    lists = [
        neighbour_lists(
            [(way.second, way.second_along, -origin)], way.middle.offset, way.middle.stop
        )
        for way in ways
    ]
    if len(lists) == 1:
        return lists[0]
    shifts = np.cumsum([0, *(len(each.far) for each in lists)])
    starts = [each.start[:-1] + shift for each, shift in zip(lists, shifts[:-1], strict=True)]
    return Lists(
        np.append(np.concatenate(starts), shifts[-1]), np.concatenate([e.far for e in lists])
    )


def neighbour_lists(steps: Sequence[tuple[Block, bool, int]], low: int, high: int) -> Lists:
    """Far ends of the nodes from `low` to `high`, each with a number added, by steps along blocks
    or against them; nodes that a block does not have have none in it."""
    degree = _degrees([(block, along) for block, along, _ in steps], low, high)
    start = np.concatenate([[0], np.cumsum(degree)])
    far = np.empty(start[-1], np.int32)
    place = start[:-1].copy()
    for block, along, shift in steps:
        near = block.source if along else block.target
        first, stop = max(low, near.offset), min(high, near.stop)
        if first < stop:
            ports = tables(_alone(block), ("out" if along else "in",))
            _fill(ports, first, shift, place[first - low : stop - low], far)
    return Lists(start, far)


def _degrees(steps: Sequence[tuple[Block, bool]], low: int, high: int) -> np.ndarray:
    """int64 array: steps from each of the nodes from `low` to `high`."""
    degree = np.zeros(high - low, np.int64)
    for block, along in steps:
        near, fan = (block.source, block.fan_out) if along else (block.target, block.fan_in)
        first, stop = max(low, near.offset), min(high, near.stop)
        if first < stop:
            degree[first - low : stop - low] += fan[first - near.offset : stop - near.offset]
    return degree


def _within(lists: Lists, size: int) -> Lists:
    """Those of the far ends that are numbers from 0 to below `size`."""
    kept = (lists.far >= 0) & (lists.far < size)
    if kept.all():
        return lists
    places = np.flatnonzero(kept)
    return Lists(np.searchsorted(places, lists.start), lists.far[places])


def _alone(block: Block) -> Graph:
    """A block as a graph on the same nodes."""
    end = NodeLayer("", 0, max(block.source.stop, block.target.stop))
    return Graph([end], [block])


def _exact_sum(sums: np.ndarray) -> int:
    """Sum of non-negative int64, exact at any size."""
    return (int((sums >> 32).sum()) << 32) + int((sums & 0xFFFFFFFF).sum())


@compiled
def _fill(tables, near, shift, place, far):
    """Append the neighbours of nodes from `near` on to their lists."""
    for i in range(len(place)):
        count = neighbours(tables, near + i, far[place[i] :])
        for j in range(place[i], place[i] + count):
            far[j] += shift
        place[i] += count


@compiled
def _visit(first, second, node, paths):
    """Count the paths of two steps from a node to every end node; return their number."""
    visited = 0
    for i in range(first.start[node], first.start[node + 1]):
        low, high = second.start[first.far[i]], second.start[first.far[i] + 1]
        visited += high - low
        for j in range(low, high):
            paths[second.far[j]] += 1
    return visited


@compiled
def _clear(first, second, node, visited, paths):
    """Undo `_visit`."""
    if visited > len(paths) // 4:
        paths[:] = 0
        return
    for i in range(first.start[node], first.start[node + 1]):
        for j in range(second.start[first.far[i]], second.start[first.far[i] + 1]):
            paths[second.far[j]] = 0


@compiled
def _squares(first, second, size):
    paths = np.zeros(size, np.int32)
    sums = np.zeros(len(first.start) - 1, np.int64)
    for node in range(len(sums)):
        total = visited = 0
        for i in range(first.start[node], first.start[node + 1]):
            low, high = second.start[first.far[i]], second.start[first.far[i] + 1]
            visited += high - low
            for j in range(low, high):
                # (n + 1)^2 - n^2, added up to n^2.
                total += 2 * paths[second.far[j]] + 1
                paths[second.far[j]] += 1
        sums[node] = total
        _clear(first, second, node, visited, paths)
    return sums


@compiled
def _products(first, second, other_first, other_second, size):
    paths = np.zeros(size, np.int32)
    sums = np.zeros(len(first.start) - 1, np.int64)
    for node in range(len(sums)):
        visited = _visit(first, second, node, paths)
        if visited == 0:
            continue
        total = 0
        for i in range(other_first.start[node], other_first.start[node + 1]):
            middle = other_first.far[i]
            for j in range(other_second.start[middle], other_second.start[middle + 1]):
                total += paths[other_second.far[j]]
        sums[node] = total
        _clear(first, second, node, visited, paths)
    return sums


@compiled
def _on_edges(first, second, edges, at_start, at_end):
    paths = np.zeros(len(at_end), np.int32)
    squares = np.zeros(len(at_start), np.int64)
    for node in range(len(at_start)):
        if edges.start[node] == edges.start[node + 1]:
            continue
        visited = _visit(first, second, node, paths)
        for i in range(edges.start[node], edges.start[node + 1]):
            count = np.int64(paths[edges.far[i]])
            at_start[node] += count
            at_end[edges.far[i]] += count
            squares[node] += count * count
        _clear(first, second, node, visited, paths)
    return squares


@compiled
def _reached(first, second, direct, size):
    last = np.full(size, -1, np.int32)
    total = 0
    for node in range(len(first.start) - 1):
        for i in range(direct.start[node], direct.start[node + 1]):
            total += last[direct.far[i]] != node
            last[direct.far[i]] = node
        for i in range(first.start[node], first.start[node + 1]):
            for j in range(second.start[first.far[i]], second.start[first.far[i] + 1]):
                total += last[second.far[j]] != node
                last[second.far[j]] = node
    return total
