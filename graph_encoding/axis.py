"""One axis of a block: which source positions a kernel tap joins to which target positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Axis:
    """The geometry that repeats a weight along one spatial axis.

    Target position ``t`` reads, through kernel tap ``k``, the map position
    ``q = stride * t + dilation * k - padding``, and ``q`` stands for the source positions
    ``windows[q, 0] <= s < windows[q, 1]`` (pooling has no nodes of its own, so a pooled position
    stands for its window). Positions outside the map do not exist.

    Parameters
    ----------
    source_size, target_size : int
        Number of source and of target positions along this axis.
    taps : int
        Kernel size along this axis.
    stride, padding, dilation : int
        As in a convolution; `padding` counts positions before the map and may be negative.
    windows : numpy.ndarray of int, shape (map_size, 2), optional
        Source interval of every position of the pooled map, (0, 0) where it stands for nothing.
        Without it the map is the source itself.
    """

    source_size: int
    target_size: int
    taps: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    windows: np.ndarray | None = None

    @property
    def map_size(self) -> int:
        """Number of positions of the (pooled) map that the kernel slides over."""
        return self.source_size if self.windows is None else len(self.windows)

    @property
    def is_identity(self) -> bool:
        """Whether every target position reads the map position of its number, and no other."""
        return (self.taps, self.stride, self.padding) == (
            1,
            1,
            0,
        ) and self.map_size == self.target_size

    @cached_property
    def map_position(self) -> np.ndarray:
        """int64 array (taps, target_size): map position read by each tap, -1 where outside."""
        taps = np.arange(self.taps)[:, None]
        q = self.stride * np.arange(self.target_size) + self.dilation * taps - self.padding
        return np.where((q >= 0) & (q < self.map_size), q, -1)

    @cached_property
    def sources(self) -> np.ndarray:
        """int32 array (taps, target_size, 2): source interval of each tap and target position."""
        q = self.map_position
        if self.windows is None:
            intervals = np.stack([q, q + 1], axis=-1)
        else:
            intervals = self.windows[q]
        return np.where(q[..., None] >= 0, intervals, 0).astype(np.int32)

    @cached_property
    def targets(self) -> np.ndarray:
        """int32 array (taps, source_size, 2): target interval of each tap and source position."""
        low, high = (self.sources[..., end].astype(np.int64) for end in (0, 1))
        there = low < high
        start = np.broadcast_to(np.arange(self.taps)[:, None] * self.source_size, there.shape)
        low, high = (low + start)[there], (high + start)[there]
        target = np.broadcast_to(np.arange(self.target_size), there.shape)[there]
        size, last = self.taps * self.source_size, self.target_size - 1
        first = _least(low, high, target, size, self.target_size)
        stop = self.target_size - _least(low, high, last - target, size, self.target_size)
        empty = first >= stop
        intervals = np.stack([np.where(empty, 0, first), np.where(empty, 0, stop)], axis=-1)
        return intervals.astype(np.int32).reshape(self.taps, self.source_size, 2)

    @cached_property
    def source_counts(self) -> np.ndarray:
        """int64 array (taps, target_size): how many source positions a target position reads."""
        return np.diff(self.sources, axis=-1)[..., 0].astype(np.int64)

    @cached_property
    def target_counts(self) -> np.ndarray:
        """int64 array (taps, source_size): how many target positions a source position feeds."""
        return np.diff(self.targets, axis=-1)[..., 0].astype(np.int64)

    @cached_property
    def relation(self) -> np.ndarray:
        """float64 0/1 array (taps, source_size, target_size): the axis written out."""
        low, high = self.sources[..., 0], self.sources[..., 1]
        position = np.arange(self.source_size)[None, :, None]
        return ((position >= low[:, None]) & (position < high[:, None])).astype(np.float64)

    @cached_property
    def repeats_edges(self) -> bool:
        """Whether two taps join the same pair of positions (overlapping pooling windows)."""
        if self.windows is None or self.taps == 1:
            return False
        # The intervals that one target position reads through different taps must be disjoint.
        intervals = np.where(self.source_counts[..., None] > 0, self.sources, -1)
        order = np.argsort(intervals[..., 0], axis=0, kind="stable")
        low, high = (np.take_along_axis(intervals[..., end], order, axis=0) for end in (0, 1))
        return bool((low[1:] < high[:-1]).any())

    @cached_property
    def has_gaps(self) -> bool:
        """Whether the positions that a source position feeds through one tap have gaps."""
        if self.windows is None:
            return False
        return bool((self.target_counts.sum(axis=1) != self.source_counts.sum(axis=1)).any())


def _least(low: np.ndarray, high: np.ndarray, value: np.ndarray, size: int, none: int):
    """Least value of the intervals ``low <= place < high`` that hold a place, `none` without any.

    In time that grows with the intervals and the places, however many hold how many: an interval is
    two that overlap, of a power of two each, and these are halved until they are places.
    """
    found = np.full(size, none, np.int64)
    level = np.log2(high - low).astype(np.int64)
    for power in range(level.max(initial=-1), -1, -1):
        here = level == power
        np.minimum.at(found, low[here], value[here])
        np.minimum.at(found, high[here] - (1 << power), value[here])
        if power:
            half = 1 << (power - 1)
            found[half:] = np.minimum(found[half:], found[:-half])
    return found
