"""Neighbourhood: how many nodes are reached within one and within two steps along the edges."""

from __future__ import annotations

import numpy as np

from graph_encoding import Block, Graph, NodeLayer
from graph_encoding.axis import Axis
from graph_encoding.compiled import compiled

from . import choice
from .by_bits import reached_by_bits, visits
from .choice import Cost
from .overlaps import Ends, Islands
from .ways import Way, are_alike
from .written import reached_nodes

# Seconds, as measured on one core.
LINK = 5e-7
MARK = 1e-9
CALL = 3e-5

_Step = tuple[Block, Block | None]


def one_hop(graph: Graph) -> dict[str, float | None]:
    """``1-hop``: mean number of nodes reached in at most one step, the node itself included."""
    if not graph.num_nodes:
        return {"1-hop": None}
    return {"1-hop": (graph.num_nodes + graph.num_edges) / graph.num_nodes}


def two_hop(graph: Graph) -> dict[str, float | None]:
    """``2-hop``: mean number of nodes reached in at most two steps, the node itself included."""
    if not graph.num_nodes:
        return {"2-hop": None}
    return {"2-hop": total_two_hop(graph) / graph.num_nodes}


def total_two_hop(graph: Graph) -> int:
    """Sum over all nodes of the number of nodes reached in at most two steps.

    All positions of a channel whose surroundings look alike reach equally many nodes, so one
    position of each kind is counted. The channels reached at one position are a bit set, so 64 of
    them are joined at a time. Where that takes longer than a visit of every path of two steps, the
    paths are visited (see `choice`). Layers whose positions are not counted alike (see `overlaps`)
    are joined node by node, by bits or by paths.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    int
        Exact.
    """
    feeding: dict[NodeLayer, list[Block]] = {}
    for block in graph.blocks:
        feeding.setdefault(block.source, []).append(block)
    steps: list[_Step] = []
    for first in graph.blocks:
        steps.append((first, None))
        for source, blocks in feeding.items():
            if first.target.meets(source):
                steps += [(first, second) for second in blocks]
    total = graph.num_nodes
    for together in Islands(graph).together(steps, _ends):
        direct = [first for first, second in together if not second]
        ways = [Way(*step) for step in together if step[1]]
        if not ways:
            total += sum(block.num_edges for block in direct)
        elif len(set(map(_ends, together))) == 1 and are_alike(ways):
            total += _reached_nodes(*_ends(together[0]), direct, ways)
        else:
            words = visits(ways)
            is_less = words is not None and words < sum(way.paths for way in ways)
            total += (reached_by_bits if is_less else reached_nodes)(direct, ways)
    return total


def _ends(step: _Step) -> Ends:
    first, second = step
    return first.source, (second or first).target


def _reached_nodes(
    source: NodeLayer,
    target: NodeLayer,
    steps: list[Block],
    ways: list[Way],
) -> int:
    """Pairs (v in source, w in target) with w reached from v, counted in the cheaper way."""
    pairs = [*((block, None) for block in steps), *((way.first, way.second) for way in ways)]
    by_hand = choice.written_cost(ways, steps)
    if choice.is_cheaper(_links_cost(pairs), by_hand):
        rows = _PositionKinds([(first.rows, second and second.rows) for first, second in pairs])
        columns = _PositionKinds(
            [(first.columns, second and second.columns) for first, second in pairs]
        )
        if choice.is_cheaper(_marking_cost(source, target, pairs, rows, columns), by_hand):
            return _marked_nodes(source, target, pairs, rows, columns)
    return reached_nodes(steps, ways)


def _links_cost(pairs: list[tuple[Block, Block | None]]) -> Cost:
    """Least that marking must take, to be worth a look at the kinds of positions.

    Four times the look itself, so that it costs little where the paths are visited after all.
    """
    links = 0
    for first, second in pairs:
        links += first.rows.taps * first.source.height + first.columns.taps * first.source.width
        if second:
            links += int(first.rows.target_counts.sum()) * second.rows.taps
            links += int(first.columns.target_counts.sum()) * second.columns.taps
    return Cost(4 * LINK * links, 200.0 * links)


