"""Products in compiled code: the work grows with the kept weights.

A block's product is a convolution of the few kept weights. The (pooled) source map is laid
out in padded planes, one for each phase of the stride, so that every kept weight becomes one
multiply-add of a whole map at a constant offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..axis import Axis
from ..block import Block
from ..compiled import compiled
from .blockwise import BlockwiseProduct


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
        rows, columns = block.rows, block.columns
        self.row_windows = _windows(rows)
        self.column_windows = _windows(columns)
        row_plane, row_shift, height = _planes(rows)
        column_plane, column_shift, width = _planes(columns)
        self.row_place = _places(rows, row_plane, height)
        self.column_place = _places(columns, column_plane, width)
        planes = (int(row_plane.max()) + 1, int(column_plane.max()) + 1)
        self.shape = (*planes, height, width)
        # Length of a target map in the planes' row pitch, without the last row's margin.
        self.run = (self.target.height - 1) * width + self.target.width
        self.channel_size = planes[0] * planes[1] * height * width
        # Place of each tap in the planes of a channel.
        plane = np.add.outer(row_plane * planes[1], column_plane)
        self.tap_offset = (plane * height + row_shift[:, None]) * width + column_shift
        most = self.source.channels * self.channel_size + self.run
        self.index = np.int32 if most < 2**31 else np.int64

    @cached_property
    def by_target(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where each target channel's entries start, and their places in the planes and weights."""
        block = self.block
        order = np.argsort(block.target_channel, kind="stable")
        place = block.source_channel * np.int64(self.channel_size)
        place += self.tap_offset[block.tap_y, block.tap_x]
        return (
            _starts(block.target_channel[order], self.target.channels),
            place[order].astype(self.index),
            self._weights(order),
        )

    @cached_property
    def by_source(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Where each source channel's entries start, and their targets, offsets and weights."""
        block = self.block
        offset = self.tap_offset[block.tap_y, block.tap_x]
        order = np.lexsort((offset, block.source_channel))
        return (
            _starts(block.source_channel[order], self.source.channels),
            block.target_channel[order].astype(np.int32),
            offset[order].astype(self.index),
            self._weights(order),
        )

    def _weights(self, order: np.ndarray) -> np.ndarray:
        if self.weighted:
            return self.block.weight[order]
        return np.ones(len(order), self.block.weight.dtype)

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add the block's part of ``D^T x`` to `y`."""
        planes = _to_planes(
            self.source.maps(x),
            self.row_windows,
            self.column_windows,
            self.row_place,
            self.column_place,
            self.shape,
        )
        _forward(*self.by_target, planes, self.run, self.shape[3], self.target.maps(y))

    def backward(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add the block's part of ``D x`` to `y`."""
        _backward(
            *self.by_source,
            self.target.maps(x),
            self.run,
            self.shape,
            self.row_windows,
            self.column_windows,
            self.row_place,
            self.column_place,
            self.source.maps(y),
        )


def _windows(axis: Axis) -> np.ndarray:
    if axis.windows is not None:
        return np.ascontiguousarray(axis.windows, np.int64)
    start = np.arange(axis.source_size)
    return np.stack([start, start + 1], axis=1)


def _planes(axis: Axis) -> tuple[np.ndarray, np.ndarray, int]:
    """Plane and shift of each tap, and the length of a plane along this axis."""
    reach = axis.dilation * np.arange(axis.taps)
    plane, shift = reach % axis.stride, reach // axis.stride
    return plane, shift, axis.target_size + int(shift.max())


def _places(axis: Axis, plane: np.ndarray, length: int) -> np.ndarray:
    """int64 (map_size, 2): plane and place of every map position, -1 where no tap reads it."""
    padded = np.arange(axis.map_size) + axis.padding
    places = np.stack([padded % axis.stride, padded // axis.stride], axis=1)
    unread = (places[:, 1] < 0) | (places[:, 1] >= length) | (places[:, 0] > plane.max())
    places[unread] = -1
    return places


def _starts(sorted_channels: np.ndarray, channels: int) -> np.ndarray:
    return np.searchsorted(sorted_channels, np.arange(channels + 1)).astype(np.int64)


@compiled
def _to_planes(x, row_windows, column_windows, row_place, column_place, shape):
    """Pool (sum) a map over windows and spread it over zero-padded planes."""
    channels = x.shape[0]
    planes = np.zeros((channels, shape[0], shape[1], shape[2], shape[3]), x.dtype)
    for c in range(channels):
        for i in range(row_windows.shape[0]):
            if row_place[i, 0] < 0:
                continue
            for j in range(column_windows.shape[0]):
                if column_place[j, 0] < 0:
                    continue
                total = 0.0
                for y in range(row_windows[i, 0], row_windows[i, 1]):
                    for z in range(column_windows[j, 0], column_windows[j, 1]):
                        total += x[c, y, z]
                planes[
                    c, row_place[i, 0], column_place[j, 0], row_place[i, 1], column_place[j, 1]
                ] = total
    return planes.reshape(-1)


@compiled
def _accumulate(total, vector, offsets, weights, start, stop, run):
    """total[i] += sum over entries of weight * vector[offset + i]; four entries at a time."""
    e = start
    while e + 4 <= stop:
        a, b, c, d = weights[e], weights[e + 1], weights[e + 2], weights[e + 3]
        p = vector[offsets[e] : offsets[e] + run]
        q = vector[offsets[e + 1] : offsets[e + 1] + run]
        r = vector[offsets[e + 2] : offsets[e + 2] + run]
        s = vector[offsets[e + 3] : offsets[e + 3] + run]
        for i in range(run):
            total[i] += (a * p[i] + b * q[i]) + (c * r[i] + d * s[i])
        e += 4
    while e < stop:
        a = weights[e]
        p = vector[offsets[e] : offsets[e] + run]
        for i in range(run):
            total[i] += a * p[i]
        e += 1


@compiled
def _forward(starts, offsets, weights, planes, run, pitch, y):
    total = np.empty(run, planes.dtype)
    for c in range(y.shape[0]):
        if starts[c] == starts[c + 1]:
            continue
        total[:] = 0.0
        _accumulate(total, planes, offsets, weights, starts[c], starts[c + 1], run)
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                y[c, i, j] += total[i * pitch + j]


@compiled
def _backward(
    starts,
    targets,
    offsets,
    weights,
    x,
    run,
    shape,
    row_windows,
    column_windows,
    row_place,
    column_place,
    y,
):
    pitch = shape[3]
    spread = np.zeros((x.shape[0], run), x.dtype)
    for c in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                spread[c, i * pitch + j] = x[c, i, j]
    planes = np.empty((shape[0], shape[1], shape[2], shape[3]), x.dtype)
    flat = planes.reshape(-1)
    for c in range(y.shape[0]):
        if starts[c] == starts[c + 1]:
            continue
        flat[:] = 0.0
        e, stop = starts[c], starts[c + 1]
        while e < stop:
            part = flat[offsets[e] : offsets[e] + run]
            # Entries are sorted by offset: equal ends mean four entries on one tap.
            if e + 4 <= stop and offsets[e] == offsets[e + 3]:
                a, b, f, g = weights[e], weights[e + 1], weights[e + 2], weights[e + 3]
                p, q = spread[targets[e]], spread[targets[e + 1]]
                r, s = spread[targets[e + 2]], spread[targets[e + 3]]
                for i in range(run):
                    part[i] += (a * p[i] + b * q[i]) + (f * r[i] + g * s[i])
                e += 4
            else:
                a = weights[e]
                p = spread[targets[e]]
                for i in range(run):
                    part[i] += a * p[i]
                e += 1
        for i in range(row_windows.shape[0]):
            if row_place[i, 0] < 0:
                continue
            for j in range(column_windows.shape[0]):
                if column_place[j, 0] < 0:
                    continue
                value = planes[
                    row_place[i, 0], column_place[j, 0], row_place[i, 1], column_place[j, 1]
                ]
                for u in range(row_windows[i, 0], row_windows[i, 1]):
                    for v in range(column_windows[j, 0], column_windows[j, 1]):
                        y[c, u, v] += value
