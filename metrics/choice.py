"""Which of two exact ways to count is the cheaper one, by estimate from the blocks' geometry.

What two steps join is counted by kernel algebra (see `ways`), whose work grows with the taps and
the channels, or edge by edge (see `written`), whose work grows with the paths of two steps. A
convolution repeats few weights at many positions and is better counted by algebra. A linear layer
over a whole map repeats nothing, and its kernel has as many taps as the map has positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graph_encoding import Block
from graph_encoding.axis import Axis

from .overlaps import hull
from .ways import CHUNK_ELEMENTS, Way

MEMORY = 256 << 20
"""Bytes below which only the time of a way to count matters."""

CHUNK_EDGES = 4 << 20
"""Edges of first steps that are written out at a time."""

# Seconds an element, as measured on one core.
MULTIPLICATION = 5e-11
PRODUCT = 8e-9
TERM = 1.5e-9
POSITION = 1e-8
PAIR_OF_WAYS = 6e-4
EDGE = 8e-9
PATH = 2e-9
NODE = 8e-8
TAP = 1.5e-9
STEP = 2e-4


class Cost(NamedTuple):
    """What counting takes.

    Attributes
    ----------
    seconds : float
    bytes : float
        Of the arrays held at a time.
    """

    seconds: float
    bytes: float


def joint(costs: Sequence[Cost]) -> Cost:
    """Cost of one count after the other."""
    return Cost(sum(cost.seconds for cost in costs), max([cost.bytes for cost in costs] + [0.0]))


def is_cheaper(one: Cost, other: Cost) -> bool:
    """Whether the first takes less memory than the other, or no more that matters and less time."""
    ranks = [(max(cost.bytes, MEMORY), cost.seconds) for cost in (one, other)]
    return ranks[0] <= ranks[1]


def algebra_cost(
    ways: Sequence[Way], others: Sequence[Way] | None = None, masks: Sequence[Block] = ()
) -> Cost:
    """Estimate kernel algebra.

    Parameters
    ----------
    ways, others : sequence of Way
        Between the same layers; counts of the first are multiplied with those of the others, with
        their own by default.
    masks : sequence of Block
        Blocks along whose edges alone the products are summed.
    """
    channels = ways[0].start.channels * ways[0].end.channels
    pairs = [(one, other) for one in ways for other in others or ()]
    if others is None:
        pairs = [(one, other) for i, one in enumerate(ways) for other in ways[i:]]
    every = [*ways, *(others or ())]
    tap_pairs = sum(way.tap_pairs for way in every)
    passes = 1 + sum(block.taps for block in masks)
    multiplications = sum(way.tap_pairs * channels * way.middle.channels for way in every)
    terms = positions = tables = 0.0
    for one, other in pairs:
        (rows, row_size), (columns, column_size) = (
            _joined(*axes) for axes in zip(one.axes, other.axes, strict=True)
        )
        terms += rows * columns * channels
        positions += row_size + column_size + 10 * rows * columns
        tables = max(tables, 8.0 * (row_size + column_size) + 48.0 * rows * columns)
    widest = max(way.tap_pairs * way.end.channels for way in every)
    step = min(ways[0].start.channels, max(1, CHUNK_ELEMENTS // widest))
    held = 24.0 * step * ways[0].end.channels * tap_pairs
    steps = {step for way in every for step in (way.first, way.second)}
    held += sum(8.0 * b.taps * b.source.channels * b.target.channels for b in steps)
    return Cost(
        MULTIPLICATION * multiplications
        + PRODUCT * passes * tap_pairs * channels
        + TERM * terms
        + POSITION * positions
        + PAIR_OF_WAYS * passes * len(pairs),
        held + tables,
    )


def _joined(one: tuple[Axis, bool, Axis, bool], other: tuple[Axis, bool, Axis, bool]):
    """Along one axis: how many pairs of tap pairs join the same positions; elements of tables."""
    first, first_along, second, second_along = one
    start = first.source_size if first_along else first.target_size
    end = second.target_size if second_along else second.source_size
    into = (first.source_counts if first_along else first.target_counts).sum(axis=0)
    out_of = (second.target_counts if second_along else second.source_counts).sum(axis=0)
    pairs, other_pairs = first.taps * second.taps, other[0].taps * other[2].taps
    # Of taps in a row, those pairs whose sums (differences) are the same ...
    few, many = sorted((first.taps, second.taps))
    same = many * few**2 - (few**3 - few) / 3
    # ... unless few positions have more than one way.
    ways = max(int(into @ out_of), 1)
    joined = min(same * max(1.0, other_pairs / pairs), max(ways, ways**2 / (start * end)))
    joined = max(min(joined, pairs * other_pairs), 1.0)
    return joined, start * end * (pairs + other_pairs) + pairs * other_pairs


def written_cost(ways: Sequence[Way], steps: Sequence[Block] = ()) -> Cost:
    """Estimate a visit of every path of two steps.

    Parameters
    ----------
    ways : sequence of Way
        At least one.
    steps : sequence of Block
        Blocks whose edges are visited too.
    """
    first = [(block, True) for block in steps] + [(way.first, way.first_along) for way in ways]
    second = [(way.second, way.second_along) for way in ways]
    edges, more_edges = (sum(block.num_edges for block, _ in side) for side in (first, second))
    held = 4.0 * (min(edges, CHUNK_EDGES) + (1 + (len(ways) > 1)) * more_edges)
    starts, ends = hull(way.start for way in ways), hull(way.end for way in ways)
    held += 24.0 * (starts[1] - starts[0]) + 8.0 * (ends[1] - ends[0])
    held += 16.0 * sum(way.middle.size for way in ways)
    return Cost(
        EDGE * (edges + more_edges)
        + PATH * sum(way.paths for way in ways)
        + sum(_listing_seconds(*step) for step in first + second)
        + STEP * len(first + second),
        held,
    )


def _listing_seconds(block: Block, along: bool) -> float:
    """Time to look for the neighbours of all nodes on one side of a block, tap by tap."""
    near = block.source if along else block.target
    counts = block.rows.target_counts if along else block.rows.source_counts
    rows = near.height * block.rows.taps + int((counts > 0).sum()) * block.columns.taps
    return NODE * near.size + TAP * near.channels * near.width * rows