def _marking_cost(
    source: NodeLayer,
    target: NodeLayer,
    pairs: list[tuple[Block, Block | None]],
    rows: _PositionKinds,
    columns: _PositionKinds,
) -> Cost:
    """Estimate `_marked_nodes`, once the kinds of positions are known."""
    words = -(-target.channels // 64)
    kinds = len(rows.positions) * len(columns.positions)
    held = source.channels * rows.extent * columns.extent * words
    marks, bits = 2.0 * kinds * held, 0
    for index, (first, second) in enumerate(pairs):
        by_tap = np.outer(rows.links_by_tap(index), columns.links_by_tap(index)).ravel()
        entries = np.bincount(first.tap, minlength=first.taps)
        marks += words * float(entries @ by_tap) + 2.0 * kinds * len(first.tap)
        bits += (second.taps if second else 1) * first.target.channels * words
    return Cost(MARK * marks + CALL * kinds * len(pairs), 8.0 * (held + bits))


def _marked_nodes(
    source: NodeLayer,
    target: NodeLayer,
    pairs: list[tuple[Block, Block | None]],
    rows: _PositionKinds,
    columns: _PositionKinds,
) -> int:
    """Pairs (v in source, w in target) with w reached from v, one position of each kind."""
    ways = [_Prepared(first, second) for first, second in pairs]
    words = -(-target.channels // 64)
    reached = np.zeros((source.channels, rows.extent, columns.extent, words), np.uint64)
    total = 0
    for y, y_count in zip(rows.positions, rows.counts, strict=True):
        for x, x_count in zip(columns.positions, columns.counts, strict=True):
            reached[:] = 0
            for index, way in enumerate(ways):
                links = (*rows.links(index, y), *columns.links(index, x))
                _mark(*way.entries, way.bits, way.taps_x, *links, reached)
            total += y_count * x_count * int(np.bitwise_count(reached).sum(dtype=np.int64))
    return total


class _Prepared:
    """One block, or two in a row, prepared for `_mark`."""

    def __init__(self, first: Block, second: Block | None = None) -> None:
        self.first, self.second = first, second
        if second is None:
            # As if a second step of one tap followed that keeps each channel.
            channels = first.target.channels
            bits = np.zeros((1, channels, -(-channels // 64)), np.uint64)
            c = np.arange(channels)
            bits[0, c, c // 64] = np.uint64(1) << (c % 64).astype(np.uint64)
        else:
            words = -(-second.target.channels // 64)
            bits = np.zeros((second.taps, second.source.channels, words), np.uint64)
            bit = np.uint64(1) << (second.target_channel % 64).astype(np.uint64)
            place = (second.tap, second.source_channel, second.target_channel // 64)
            np.bitwise_or.at(bits, place, bit)
        self.bits = bits
        self.taps_x = second.columns.taps if second else 1
        order = np.argsort(first.source_channel, kind="stable")
        self.entries = (
            np.searchsorted(
                first.source_channel[order], np.arange(first.source.channels + 1)
            ).astype(np.int64),
            first.target_channel[order],
            first.tap_y[order],
            first.tap_x[order],
        )


class _PositionKinds:
    """The kinds of position along one axis: which targets are reached through which taps.

    Two positions are of one kind if their links differ by a shift of the targets only.
    """

    def __init__(self, axes: list[tuple[Axis, Axis | None]]) -> None:
        size = axes[0][0].source_size
        all_links = [_axis_links(first, second) for first, second in axes]
        self._links = []
        kinds: dict[bytes, list[int]] = {}
        self.extent = 1
        for position in range(size):
            links = [way[position] for way in all_links]
            reach = np.concatenate([link[:, 2] for link in links])
            base = reach.min() if len(reach) else 0
            links = [link - np.array([0, 0, base]) for link in links]
            self.extent = max(self.extent, int(reach.max() - base + 1) if len(reach) else 1)
            self._links.append(links)
            key = b"|".join(link.astype(np.int64).tobytes() for link in links)
            kinds.setdefault(key, []).append(position)
        self.positions = [members[0] for members in kinds.values()]
        self.counts = [len(members) for members in kinds.values()]
        self.taps = [first.taps for first, _ in axes]

    def links_by_tap(self, way: int) -> np.ndarray:
        """int64 array (taps,): links through each first tap, over all kinds."""
        links = [self._links[position][way][:, 0] for position in self.positions]
        return np.bincount(np.concatenate(links), minlength=self.taps[way])

    def links(self, way: int, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Links of one position, as (start by first tap, (second tap, target) rows)."""
        links = self._links[position][way]
        start = np.searchsorted(links[:, 0], np.arange(self.taps[way] + 1))
        return start, np.ascontiguousarray(links[:, 1:])


def _axis_links(first: Axis, second: Axis | None) -> list[np.ndarray]:
    """For each source position the sorted, distinct (first tap, second tap, target) triples."""
    targets = first.targets.tolist()
    further = second.targets.tolist() if second else None
    all_links = []
    for position in range(first.source_size):
        links = set()
        for tap in range(first.taps):
            for middle in range(*targets[tap][position]):
                if second is None:
                    links.add((tap, 0, middle))
                    continue
                for second_tap in range(second.taps):
                    for target in range(*further[second_tap][middle]):
                        links.add((tap, second_tap, target))
        all_links.append(np.array(sorted(links), np.int64).reshape(-1, 3))
    return all_links


@compiled
def _mark(
    starts,
    channels,
    tap_y,
    tap_x,
    bits,
    taps_x,
    row_start,
    row_links,
    column_start,
    column_links,
    reached,
):
    """Set the bits of the target channels that each source channel reaches at each position."""
    words = bits.shape[2]
    for c in range(len(starts) - 1):
        for e in range(starts[c], starts[c + 1]):
            middle = channels[e]
            for i in range(row_start[tap_y[e]], row_start[tap_y[e] + 1]):
                for j in range(column_start[tap_x[e]], column_start[tap_x[e] + 1]):
                    tap = row_links[i, 0] * taps_x + column_links[j, 0]
                    for w in range(words):
                        reached[c, row_links[i, 1], column_links[j, 1], w] |= bits[tap, middle, w]
