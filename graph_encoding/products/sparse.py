"""Products in compiled code: the work grows with the kept weights.

A block's product is a convolution of the few kept weights. One side's (pooled) maps are laid out in
zero-padded planes, one for each phase of the stride, so that what a plane of the other side
receives is a sum of pieces of one vector: a piece at a constant offset for each kept weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..axis import Axis
from ..block import Block
from ..compiled import compiled
from .blockwise import BlockwiseProduct
from .tiles import BYTES, MOST, tile

SLACK = MOST * BYTES // 4
"""Numbers that a tile may read too far."""

Entries = tuple[np.ndarray, np.ndarray, np.ndarray]
"""What the planes of one side receive: where each plane's entries start, int64 (planes + 1,); from
a place of the plane to the one that is read, in the vector of the other side's planes; weights."""

Spread = tuple[int, int, int, int, np.ndarray]
"""How positions along an axis are spread over planes: their number, stride, padding, phases, and
the nodes that each stands for. Position q is place ``(q + padding) // stride`` of the plane of its
phase, ``(q + padding) % stride``, if there is one."""

_one, _two, _four = tile(1), tile(2), tile(MOST)


class AdjacencyProduct(BlockwiseProduct):
    """Products in compiled code on the CPU; the work grows with the kept weights.

    Sums have the precision of the vector: float64 or float32.

    Parameters
    ----------
    num_nodes : int
    blocks : sequence of Block
    weighted : bool
        Whether an edge counts its weight or one.
    """

    def __init__(self, num_nodes: int, blocks: Sequence[Block], weighted: bool = True) -> None:
        super().__init__(num_nodes, [BlockProduct(block, weighted) for block in blocks])


