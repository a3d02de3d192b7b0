"""What the nodes of a column are like, counted in bins along it, a bounded number at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graph_encoding import Block, Graph, NodeLayer

CHUNK = 1 << 20
"""Nodes at a time."""

MARKS = ("sinks", "sources", "cut-nodes", "disconnected")


class Bins(NamedTuple):
    """A column cut into bins of consecutive nodes.

    Attributes
    ----------
    sizes : numpy.ndarray of float64, shape (bins,)
        Nodes in each bin.
    strength : numpy.ndarray of float64, shape (bins,)
        Mean strength of its nodes.
    marked : dict of str to numpy.ndarray of float64, shape (bins,)
        Share of its nodes that have a mark.
    counts : dict of str to int
        Marked nodes of the whole column.
    """

    sizes: np.ndarray
    strength: np.ndarray
    marked: dict[str, np.ndarray]
    counts: dict[str, int]


def binned(
    graph: Graph,
    layer: NodeLayer,
    bins: int,
    marks: tuple[str, ...] = (),
    is_cut: np.ndarray | None = None,
    *,
    strength: bool = True,
) -> Bins:
    """Count the nodes of a layer in bins.

    Parameters
    ----------
    graph : Graph
    layer : NodeLayer
        Of the graph.
    bins : int
        At most; no more than there are nodes.
    marks : tuple of {"sinks", "sources", "cut-nodes", "disconnected"}
        As the topometrics define them.
    is_cut : numpy.ndarray of bool, optional
        Which nodes of the graph are cut nodes; needed for that mark.
    strength : bool
        Whether to sum weights; otherwise the strength is zero.

    Returns
    -------
    Bins
    """
    bins = min(bins, layer.size)
    sizes, strengths = np.zeros(bins), np.zeros(bins)
    marked = {mark: np.zeros(bins) for mark in marks}
    for start in range(layer.offset, layer.stop, CHUNK):
        stop = min(start + CHUNK, layer.stop)
        place = np.arange(start - layer.offset, stop - layer.offset) * bins // layer.size
        sizes += np.bincount(place, minlength=bins)
        if strength:
            summed = sum(_sums(graph, start, stop, "weight"))
            strengths += np.bincount(place, weights=summed, minlength=bins)
        if set(marks) - {"cut-nodes"}:
            fed, feeds = (sums > 0.5 for sums in _sums(graph, start, stop))
        for mark in marks:
            if mark == "sinks":
                found = fed & ~feeds & (layer != graph.layers[-1])
            elif mark == "sources":
                found = feeds & ~fed & (layer != graph.layers[0])
            elif mark == "disconnected":
                found = ~fed & ~feeds
            else:
                found = is_cut[start:stop]
            marked[mark] += np.bincount(place, weights=found, minlength=bins)
    return Bins(
        sizes,
        strengths / sizes,
        {mark: found / sizes for mark, found in marked.items()},
        {mark: int(found.sum()) for mark, found in marked.items()},
    )


def _sums(graph: Graph, start: int, stop: int, of: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Edges into and out of each node of an interval of ids, or what these weigh."""
    sums = np.zeros(stop - start), np.zeros(stop - start)
    for block in graph.blocks:
        for total, near, channel, counts in (
            (sums[0], block.target, block.target_channel, "source_counts"),
            (sums[1], block.source, block.source_channel, "target_counts"),
        ):
            low, high = max(start, near.offset), min(stop, near.stop)
            if low >= high:
                continue
            first = (low - near.offset) // near.positions
            last = -((near.offset - high) // near.positions)
            rows, columns = (getattr(axis, counts) for axis in (block.rows, block.columns))
            found = _kernels(block, channel, first, last, of) @ columns.astype(float)
            found = np.matmul(rows.T.astype(float), found).ravel()
            skip = near.offset + first * near.positions
            total[low - start : high - start] += found[low - skip : high - skip]
    return sums


def _kernels(block: Block, channel: np.ndarray, first: int, last: int, of: str) -> np.ndarray:
    """Entries on each tap of the channels from `first` to before `last`, or what these weigh."""
    here = (channel >= first) & (channel < last)
    key = (channel[here] - first) * np.int64(block.taps) + block.tap[here]
    weights = block.weight[here] if of else None
    sums = np.bincount(key, weights=weights, minlength=(last - first) * block.taps)
    return sums.reshape(last - first, block.rows.taps, block.columns.taps).astype(float)
