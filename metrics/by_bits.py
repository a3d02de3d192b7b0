"""Ways of two steps where layouts differ, with channels as bits, 64 at a time.

The first steps are written out. A second step is a bit for each channel that its kernel tap joins,
at each position. It may count the middle nodes in another layout than the first step, as in the
``published`` wiring.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from graph_encoding import Block, NodeLayer
from graph_encoding.compiled import compiled

from .overlaps import hull
from .ways import EdgeTriangles, Way, triangles_of
from .written import Lists, first_steps, neighbour_lists, ranges

FIVES, THREES, NIBBLES, BYTES = (
    np.uint64(number)
    for number in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101)
)
ONE, TWO, FOUR, TOP = (np.uint64(number) for number in (1, 2, 4, 56))
CHANNELS = 64  # a word


class Links(NamedTuple):
    """What some nodes are joined to: by each link ``start[i] <= l < start[i + 1]`` node i to the
    channels of ``bits[row[l]]`` at the position ``place[l]``."""

    start: np.ndarray  # int64 (nodes + 1,)
    place: np.ndarray  # int32
    row: np.ndarray  # int32
    bits: np.ndarray  # uint64 (rows, words)


def visits(ways: Sequence[Way]) -> int | None:
    """Words that are joined in `reached_by_bits`; None where it cannot be used."""
    if len({way.end for way in ways}) > 1:
        return None
    return sum(way.meeting(_links_each(way.second, True)) * _words(way.end) for way in ways)


def reached_by_bits(steps: Sequence[Block], ways: Sequence[Way]) -> int:
    """Pairs of a start and an end node that a block or a way joins.

    Parameters
    ----------
    steps : sequence of Block
    ways : sequence of Way
        At least one, all along their blocks and to one layer.
    """
    end = ways[0].end
    links = _links([(way.second, True) for way in ways], [way.middle for way in ways])
    starts = hull([*(block.source for block in steps), *(way.start for way in ways)])
    origin, stop = hull([*(block.target for block in steps), end])
    layout = end.offset - origin, end.positions, end.channels
    total = 0
    for low, high in ranges(ways, starts):
        direct = neighbour_lists([(block, True, -origin) for block in steps], low, high)
        total += int(_reached(first_steps(ways, low, high), links, direct, layout, stop - origin))
    return total


def visits_of_edges(block: Block, ways: Sequence[Way]) -> int:
    """Words and bits that are looked at in `edges_by_bits`."""
    total = 0
    for way in ways:
        back = Way(block, way.second, second_along=not way.second_along)
        links = back.meeting(_links_each(way.second, not way.second_along))
        total += way.first.num_edges + links * _words(way.second_start)
    return total


def edges_by_bits(block: Block, ways: Sequence[Way]) -> EdgeTriangles:
    """Count, for each edge of a block, the ways between its ends.

    The middle nodes that the start reaches are bits, of which those are counted that reach the end.

    Parameters
    ----------
    block : Block
    ways : sequence of Way
        Beside it.

    Returns
    -------
    EdgeTriangles
    """
    return triangles_of(block, _on_edges(block, ways))


def _on_edges(block: Block, ways: Sequence[Way]) -> Iterator[tuple[np.ndarray, ...]]:
    source, target = block.source, block.target
    back = [_links([(way.second, not way.second_along)], [target]) for way in ways]
    for low, high in ranges(ways, (source.offset, source.stop)):
        edges = neighbour_lists([(block, True, -target.offset)], low, high)
        found = np.zeros(len(edges.far), np.int64)
        for way, links in zip(ways, back, strict=True):
            middle = way.second_start
            first = neighbour_lists([(way.first, way.first_along, -middle.offset)], low, high)
            _add_common(first, links, edges, middle.positions, middle.channels, found)
        some = np.flatnonzero(found)
        node = np.searchsorted(edges.start, some, side="right") - 1 + low - source.offset
        yield node, edges.far[some], found[some].astype(np.float64)


def _words(layer: NodeLayer) -> int:
    return -(-layer.channels // CHANNELS)


def _links_each(block: Block, along: bool) -> np.ndarray:
    """Positions that each node on one side of a block is joined to, tap by tap."""
    near = block.source if along else block.target
    rows, columns = (
        (axis.target_counts if along else axis.source_counts).sum(axis=0)
        for axis in (block.rows, block.columns)
    )
    return np.tile(np.outer(rows, columns).ravel(), near.channels)


def _links(steps: Sequence[tuple[Block, bool]], runs: Sequence[NodeLayer]) -> Links:
    """Steps along blocks or against them, each from a run of nodes; all runs in a row."""
    nodes, places, rows, bits = [], [], [], []
    shift = base = 0
    for (block, along), run in zip(steps, runs, strict=True):
        near, far = (block.source, block.target) if along else (block.target, block.source)
        masks = block.tap_masks() > 0
        masks = masks if along else masks.transpose(0, 2, 1)
        padded = np.zeros((*masks.shape[:2], _words(far) * CHANNELS), bool)
        padded[..., : far.channels] = masks
        bits.append(np.packbits(padded, axis=-1, bitorder="little").view(np.uint64))
        for tap in range(block.taps):
            tap_y, tap_x = divmod(tap, block.columns.taps)
            y, far_y = np.nonzero(_turned(block.rows.relation[tap_y], along))
            x, far_x = np.nonzero(_turned(block.columns.relation[tap_x], along))
            channel = np.flatnonzero(masks[tap].any(axis=1))
            position = np.add.outer(y * near.width, x).ravel()
            node = near.offset + np.add.outer(channel * near.positions, position)
            inside = (node >= run.offset) & (node < run.stop)
            place = np.add.outer(far_y * far.width, far_x).ravel()
            row = base + tap * near.channels + channel
            nodes.append((node - run.offset + shift)[inside])
            places.append(np.broadcast_to(place, inside.shape)[inside])
            rows.append(np.broadcast_to(row[:, None], inside.shape)[inside])
        base += block.taps * near.channels
        shift += run.size
    node = np.concatenate(nodes)
    order = np.argsort(node, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(node, minlength=shift))])
    place, row = (np.concatenate(each)[order].astype(np.int32) for each in (places, rows))
    words = bits[0].shape[-1]
    return Links(start, place, row, np.concatenate([each.reshape(-1, words) for each in bits]))


def _turned(relation: np.ndarray, along: bool) -> np.ndarray:
    return relation if along else relation.T


@compiled
def _ones(word):
    """How many bits of a word are set."""
    word = word - ((word >> ONE) & FIVES)
    word = (word & THREES) + ((word >> TWO) & THREES)
    word = (word + (word >> FOUR)) & NIBBLES
    return np.int64((word * BYTES) >> TOP)


@compiled
def _note(reached, last, touched, count, lists: Lists, node, offset, channels):
    """Set the bits of a node's neighbours in a layer; positions new to it follow those touched."""
    positions, words = reached.shape
    for i in range(lists.start[node], lists.start[node + 1]):
        far = lists.far[i] - offset
        if 0 <= far < positions * channels:
            channel, place = divmod(far, positions)
            if last[place] != node:
                last[place] = node
                touched[count] = place
                count += 1
                for word in range(words):
                    reached[place, word] = 0
            reached[place, channel // 64] |= ONE << np.uint64(channel % 64)
    return count


@compiled
def _reached(first: Lists, links: Links, direct: Lists, layout, size):
    offset, positions, channels = layout
    words = links.bits.shape[1]
    reached = np.zeros((positions, words), np.uint64)
    last = np.full(positions, -1, np.int64)  # the node that has reached a position last
    touched = np.empty(positions, np.int64)
    elsewhere = np.full(size, -1, np.int64)
    total = 0
    for node in range(len(first.start) - 1):
        count = 0
        for i in range(first.start[node], first.start[node + 1]):
            middle = first.far[i]
            for link in range(links.start[middle], links.start[middle + 1]):
                place, row = links.place[link], links.row[link]
                if last[place] != node:
                    last[place] = node
                    touched[count] = place
                    count += 1
                    for word in range(words):
                        reached[place, word] = links.bits[row, word]
                else:
                    for word in range(words):
                        reached[place, word] |= links.bits[row, word]
        count = _note(reached, last, touched, count, direct, node, offset, channels)
        for i in range(direct.start[node], direct.start[node + 1]):
            far = direct.far[i]
            is_here = 0 <= far - offset < positions * channels
            if not is_here and elsewhere[far] != node:
                elsewhere[far] = node
                total += 1
        for i in range(count):
            for word in range(words):
                total += _ones(reached[touched[i], word])
    return total


@compiled
def _add_common(first: Lists, links: Links, edges: Lists, positions, channels, found):
    """Add to the number of ways of each edge the middle nodes that its start and its end share."""
    words = links.bits.shape[1]
    reached = np.zeros((positions, words), np.uint64)
    last = np.full(positions, -1, np.int64)
    touched = np.empty(positions, np.int64)
    for node in range(len(first.start) - 1):
        if edges.start[node] == edges.start[node + 1]:
            continue
        _note(reached, last, touched, 0, first, node, 0, channels)
        for edge in range(edges.start[node], edges.start[node + 1]):
            end = edges.far[edge]
            for link in range(links.start[end], links.start[end + 1]):
                place, row = links.place[link], links.row[link]
                if last[place] == node:
                    for word in range(words):
                        found[edge] += _ones(reached[place, word] & links.bits[row, word])