class BlockProduct:
    """One block prepared for products with vectors of float64 or float32.

    Parameters
    ----------
    block : Block
    weighted : bool
        Whether an edge counts its weight or one.
    """

    def __init__(self, block: Block, weighted: bool = True) -> None:
        self.block, self.weighted = block, weighted
        self.source, self.target = block.source, block.target
        row_phase, row_shift = _phases(block.rows)
        column_phase, column_shift = _phases(block.columns)
        axes = block.rows, block.columns
        self.is_pooled = any(axis.windows is not None for axis in axes)
        self.read = tuple(_sources(axis) for axis in axes)
        self.written = tuple(_targets(axis) for axis in axes)
        # Both sides' planes have room for the targets and for what the taps reach beyond them.
        self.plane = (
            self.target.height + int(row_shift.max()),
            self.target.width + int(column_shift.max()),
        )
        phases = int(column_phase.max()) + 1
        self.tap_phase = np.add.outer(row_phase * phases, column_phase)
        self.tap_shift = np.add.outer(row_shift * self.plane[1], column_shift)
        # Zeros before the targets' planes, for the taps that reach back from their first place.
        self.lead = int(self.tap_shift.max())
        self.plane_size = np.int64(self.plane[0] * self.plane[1])
        self.phases = (int(row_phase.max()) + 1) * phases
        channels = max(self.source.channels * self.phases, self.target.channels)
        most = channels * self.plane_size + self.lead + SLACK
        self.index = np.int32 if most < 2**31 else np.int64

    @cached_property
    def by_target(self) -> Entries:
        """What the targets' planes receive from the sources'."""
        offset = self._source_plane * self.plane_size + self._shift
        return self._entries(self.block.target_channel, offset, self.target.channels)

    @cached_property
    def by_source(self) -> Entries:
        """What the sources' planes receive from the targets'."""
        offset = self.block.target_channel * self.plane_size + (self.lead - self._shift)
        return self._entries(self._source_plane, offset, self.source.channels * self.phases)

    @property
    def _source_plane(self) -> np.ndarray:
        phase = self.tap_phase[self.block.tap_y, self.block.tap_x]
        return self.block.source_channel * np.int64(self.phases) + phase

    @property
    def _shift(self) -> np.ndarray:
        return self.tap_shift[self.block.tap_y, self.block.tap_x]

    def _entries(self, plane: np.ndarray, offset: np.ndarray, planes: int) -> Entries:
        order = np.lexsort((offset, plane))
        weights = self.block.weight
        return (
            np.searchsorted(plane[order], np.arange(planes + 1)).astype(np.int64),
            offset[order].astype(self.index),
            weights[order] if self.weighted else np.ones(len(order), weights.dtype),
        )

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add the block's part of ``D^T x`` to `y`."""
        planes = _to_planes(self.source.maps(x), *self.read, self.is_pooled, *self.plane, 0)
        _add(*self.by_target, planes, *self.written, False, *self.plane, self.target.maps(y))

    def backward(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add the block's part of ``D x`` to `y`."""
        planes = _to_planes(self.target.maps(x), *self.written, False, *self.plane, self.lead)
        _add(*self.by_source, planes, *self.read, self.is_pooled, *self.plane, self.source.maps(y))


def _phases(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Phase and shift of each tap."""
    reach = axis.dilation * np.arange(axis.taps)
    return reach % axis.stride, reach // axis.stride


def _sources(axis: Axis) -> Spread:
    """The (pooled) source positions, by the phases that some tap reads."""
    windows = axis.windows
    if windows is None:
        start = np.arange(axis.source_size)
        windows = np.stack([start, start + 1], axis=1)
    phases = int(_phases(axis)[0].max()) + 1
    windows = np.ascontiguousarray(windows, np.int64)
    return axis.map_size, axis.stride, axis.padding, phases, windows


def _targets(axis: Axis) -> Spread:
    """The target positions, in one plane."""
    return axis.target_size, 1, 0, 1, np.zeros((0, 2), np.int64)


@compiled
def _places(spread, phase, length):
    """First place of a plane that holds a position, its position, and the end of the places."""
    positions, stride, padding = spread[0], spread[1], spread[2]
    first = min(length, max(0, -((phase - padding) // stride)))
    stop = min(length, (positions - 1 + padding - phase) // stride + 1)
    return first, first * stride + phase - padding, max(first, stop)


@compiled
def _to_planes(x, rows, columns, is_pooled, height, width, lead):
    """Pool (sum) maps over windows and spread them over zero-padded planes."""
    row_phases, column_phases = rows[3], columns[3]
    row_windows, column_windows = rows[4], columns[4]
    row_stride, stride = rows[1], columns[1]
    count = x.shape[0] * row_phases * column_phases
    planes = np.zeros(lead + count * height * width + SLACK, x.dtype)
    at = lead
    for c in range(x.shape[0]):
        for row_phase in range(row_phases):
            first_row, i, row_stop = _places(rows, row_phase, height)
            for column_phase in range(column_phases):
                first, j, stop = _places(columns, column_phase, width)
                for row in range(row_stop - first_row):
                    here = at + (first_row + row) * width
                    to, q = planes[here + first : here + stop], i + row * row_stride
                    if is_pooled:
                        for place in range(len(to)):
                            r = j + place * stride
                            total = 0.0
                            for u in range(row_windows[q, 0], row_windows[q, 1]):
                                for v in range(column_windows[r, 0], column_windows[r, 1]):
                                    total += x[c, u, v]
                            to[place] = total
                    elif stride == 1:
                        for place in range(len(to)):
                            to[place] = x[c, q, j + place]
                    else:
                        for place in range(len(to)):
                            to[place] = x[c, q, j + place * stride]
                at += height * width
    return planes


@compiled
def _add(starts, offsets, weights, planes, rows, columns, is_pooled, height, width, y):
    """Add what the planes of one side receive from those of the other to its maps."""
    row_places, column_places = _all_places(rows, height), _all_places(columns, width)
    first_row, row_stop = _range(row_places)
    first, stop = _range(column_places)
    begin, end = first_row * width + first, (row_stop - 1) * width + stop
    is_same = _is_same(rows, height) and _is_same(columns, width) and not is_pooled
    maps = y.reshape(len(y), -1)
    longest = MOST * BYTES // planes.itemsize
    total = np.empty(longest, planes.dtype)
    for at in range(begin, end, longest):
        left = min(longest, end - at)
        for plane in range(len(starts) - 1):
            start, last = starts[plane], starts[plane + 1]
            if start == last:
                continue
            if 2 * left > longest:
                _four(total, planes, offsets, weights, start, last, at)
            elif 4 * left > longest:
                _two(total, planes, offsets, weights, start, last, at)
            else:
                _one(total, planes, offsets, weights, start, last, at)
            if is_same:
                for i in range(left):
                    maps[plane, at + i] += total[i]
                continue
            _add_tile(
                total,
                left,
                at,
                plane,
                rows,
                columns,
                row_places,
                column_places,
                is_pooled,
                width,
                y,
            )


@compiled
def _is_same(spread, length):
    """Whether there is one plane, whose places are the positions."""
    return (spread[0], spread[1], spread[2], spread[3]) == (length, 1, 0, 1)


@compiled
def _all_places(spread, length):
    """`_places` of every phase: int64 (phases, 3)."""
    places = np.empty((spread[3], 3), np.int64)
    for phase in range(len(places)):
        first, position, stop = _places(spread, phase, length)
        places[phase, 0], places[phase, 1], places[phase, 2] = first, position, stop
    return places


@compiled
def _range(places):
    """First place that holds a position in any phase, and the end of the places."""
    first, stop = places[0, 0], places[0, 2]
    for phase in range(1, len(places)):
        first, stop = min(first, places[phase, 0]), max(stop, places[phase, 2])
    return first, stop


@compiled
def _add_tile(
    total, left, at, plane, rows, columns, row_places, column_places, is_pooled, width, y
):
    """Add a piece of a plane to the maps of its channel."""
    c, row_phase, column_phase = plane, 0, 0
    if rows[3] * columns[3] > 1:
        c, phase = divmod(plane, rows[3] * columns[3])
        row_phase, column_phase = divmod(phase, columns[3])
    first_row, row_stop = row_places[row_phase, 0], row_places[row_phase, 2]
    first, stop = column_places[column_phase, 0], column_places[column_phase, 2]
    i, j = row_places[row_phase, 1], column_places[column_phase, 1]
    row_stride, stride = rows[1], columns[1]
    row, column = divmod(at, width)
    done = 0
    while done < left:
        count = min(width - column, left - done)
        if first_row <= row < row_stop:
            q = i + (row - first_row) * row_stride
            low, high = max(first, column), min(stop, column + count)
            piece, r = done + low - column, j + (low - first) * stride
            if is_pooled:
                row_windows, column_windows = rows[4], columns[4]
                for place in range(high - low):
                    at_column = r + place * stride
                    for u in range(row_windows[q, 0], row_windows[q, 1]):
                        for v in range(column_windows[at_column, 0], column_windows[at_column, 1]):
                            y[c, u, v] += total[piece + place]
            elif stride == 1:
                for place in range(high - low):
                    y[c, q, r + place] += total[piece + place]
            else:
                for place in range(high - low):
                    y[c, q, r + place * stride] += total[piece + place]
        done += count
        row, column = row + 1, 0
