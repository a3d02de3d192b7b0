"""Ways of two steps between two node layers, counted by kernel algebra.

The number of ways from channel c at one position to channel d at another is a sum over pairs of
kernel taps: the number of middle channels that both masks keep at those taps (a matrix product),
times the number of middle positions that join the two positions by those taps (a product of
small position matrices along each axis). The matrix products do not depend on the size of
the maps, the position counts not on the channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graph_encoding import Block, NodeLayer
from graph_encoding.axis import Axis

if TYPE_CHECKING:
    from .sparse_counts import Counts

CHUNK_ELEMENTS = 4 << 20
"""Elements of one array of products held at a time."""

EXACT_FLOAT = 2**53
"""Integers below it are exact in double precision."""


class EdgeTriangles(NamedTuple):
    """Triangles on the edges of a block: their sum at every start and end node, and the sum of
    their squares over the edges."""

    at_start: np.ndarray
    at_end: np.ndarray
    squares: int


def triangles_of(
    block: Block, parts: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> EdgeTriangles:
    """Sum triangles over the edges of a block.

    Parameters
    ----------
    block : Block
    parts : iterable of tuple of numpy.ndarray
        Of some edges: places of their starts and ends in their layers, and triangles (float64).
    """
    at_start, at_end = np.zeros(block.source.size), np.zeros(block.target.size)
    squares = 0
    for start, end, counts in parts:
        at_start += np.bincount(start, counts, len(at_start))
        at_end += np.bincount(end, counts, len(at_end))
        squares += exact_dot(counts, counts)
    return EdgeTriangles(at_start, at_end, squares)


@dataclass(frozen=True, eq=False)
class Way:
    """Two steps, each along a block or against it.

    Parameters
    ----------
    first, second : Block
    first_along, second_along : bool
        Whether the step goes from the block's source to its target.
    """

    first: Block
    second: Block
    first_along: bool = True
    second_along: bool = True

    @property
    def start(self) -> NodeLayer:
        """Where the way begins."""
        return self.first.source if self.first_along else self.first.target

    @property
    def end(self) -> NodeLayer:
        """Where the way ends."""
        return self.second.target if self.second_along else self.second.source

    @property
    def middle(self) -> NodeLayer:
        """Where the way changes blocks, as its first step counts the positions there."""
        return self.first.target if self.first_along else self.first.source

    @property
    def is_aligned(self) -> bool:
        """Whether the second step counts the positions of the middle nodes as the first does."""
        return self.middle == self.second_start

    @cached_property
    def paths(self) -> int:
        """Number of paths of two steps that go this way."""
        return self.meeting(self.second.fan_out if self.second_along else self.second.fan_in)

    def meeting(self, second: np.ndarray) -> int:
        """Sum over the first steps of a number a node where second steps begin."""
        first = self.first.fan_in if self.first_along else self.first.fan_out
        one, other = self.middle, self.second_start
        low, high = max(one.offset, other.offset), min(one.stop, other.stop)
        meeting = (
            fan[low - n.offset : high - n.offset] for fan, n in ((first, one), (second, other))
        )
        return int(np.dot(*meeting))

    @property
    def second_start(self) -> NodeLayer:
        """Where the way changes blocks, as its second step counts the positions there."""
        return self.second.source if self.second_along else self.second.target

    @property
    def axes(self) -> tuple[tuple[Axis, bool, Axis, bool], tuple[Axis, bool, Axis, bool]]:
        """For rows and columns, the first axis and whether along it, and so for the second."""
        return (
            (self.first.rows, self.first_along, self.second.rows, self.second_along),
            (self.first.columns, self.first_along, self.second.columns, self.second_along),
        )

    @property
    def tap_pairs(self) -> int:
        """Number of pairs of taps."""
        return self.first.taps * self.second.taps

    @cached_property
    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """Masks of the two steps: (taps, start, middle) and (middle, taps, end) channels."""
        first, second = self.first.tap_masks(), self.second.tap_masks()
        if not self.first_along:
            first = first.transpose(0, 2, 1)
        if not self.second_along:
            second = second.transpose(0, 2, 1)
        return first, np.ascontiguousarray(second.transpose(1, 0, 2))

    def middle_counts(self, start: int, stop: int) -> np.ndarray:
        """Number of middle channels for every pair of taps, from some of the start channels.

        Returns
        -------
        numpy.ndarray of float64, shape (tap pairs, start channels * end channels)
        """
        first, second = self.masks
        part = np.ascontiguousarray(first[:, start:stop])
        taps, rows, middle = part.shape
        # Counts stay below 2^24, so single precision is exact.
        products = part.reshape(taps * rows, middle) @ second.reshape(middle, -1)
        by_pair = products.reshape(taps, rows, *second.shape[1:]).transpose(0, 2, 1, 3)
        return by_pair.astype(np.float64).reshape(taps * second.shape[1], -1)

    @cached_property
    def row_ways(self) -> np.ndarray:
        """Middle rows that join two rows by two taps: float64 (taps, taps, start, end)."""
        return self._joined(self.first.rows.relation, self.second.rows.relation)

    @cached_property
    def column_ways(self) -> np.ndarray:
        """Middle columns that join two columns by two taps, as `row_ways`."""
        return self._joined(self.first.columns.relation, self.second.columns.relation)

    @property
    def tap_places(self) -> tuple[np.ndarray, np.ndarray]:
        """What pairs of row taps and pairs of column taps add up to: the index of a tap pair."""
        first, second = self.first, self.second
        shape = (first.rows.taps, first.columns.taps, second.rows.taps, second.columns.taps)
        index = np.arange(self.tap_pairs).reshape(shape)
        return index[:, 0, :, 0].ravel(), index[0, :, 0, :].ravel()

    def _joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        if not self.first_along:
            first = first.transpose(0, 2, 1)
        if not self.second_along:
            second = second.transpose(0, 2, 1)
        return np.einsum("asm,bme->abse", first, second, optimize=True)


def are_alike(ways: Sequence[Way], ends: tuple[NodeLayer, NodeLayer] | None = None) -> bool:
    """Whether all ways count positions alike: those where they start and end, and in between.

    Kernel algebra can count these. (Others exist in the ``published`` wiring alone.) With `ends`,
    whether they start and end there, too.
    """
    same = {(way.start, way.end) for way in ways} | ({ends} if ends else set())
    return len(same) == 1 and all(way.is_aligned for way in ways)


def as_matrix(block: Block) -> Block:
    """A block on one target position whose taps read one source position each, without positions.

    The kernel of a linear layer over a whole map has as many taps as the map has positions. On
    nodes that count as channels it is one matrix. Any other block is returned as it is.
    """
    rows, columns = block.rows, block.columns
    if block.source.positions == 1 or block.target.positions > 1:
        return block
    if max(rows.source_counts.max(), columns.source_counts.max()) > 1:
        return block
    y, x = (axis.sources[tap, 0, 0] for axis, tap in ((rows, block.tap_y), (columns, block.tap_x)))
    there = (rows.source_counts[block.tap_y, 0] > 0) & (columns.source_counts[block.tap_x, 0] > 0)
    source = block.source
    node = (block.source_channel.astype(np.int64) * source.height + y) * source.width + x
    return replace(
        block,
        source=NodeLayer(source.name, source.offset, source.size),
        target_channel=block.target_channel[there],
        source_channel=node[there].astype(np.int32),
        tap_y=np.zeros(there.sum(), np.int16),
        tap_x=np.zeros(there.sum(), np.int16),
        weight=block.weight[there],
        rows=Axis(1, 1),
        columns=Axis(1, 1),
    )


def chunks(ways: Sequence[Way]) -> list[tuple[int, int]]:
    """Ranges of start channels, so that the products of any way fit into a chunk."""
    channels = ways[0].start.channels
    widest = max(way.tap_pairs * way.end.channels for way in ways)
    step = max(1, CHUNK_ELEMENTS // widest)
    return [(start, min(start + step, channels)) for start in range(0, channels, step)]


def product(ways: Sequence[Way], others: Sequence[Way] | None = None) -> int:
    """Frobenius product of the numbers of ways, or their squared norm.

    Parameters
    ----------
    ways, others : sequence of Way
        All between the same two layers; without `others` the ways themselves.

    Returns
    -------
    int
        Sum over pairs of a start and an end node of (ways between them) times (others). Exact.
    """
    every = [*ways, *(others or ())]
    here, there = range(len(ways)), range(len(ways), len(every))
    if others is None:
        pairs = [(i, j, 1 if i == j else 2) for i in here for j in here if i <= j]
    else:
        pairs = [(i, j, 1) for i in here for j in there]
    counts = [position_counts(every[i], every[j]) for i, j, _ in pairs]
    total = 0
    for start, stop in chunks(every):
        products = [way.middle_counts(start, stop) for way in every]
        for (i, j, factor), count in zip(pairs, counts, strict=True):
            joined = count.times(products[j])
            total += factor * exact_dot(products[i].ravel(), joined.ravel())
    return total


def position_counts(
    one: Way, other: Way, rows: np.ndarray | float = 1.0, columns: np.ndarray | float = 1.0
) -> Counts:
    """Pairs of positions that two tap pairs both join, counted with their ways.

    Parameters
    ----------
    one, other : Way
        Between the same node layers.
    rows, columns : numpy.ndarray of 0/1, shape (start, end), optional
        Pairs of rows (columns) to count.

    Returns
    -------
    Counts
        In rows the tap pairs of `one`, in columns those of `other`.
    """
    from .sparse_counts import Counts  # here, so that estimates load no compiled loops

    joined = [
        _joined_pairs(_flat(a * mask) @ _flat(b).T)
        for a, b, mask in (
            (one.row_ways, other.row_ways, rows),
            (one.column_ways, other.column_ways, columns),
        )
    ]
    # A product of the counts along the rows with those along the columns, in the order of taps.
    places = [
        np.add.outer(by_row[pairs[0]], by_column[pairs[1]]).ravel()
        for way, *pairs in ((one, joined[0][0], joined[1][0]), (other, joined[0][1], joined[1][1]))
        for by_row, by_column in (way.tap_places,)
    ]
    counts = np.multiply.outer(joined[0][2], joined[1][2]).ravel()
    return Counts.of(*places, counts, one.tap_pairs)


def _joined_pairs(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and values of the entries other than zero."""
    places = np.nonzero(counts)
    return *places, counts[places]


def tap_outer(way: Way, by_row: np.ndarray, by_column: np.ndarray) -> np.ndarray:
    """Outer product of per-tap-pair vectors along the rows and along the columns.

    Parameters
    ----------
    by_row : numpy.ndarray, shape (taps, taps, h)
    by_column : numpy.ndarray, shape (taps, taps, w)

    Returns
    -------
    numpy.ndarray, shape (tap pairs, h * w)
        In the order of `Way.middle_counts`.
    """
    outer = np.einsum("aby,cdx->acbdyx", by_row, by_column)
    return outer.reshape(way.tap_pairs, -1)


def exact_dot(one: np.ndarray, other: np.ndarray) -> int:
    """Dot product of two float64 vectors of non-negative integers, exact at any size."""
    if not len(one):
        return 0
    if float(one.max()) * float(other.max()) * len(one) < EXACT_FLOAT:
        return int(one @ other)
    if len(one) == 1:
        return int(one[0]) * int(other[0])
    half = len(one) // 2
    return exact_dot(one[:half], other[:half]) + exact_dot(one[half:], other[half:])


def _flat(ways: np.ndarray) -> np.ndarray:
    return ways.reshape(ways.shape[0] * ways.shape[1], -1)
