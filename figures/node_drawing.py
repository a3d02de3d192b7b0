"""Columns of nodes, or dots where there are few, and the marks beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .paint import MARK_COLOURS, NODES, Paint, tint
from .panels import Panel

DOTS = 64
"""Most nodes of a column that are drawn one by one."""

MEANINGS = {
    "sinks": "sinks (fed, read by nobody)",
    "sources": "sources (read, fed by nobody)",
    "cut-nodes": "cut nodes (without one the graph falls apart)",
    "disconnected": "disconnected (no edge)",
}
"""What the legend calls marks."""

MARK_STEP, MARK_LANE = 4.4, 3.4
"""Points from a column to its first marks, and from these to the next kind of marks."""

LEAST_MARK = 0.008
"""Height of the smallest mark, so that one node is seen."""


def draw_nodes(panel: Panel, paint: Paint, mark: Sequence[str]) -> None:
    """Columns, or dots where there are few nodes, and the marked stretches beside them."""
    axes, columns = panel.axes, paint.columns
    lanes = [name for name in MARK_COLOURS if name in mark]
    for number in range(panel.first, panel.last + 1):
        layer, bins = columns.layers[number], paint.bins[number]
        ends = np.concatenate([[0], np.cumsum(bins.sizes)]) / layer.size
        ends = 0.5 + (ends - 0.5) * columns.heights[number]
        colours = NODES
        if paint.by_strength:
            colours = paint.of_strength(bins.strength)
        if layer.size <= DOTS:
            across = panel.height * columns.heights[number] / layer.size
            area = float(np.clip(across * 0.55, 1.2, 7)) ** 2
            middles = (ends[1:] + ends[:-1]) / 2
            x = np.full(layer.size, number)
            axes.scatter(x, middles, area, colours, linewidths=0, zorder=6)
        elif paint.by_strength:
            _upright(axes, number, ends[:-1], ends[1:], colours)
        else:
            _upright(axes, number, ends[:1], ends[-1:], colours)
        for lane, name in enumerate(lanes):
            share = bins.marked[name]
            first = np.flatnonzero(np.diff(share, prepend=-1))  # of stretches with the same share
            last = np.append(first[1:], len(share))
            first, last, share = (part[share[first] > 0] for part in (first, last, share[first]))
            missing = np.maximum(LEAST_MARK - (ends[last] - ends[first]), 0) / 2
            place = number + (MARK_STEP + lane * MARK_LANE) / panel.gap, ends[first], ends[last]
            x, start, stop = place[0], place[1] - missing, place[2] + missing
            _upright(axes, x, start, stop, "white", 4.2, order=5)
            _upright(axes, x, start, stop, tint(MARK_COLOURS[name], 0.35 + 0.65 * share))


def name_marks(axes, paint: Paint, mark: Sequence[str], notes: list[str]) -> None:
    """What the legend and the note say of marks."""
    for name in (name for name in MARK_COLOURS if name in mark):
        count = sum(bins.counts[name] for bins in paint.bins)
        label = f"{MEANINGS[name]}: {count:,}"
        axes.plot([], [], color=MARK_COLOURS[name], linewidth=4, label=label)
    notes.append("a mark beside a column is the stronger the more of the nodes there it is for")


def _upright(
    axes, x: float, starts: np.ndarray, stops: np.ndarray, colours, wide: float = 2.8, order=6
) -> None:
    """Stretches of a column."""
    from matplotlib.collections import LineCollection

    heights = np.stack([starts, stops + 0.0006], axis=1)  # no cracks between them
    points = np.stack([np.full(heights.shape, x, float), heights], axis=-1)
    drawn = LineCollection(points, colors=colours, linewidths=wide, zorder=order, capstyle="butt")
    drawn.set_rasterized(len(points) > 1)
    axes.add_collection(drawn)
