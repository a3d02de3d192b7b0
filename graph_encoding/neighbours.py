"""Neighbours of a node, enumerated on the fly from the kept weights of its channel.

Every traversal (forests, core numbers, 2-hop counts) runs in compiled code over `neighbours`, so
it needs memory for nodes and weights but none for edges.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .axis import Axis
from .compiled import compiled
from .graph import Graph
from .grid import NodeLayer


class Tables(NamedTuple):
    """A graph as flat arrays for compiled code.

    A *port* is one side of a block: it lists the far ends of a near node. The node ids are cut
    into segments at the ends of all near grids; nodes of one segment share their ports.
    """

    segment_start: np.ndarray  # int64 (segments + 1,)
    segment_ports: np.ndarray  # int64 (segments + 1,), into `ports`
    ports: np.ndarray  # int64 (n, 9): see `_port`
    entry_start: np.ndarray  # int64: first entry of every (port, near channel, tap)
    entry_base: np.ndarray  # int32: id of the far channel's first node
    intervals: np.ndarray  # int32: [low, high) of far positions, by (axis, tap, near position)


def tables(graph: Graph, directions: tuple[str, ...] = ("out", "in")) -> Tables:
    """Flatten a graph for `neighbours`.

    Parameters
    ----------
    graph : Graph
        At most 2^31 - 1 nodes.
    directions : tuple of {"out", "in"}
        Which neighbours to list: successors, predecessors or both.

    Returns
    -------
    Tables
    """
    if graph.num_nodes >= 2**31:
        raise ValueError(f"a graph of {graph.num_nodes} nodes exceeds 2^31 - 1")
    intervals = _Intervals()
    starts: list[np.ndarray] = []
    bases: list[np.ndarray] = []
    ports: list[tuple[NodeLayer, np.ndarray]] = []
    num_starts = num_entries = 0
    for block in graph.blocks:
        sides = {
            "out": (block.source, block.target, block.source_channel, block.target_channel),
            "in": (block.target, block.source, block.target_channel, block.source_channel),
        }
        for direction in directions:
            near, far, near_channel, far_channel = sides[direction]
            key = near_channel.astype(np.int64) * block.taps + block.tap
            order = np.lexsort((far_channel, key))
            start = np.searchsorted(key[order], np.arange(near.channels * block.taps + 1))
            base = far.offset + far_channel[order].astype(np.int64) * far.positions
            port = [near.offset, near.height, near.width, far.width]
            port += [block.rows.taps, block.columns.taps, num_starts]
            port += [intervals.add(axis, direction) for axis in (block.rows, block.columns)]
            ports.append((near, np.array(port, np.int64)))
            starts.append(start + num_entries)
            bases.append(base.astype(np.int32))
            num_starts += len(start)
            num_entries += len(base)
    cuts = {0, graph.num_nodes}
    for near, _ in ports:
        cuts |= {near.offset, near.stop}
    segment_start = np.array(sorted(cuts), np.int64)
    by_segment = [
        [port for near, port in ports if near.offset <= start < near.stop]
        for start in segment_start[:-1]
    ]
    flat = [port for segment in by_segment for port in segment]
    return Tables(
        segment_start,
        np.cumsum([0, *map(len, by_segment)]),
        np.array(flat, np.int64).reshape(-1, 9),
        np.concatenate(starts) if starts else np.zeros(1, np.int64),
        np.concatenate(bases) if bases else np.zeros(0, np.int32),
        intervals.flat(),
    )


class _Intervals:
    """Interval tables of all axes, each stored once."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self.places: dict[tuple[int, str], int] = {}
        self.size = 0

    def add(self, axis: Axis, direction: str) -> int:
        place = self.places.get((id(axis), direction))
        if place is None:
            part = (axis.targets if direction == "out" else axis.sources).ravel()
            place = self.places[(id(axis), direction)] = self.size
            self.parts.append(part)
            self.size += len(part)
        return place

    def flat(self) -> np.ndarray:
        return np.concatenate(self.parts) if self.parts else np.zeros(0, np.int32)


@compiled
def neighbours(tables, node, out):
    """Write the neighbours of a node into a buffer.

    Parameters
    ----------
    tables : Tables
    node : int
    out : numpy.ndarray of int32
        At least as long as the node's degree.

    Returns
    -------
    int
        How many were written. Each neighbour occurs once; the order is fixed.
    """
    segment, after = 0, len(tables.segment_start) - 1
    while segment + 1 < after:  # np.searchsorted takes a second to compile
        middle = (segment + after) // 2
        if tables.segment_start[middle] <= node:
            segment = middle
        else:
            after = middle
    count = 0
    for p in range(tables.segment_ports[segment], tables.segment_ports[segment + 1]):
        port = tables.ports[p]
        height, width, far_width = port[1], port[2], port[3]
        taps_y, taps_x = port[4], port[5]
        local = node - port[0]
        channel = local // (height * width)
        position = local - channel * height * width
        y = position // width
        x = position - y * width
        starts = port[6] + channel * taps_y * taps_x
        rows, columns = port[7] + 2 * y, port[8] + 2 * x
        for tap_y in range(taps_y):
            y_low = tables.intervals[rows + 2 * tap_y * height]
            y_high = tables.intervals[rows + 2 * tap_y * height + 1]
            if y_low >= y_high:
                continue
            for tap_x in range(taps_x):
                x_low = tables.intervals[columns + 2 * tap_x * width]
                x_high = tables.intervals[columns + 2 * tap_x * width + 1]
                if x_low >= x_high:
                    continue
                start = tables.entry_start[starts + tap_y * taps_x + tap_x]
                stop = tables.entry_start[starts + tap_y * taps_x + tap_x + 1]
                for far_y in range(y_low, y_high):
                    for far_x in range(x_low, x_high):
                        far = far_y * far_width + far_x
                        for e in range(start, stop):
                            out[count] = tables.entry_base[e] + far
                            count += 1
    return count
