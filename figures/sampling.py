"""Edges picked out of a block by their number, kept ones and removed ones, the rest unseen.

The edges of a block are numbered by tap, then by weight, then by the pair of positions; so any set
of them is looked up without the others, also of those that pruning removed: which weight is the
i-th that is not among the sorted entries is a binary search.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from graph_encoding import Block
from graph_encoding.axis import Axis


class Edges:
    """The edges of a block, each under a number.

    Parameters
    ----------
    block : Block

    Attributes
    ----------
    count : int
        How many there are.

    Examples
    --------
    >>> import graph_encoding, torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> graph, = graph_encoding.encode(network, torch.zeros(1, 4))
    >>> edges = Edges(graph.blocks[0])
    >>> edges.count
    12
    >>> source, target = edges[np.arange(12)]  # all of them
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        weights = self._weights_per_tap()
        self._weight_starts = np.concatenate([[0], np.cumsum(weights)])
        self._starts = np.concatenate([[0], np.cumsum(weights * block.pairs_per_tap)])
        self.count = int(self._starts[-1])

    def __getitem__(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Node ids of both ends (int64) of the edges with these numbers, below `count`."""
        block = self.block
        tap = np.searchsorted(self._starts, numbers, side="right") - 1
        weight, pair = np.divmod(numbers - self._starts[tap], block.pairs_per_tap[tap])
        target_channel, source_channel = self._channels(tap, weight)
        tap_y, tap_x = np.divmod(tap, block.columns.taps)
        in_columns = block.columns.source_counts.sum(axis=1)
        pair_y, pair_x = np.divmod(pair, in_columns[tap_x])
        source_y, target_y = _positions(block.rows, tap_y, pair_y)
        source_x, target_x = _positions(block.columns, tap_x, pair_x)
        source, target = block.source, block.target
        return (
            source.offset + (source_channel * source.height + source_y) * source.width + source_x,
            target.offset + (target_channel * target.height + target_y) * target.width + target_x,
        )

    def _weights_per_tap(self) -> np.ndarray:
        return np.bincount(self.block.tap, minlength=self.block.taps)

    def _channels(self, tap: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        entry = self._by_tap[self._weight_starts[tap] + weight]
        block = self.block
        return (
            block.target_channel[entry].astype(np.int64),
            block.source_channel[entry].astype(np.int64),
        )

    @cached_property
    def _by_tap(self) -> np.ndarray:
        return np.argsort(self.block.tap, kind="stable")


class RemovedEdges(Edges):
    """The edges that pruning removed from a block: those of the weights that it does not keep.

    Raises
    ------
    ValueError
        If the weights of the dense layer cannot be told from the block.
    """

    def __init__(self, block: Block) -> None:
        self.groups = groups_of(block)
        self._outs = block.target.channels
        self._ins = block.source.channels // self.groups
        out = block.target_channel.astype(np.int64)
        in_group = block.source_channel % self._ins
        key = (block.tap * self._outs + out) * self._ins + in_group
        key.sort()
        self._gaps = key - np.arange(len(key))  # removed weights before each kept one
        super().__init__(block)

    def _weights_per_tap(self) -> np.ndarray:
        return self._outs * self._ins - super()._weights_per_tap()

    def _channels(self, tap: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rank = self._weight_starts[tap] + weight
        key = rank + np.searchsorted(self._gaps, rank, side="right")
        out, in_group = np.divmod(key - tap * (self._outs * self._ins), self._ins)
        return out, out // (self._outs // self.groups) * self._ins + in_group


def groups_of(block: Block) -> int:
    """Groups of the convolution that a block stands for.

    Parameters
    ----------
    block : Block

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If its entries are not the weights of one layer (rolled-channel graphs, merged edges,
        identity shortcuts), or not laid out as those of a grouped one.
    """
    outs, ins = block.target.channels, block.source.channels
    groups, rest = divmod(outs * ins * block.taps, block.total_weights or 1)
    entries_are_weights = block.total_weights and len(block.weight) == block.kept_weights
    if not entries_are_weights or rest or not groups or outs % groups or ins % groups:
        raise ValueError(f"layer {block.name}: its edges are not its weights")
    group = block.target_channel // (outs // groups)
    if (block.source_channel // (ins // groups) != group).any():
        raise ValueError(f"layer {block.name}: its entries are not in {groups} groups")
    return groups


def spread(count: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pick numbers below `count` at random, one from each of `size` equal stretches.

    Parameters
    ----------
    count : int
    size : int
        All numbers are picked if there are no more.
    rng : numpy.random.Generator

    Returns
    -------
    numbers : numpy.ndarray of int64
        In order, each at most once.
    lengths : numpy.ndarray of int64
        How many numbers each stands for: a sum weighted with them is that over all, on average.
    """
    size = min(count, size)
    share, rest = divmod(count, size or 1)
    lengths = np.full(size, share, np.int64)
    lengths[rng.permutation(size)[:rest]] += 1
    starts = np.cumsum(lengths) - lengths
    return starts + rng.integers(0, lengths) if size else starts, lengths


def shares(counts: list[int], size: int, least: int) -> list[int]:
    """Divide a sample among blocks by their edges, with at least `least` of each (or all)."""
    total = sum(counts)
    if total <= size:
        return list(counts)
    return [min(count, max(least, count * size // total)) for count in counts]


def _positions(axis: Axis, tap: np.ndarray, pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source and target position of the pair with this number on a tap."""
    counts = axis.source_counts
    stops = np.cumsum(counts)
    starts = stops - counts.ravel()
    number = starts[tap * axis.target_size] + pair
    place = np.searchsorted(stops, number, side="right")
    target = place - tap * axis.target_size
    return axis.sources[tap, target, 0] + number - starts[place], target
