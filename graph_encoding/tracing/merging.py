"""Several ways through which weights join the same two nodes, made one edge.

Overlapping pooling windows before a kernel, a layer beside another between the same node layers, or
an identity shortcut around one convolution would join a pair of nodes more than once. One edge
stands for them all; its weight is the sum, as the flow along it is.

Along each axis every pair of positions has a *signature*: through which taps of which layers it is
joined. Pairs of one signature get a tap of their own, so that the new taps join disjoint pairs, and
a kept weight of the new block is the sum of the old ones of its signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..axis import Axis
from ..weights import LARGEST
from .network import Connection, Entries


def merged(connections: Sequence[Connection]) -> Connection:
    """One connection for several between the same two node layers.

    Parameters
    ----------
    connections : sequence of Connection

    Returns
    -------
    Connection
        It joins no pair of nodes twice.

    Raises
    ------
    NotImplementedError
        If the positions that a tap joins have gaps.
    """
    if len(connections) == 1 and _is_simple(connections[0]):
        return connections[0]
    axes, taps = zip(
        *map(_joint_axis, zip(*(connection.axes for connection in connections), strict=True)),
        strict=True,
    )
    found = [
        _spread(connection.entries, new)
        for connection, new in zip(connections, zip(*taps, strict=True), strict=True)
    ]
    names = dict.fromkeys(connection.name for connection in connections)
    first = connections[0]
    return Connection(
        name=" + ".join(names),
        source=first.source,
        target=first.target,
        entries=summed(found),
        axes=axes,
        kept_weights=sum(connection.kept_weights for connection in connections),
        total_weights=sum(connection.total_weights for connection in connections),
    )


def _is_simple(connection: Connection) -> bool:
    return all(not axis.repeats_edges and not axis.has_gaps for axis in connection.axes)


def _joint_axis(axes: Sequence[Axis]) -> tuple[Axis, list[list[np.ndarray]]]:
    """An axis with a tap for each signature, and for each old tap the new ones that it is in."""
    relations = np.concatenate([axis.relation for axis in axes]).astype(bool)
    _, source_size, target_size = relations.shape
    pairs = np.argwhere(relations.any(axis=0))
    bits = relations[:, pairs[:, 0], pairs[:, 1]]
    signatures, kind = np.unique(bits, axis=1, return_inverse=True)
    new: list[np.ndarray] = []  # pairs of each new tap
    belongs: list[int] = []
    for number in range(signatures.shape[1]):
        for group in _without_gaps(pairs[kind.ravel() == number]):
            new.append(group)
            belongs.append(number)
    taps = max(len(new), 1)
    windows = np.zeros((target_size, taps, 2), np.int64)
    for tap, group in enumerate(new):
        low = np.full(target_size, source_size)
        high = np.zeros(target_size, np.int64)
        np.minimum.at(low, group[:, 1], group[:, 0])
        np.maximum.at(high, group[:, 1], group[:, 0] + 1)
        there = low < high
        windows[there, tap] = np.stack([low, high], axis=1)[there]
    joint = Axis(source_size, target_size, taps, taps, 0, 1, windows.reshape(-1, 2))
    members = signatures[:, belongs] if belongs else np.zeros((len(relations), 0), bool)
    old_taps = [np.flatnonzero(row) for row in members]
    first = np.cumsum([0, *(axis.taps for axis in axes)])
    return joint, [old_taps[a:b] for a, b in pairwise(first)]


def _without_gaps(pairs: np.ndarray) -> list[np.ndarray]:
    """Cut pairs (source, target) into groups in which the partners of any position are a run."""
    groups = [pairs]
    for _ in range(4):
        cut = [part for group in groups for part in _cut(group, 1)]
        cut = [part for group in cut for part in _cut(group, 0)]
        if len(cut) == len(groups):
            return groups
        groups = cut
    raise NotImplementedError("the positions that a kernel joins have gaps")


def _cut(pairs: np.ndarray, side: int) -> list[np.ndarray]:
    """Cut by the number of the run in which a pair is among its partners of `side`."""
    other = 1 - side
    order = np.lexsort((pairs[:, other], pairs[:, side]))
    pairs = pairs[order]
    new_position = np.diff(pairs[:, side], prepend=-1) != 0
    new_run = (np.diff(pairs[:, other], prepend=-2) != 1) & ~new_position
    runs = np.cumsum(new_run)
    start = np.maximum.accumulate(np.where(new_position, np.arange(len(pairs)), 0))
    run = runs - runs[start]
    return [pairs[run == number] for number in range(run.max(initial=-1) + 1)]


def _spread(entries: Entries, new_taps: Sequence[list[np.ndarray]]) -> Entries:
    """Each entry once for every combination of the new taps, an axis each, that its own are in."""
    fans = [
        np.array([len(new) for new in lists])[tap]
        for lists, tap in zip(new_taps, entries.taps, strict=True)
    ]
    counts = np.prod(fans, axis=0)
    old = np.repeat(np.arange(len(entries)), counts)
    place = np.arange(len(old)) - np.repeat(np.cumsum(counts) - counts, counts)
    taps = []
    for lists, tap, fan in zip(reversed(new_taps), reversed(entries.taps), fans[::-1], strict=True):
        place, turn = np.divmod(place, np.maximum(fan[old], 1))
        taps.append(_table(lists)[tap[old], turn])
    one = entries.take(old)
    return Entries.of(one.target_channel, one.source_channel, *taps[::-1], one.weight)


def _table(lists: list[np.ndarray]) -> np.ndarray:
    table = np.zeros((len(lists), max([len(row) for row in lists] + [1])), np.int64)
    for row, values in zip(table, lists, strict=True):
        row[: len(values)] = values
    return table


def summed(found: Sequence[Entries]) -> Entries:
    """All entries, those of one pair of channels and one tap added up; sorted by target channel."""
    every = Entries(*map(np.concatenate, zip(*(vars(e).values() for e in found), strict=True)))
    key = every.target_channel.astype(np.int64)
    for more in (every.source_channel, *every.taps):
        key = key * (int(more.max(initial=0)) + 1) + more
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    sums = np.add.reduceat(every.weight[order].astype(np.float64), first) if len(first) else []
    if np.max(sums, initial=0) > LARGEST:
        raise NotImplementedError(f"weights that share an edge add up to more than {LARGEST:.2e}")
    one = every.take(order[first])
    return replace(one, weight=np.asarray(sums, np.float32))
