"""Ways of two steps that count the same nodes in two layouts.

The ``published`` wiring lays a block over the ids of a layer whose rows are longer than its own.
Kernel algebra needs one layout. But a product of two sums over steps can be taken in another order:

    <A B, C D> = <A^T C, B D^T>

and what is in one layout on the left side may be in two on the right, or the other way round. In
each factor a number of ways depends on the channels and on the kinds of the pairs of rows and of
columns alone, so it is looked up for every pair of nodes that the sparser factor joins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from graph_encoding import Block, NodeLayer

from .choice import CHUNK_EDGES, Cost, algebra_cost, joint
from .ways import EdgeTriangles, Way, are_alike, product, triangles_of

# Seconds, as measured on one core.
PAIR = 8e-9
ELEMENT = 4e-9


class Layout(NamedTuple):
    """How a node layer numbers its nodes."""

    offset: int
    positions: int
    width: int
    channels: int


class Kinds(NamedTuple):
    """Pairs of positions along one axis, those of one kind joined alike.

    Attributes
    ----------
    ways : numpy.ndarray of float64, shape (tap pairs, kinds)
        Middle positions by which each pair of taps joins a pair of a kind.
    of : numpy.ndarray of int64, shape (start, end)
        The kind of a pair, -1 where no taps join it.
    """

    ways: np.ndarray
    of: np.ndarray

    @classmethod
    def along(cls, ways: np.ndarray) -> Kinds:
        """Of `Way.row_ways` or `Way.column_ways`."""
        flat = ways.reshape(ways.shape[0] * ways.shape[1], -1)
        joined = np.flatnonzero(flat.any(axis=0))
        found, kind = np.unique(flat[:, joined], axis=1, return_inverse=True)
        of = np.full(flat.shape[1], -1, np.int64)
        of[joined] = kind.ravel()
        return cls(found, of.reshape(ways.shape[2:]))

    @property
    def pairs(self) -> int:
        """How many pairs of positions are joined."""
        return int(np.count_nonzero(self.of >= 0))


class Counts:
    """Numbers of ways, to be looked up.

    Parameters
    ----------
    way : Way
        Whose steps count the middle nodes alike.
    """

    def __init__(self, way: Way) -> None:
        self.way = way
        self.start, self.end = _layout(way.start), _layout(way.end)

    @cached_property
    def rows(self) -> Kinds:
        """Of pairs of rows."""
        return Kinds.along(self.way.row_ways)

    @cached_property
    def columns(self) -> Kinds:
        """Of pairs of columns."""
        return Kinds.along(self.way.column_ways)

    @property
    def pairs(self) -> int:
        """How many pairs of nodes are joined, at most."""
        channels = self.start.channels * self.end.channels
        return channels * self.rows.pairs * self.columns.pairs

    @property
    def size(self) -> int:
        """Numbers in `table`."""
        kinds = self.rows.ways.shape[1] * self.columns.ways.shape[1]
        return kinds * self.start.channels * self.end.channels

    def table(self) -> np.ndarray:
        """int64 array (kinds of rows, kinds of columns, start channels, end channels)."""
        rows, columns = self.rows.ways, self.columns.ways
        by_row, by_column = self.way.tap_places
        counts = self.way.middle_counts(0, self.start.channels)
        counts = counts[np.add.outer(by_row, by_column)]  # (row taps, column taps, channels)
        found = columns.T @ np.tensordot(rows, counts, (0, 0))
        shape = (rows.shape[1], columns.shape[1], self.start.channels, self.end.channels)
        return found.reshape(shape).astype(np.int64)


def factors(one: Way, other: Way) -> tuple[Way, Way] | None:
    """Two ways, each in one layout, whose product is that of the two; None if there are none."""
    if one.is_aligned and other.is_aligned:
        return one, other
    if one.start == other.start and one.end == other.end:
        return (
            Way(one.first, other.first, not one.first_along, other.first_along),
            Way(one.second, other.second, one.second_along, not other.second_along),
        )
    return None


def cost(ways: Sequence[Way], others: Sequence[Way] | None = None) -> Cost | None:
    """Estimate `layouts_product`; None where it cannot be used."""
    costs = []
    for one, other, _ in _pairs(ways, others):
        if are_alike([one, other]):
            costs.append(algebra_cost([one], [other]))
            continue
        found = factors(one, other)
        if found is None:
            return None
        counts = [Counts(way) for way in found]
        costs.append(_tables_cost(counts, min(each.pairs for each in counts)))
    return joint(costs)


def layouts_product(ways: Sequence[Way], others: Sequence[Way] | None = None) -> int:
    """Frobenius product of the numbers of ways, or their squared norm.

    Parameters
    ----------
    ways, others : sequence of Way
        Of which `cost` is known. Without `others` the ways themselves.

    Returns
    -------
    int
        As `ways.product`. Exact.
    """
    total = 0
    for one, other, factor in _pairs(ways, others):
        if are_alike([one, other]):
            total += factor * product([one], [other])
        else:
            total += factor * _looked_up(*map(Counts, factors(one, other)))
    return total


def edges_cost(block: Block, ways: Sequence[Way]) -> Cost | None:
    """Estimate `on_edges`; None where it cannot be used."""
    if not all(way.is_aligned for way in ways):
        return None
    return _tables_cost([Counts(way) for way in ways], (1 + len(ways)) * block.num_edges)


def on_edges(block: Block, ways: Sequence[Way]) -> EdgeTriangles:
    """Count, for each edge of a block, the ways between its ends.

    Parameters
    ----------
    block : Block
    ways : sequence of Way
        Beside it, of which `edges_cost` is known.

    Returns
    -------
    EdgeTriangles
    """
    return triangles_of(block, _on_edges(block, ways))


def _on_edges(block: Block, ways: Sequence[Way]) -> Iterator[tuple[np.ndarray, ...]]:
    from .looking_up import add_looked_up

    tables = [_argument(Counts(way)) for way in ways]
    for near, far, _ in block.edges(CHUNK_EDGES):
        found = np.zeros(len(near), np.int64)
        for table in tables:
            add_looked_up(near, far, table, found)
        some = np.flatnonzero(found)
        places = near[some] - block.source.offset, far[some] - block.target.offset
        yield *places, found[some].astype(np.float64)


def _tables_cost(counts: Sequence[Counts], pairs: int) -> Cost:
    """Estimate tables, and so many looks into them."""
    size = sum(each.size for each in counts)
    products = sum(each.way.tap_pairs * each.start.channels * each.end.channels for each in counts)
    return Cost(PAIR * pairs + ELEMENT * (size + products), 16.0 * size + 24.0 * products)


def _pairs(ways: Sequence[Way], others: Sequence[Way] | None) -> list[tuple[Way, Way, int]]:
    """What a product of sums is the sum of, and how often."""
    if others is not None:
        return [(one, other, 1) for one in ways for other in others]
    return [
        (one, other, 1 if one is other else 2)
        for index, one in enumerate(ways)
        for other in ways[index:]
    ]


def _looked_up(one: Counts, other: Counts) -> int:
    """The product of two numbers of ways, summed over the pairs that the sparser one joins."""
    from .looking_up import looked_up

    few, many = sorted((one, other), key=lambda counts: counts.pairs)
    return sum(map(int, looked_up(_argument(few), _argument(many))))


def _argument(counts: Counts) -> tuple:
    """As the compiled loops take it."""
    return counts.start, counts.end, counts.rows.of, counts.columns.of, counts.table()


def _layout(layer: NodeLayer) -> Layout:
    return Layout(layer.offset, layer.positions, layer.width, layer.channels)
