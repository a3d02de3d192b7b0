"""Nodes reached within two steps where the layouts differ: target channels as bits.

The first steps are written out. A second step sets, at each position of the target layer that it
reaches, the bits of all channels that its kernel tap keeps, 64 at a time. It may count the middle
nodes in another layout than the first step, as in the ``published`` wiring.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graph_encoding import Block, NodeLayer
from graph_encoding.compiled import compiled

from .overlaps import hull
from .ways import Way
from .written import Lists, first_steps, neighbour_lists, ranges

FIVES, THREES, NIBBLES, BYTES = (
    np.uint64(number)
    for number in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101)
)
ONE, TWO, FOUR, TOP = (np.uint64(number) for number in (1, 2, 4, 56))
CHANNELS = 64  # a word


class Links(NamedTuple):
    """What the middle nodes are joined to: by link ``start[i] <= l < start[i + 1]``, node i reaches
    at ``place[l]`` the channels of ``bits[row[l]]``."""

    start: np.ndarray  # int64 (nodes + 1,)
    place: np.ndarray  # int32
    row: np.ndarray  # int32
    bits: np.ndarray  # uint64 (rows, words)


def visits(ways: Sequence[Way]) -> int | None:
    """Words that are joined in `reached_by_bits`; None where it cannot be used."""
    if len({way.end for way in ways}) > 1:
        return None
    return sum(way.meeting(_links_out(way.second)) * _words(way.end) for way in ways)


def reached_by_bits(steps: Sequence[Block], ways: Sequence[Way]) -> int:
    """Pairs of a start and an end node that a block or a way joins.

    Parameters
    ----------
    steps : sequence of Block
    ways : sequence of Way
        At least one, all along their blocks and to one layer.
    """
    end = ways[0].end
    links = _links(ways)
    starts = hull([*(block.source for block in steps), *(way.start for way in ways)])
    origin, stop = hull([*(block.target for block in steps), end])
    layout = end.offset - origin, end.positions, end.channels
    total = 0
    for low, high in ranges(ways, starts):
        direct = neighbour_lists([(block, True, -origin) for block in steps], low, high)
        total += int(_reached(first_steps(ways, low, high), links, direct, layout, stop - origin))
    return total


def _words(layer: NodeLayer) -> int:
    return -(-layer.channels // CHANNELS)


def _links_out(block: Block) -> np.ndarray:
    """Positions that each source node of a block may reach, tap by tap."""
    rows, columns = (axis.target_counts.sum(axis=0) for axis in (block.rows, block.columns))
    return np.tile(np.outer(rows, columns).ravel(), block.source.channels)


def _links(ways: Sequence[Way]) -> Links:
    """The second steps of all ways, from the middle nodes of all ways in a row."""
    nodes, places, rows, bits = [], [], [], []
    shift = base = 0
    for way in ways:
        block, source = way.second, way.second.source
        masks = block.tap_masks() > 0
        padded = np.zeros((*masks.shape[:2], _words(way.end) * CHANNELS), bool)
        padded[..., : masks.shape[2]] = masks
        found = np.packbits(padded, axis=-1, bitorder="little").view(np.uint64)
        for tap in range(block.taps):
            tap_y, tap_x = divmod(tap, block.columns.taps)
            y, end_y = np.nonzero(block.rows.relation[tap_y])
            x, end_x = np.nonzero(block.columns.relation[tap_x])
            channel = np.flatnonzero(masks[tap].any(axis=1))
            near = np.add.outer(y * source.width, x).ravel()
            node = source.offset + np.add.outer(channel * source.positions, near)
            inside = (node >= way.middle.offset) & (node < way.middle.stop)
            place = np.add.outer(end_y * way.end.width, end_x).ravel()
            row = base + tap * source.channels + channel
            nodes.append((node - way.middle.offset + shift)[inside])
            places.append(np.broadcast_to(place, inside.shape)[inside])
            rows.append(np.broadcast_to(row[:, None], inside.shape)[inside])
        bits.append(found.reshape(-1, found.shape[-1]))
        base += len(bits[-1])
        shift += way.middle.size
    node = np.concatenate(nodes)
    order = np.argsort(node, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(node, minlength=shift))])
    place, row = (np.concatenate(each)[order].astype(np.int32) for each in (places, rows))
    return Links(start, place, row, np.concatenate(bits))


@compiled
def _ones(word):
    """How many bits of a word are set."""
    word = word - ((word >> ONE) & FIVES)
    word = (word & THREES) + ((word >> TWO) & THREES)
    word = (word + (word >> FOUR)) & NIBBLES
    return np.int64((word * BYTES) >> TOP)


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
        for i in range(direct.start[node], direct.start[node + 1]):
            far = direct.far[i] - offset
            if 0 <= far < positions * channels:
                channel, place = divmod(far, positions)
                if last[place] != node:
                    last[place] = node
                    touched[count] = place
                    count += 1
                    for word in range(words):
                        reached[place, word] = 0
                reached[place, channel // 64] |= ONE << np.uint64(channel % 64)
            elif elsewhere[direct.far[i]] != node:
                elsewhere[direct.far[i]] = node
                total += 1
        for i in range(count):
            for word in range(words):
                total += _ones(reached[touched[i], word])
    return total
