"""Edges of a graph as lines or, where there are many, as shades."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from graph_encoding import Graph

from .columns import Columns
from .density import Canvas
from .paint import NODES, PAST, REMOVED
from .sampling import Edges, RemovedEdges, shares, spread

CHUNK = 1 << 17
"""Edges that are looked up at a time."""

LEAST = 20_000
"""Edges of a small block in a sample, so that it is seen."""


class Lines(NamedTuple):
    """Some edges between two columns.

    Attributes
    ----------
    pair : tuple of int
        The columns, the left one first.
    start, end : numpy.ndarray of float64
        Heights of their nodes in these.
    weight : numpy.ndarray of int64
        How many edges each stands for.
    """

    pair: tuple[int, int]
    start: np.ndarray
    end: np.ndarray
    weight: np.ndarray


def looked_up(
    columns: Columns, edges: Edges, size: int, rng: np.random.Generator
) -> Iterator[Lines]:
    """Look up a sample of a block's edges, at most `CHUNK` at a time.

    Parameters
    ----------
    columns : Columns
    edges : Edges
    size : int
        How many; all of them if there are no more.
    rng : numpy.random.Generator

    Yields
    ------
    Lines
    """
    numbers, weights = spread(edges.count, size, rng)
    for first in range(0, len(numbers), CHUNK):
        source, target = edges[numbers[first : first + CHUNK]]
        ends = np.sort(np.stack([source, target]), axis=0)
        left, right = columns.of(ends)
        heights = columns.height(ends[0], left), columns.height(ends[1], right)
        key = left * len(columns.layers) + right
        for value in np.unique(key):
            here = key == value
            yield Lines(
                divmod(int(value), len(columns.layers)),
                heights[0][here],
                heights[1][here],
                weights[first : first + CHUNK][here],
            )


def removed_edges(graph: Graph, notes: list[str]) -> list[RemovedEdges]:
    """What pruning removed; a note names the layers where that is not known."""
    found, unknown = [], []
    for block in graph.blocks:
        try:
            found.append(RemovedEdges(block))
        except ValueError:
            unknown.append(block.name)
    if unknown:
        names = ", ".join(unknown[:3]) + (", …" if len(unknown) > 3 else "")
        notes.append(
            f"removed edges not shown of layers whose edges are not single weights: {names}"
        )
    return found


def draw_edges(panels, paint, edges, lines, sample, rng, notes, pale=False) -> None:
    """One by one or as shades, whichever their number asks for."""
    counts = [part.count for part in edges]
    total, kind = sum(counts), "removed edges" if pale else "edges"
    if not total:
        return
    as_lines = total <= lines
    sizes = counts if as_lines else shares(counts, sample, min(LEAST, sample // (2 * len(counts))))
    found = (
        piece
        for part, size in zip(edges, sizes)
        for piece in looked_up(paint.columns, part, size, rng)
    )
    (_lines if as_lines else _shades)(panels, paint, found, total, pale)
    what = f"{'lines' if as_lines else 'shades'} of all {total:,} {kind}"
    if sum(sizes) < total:
        what = f"shades of a sample of {sum(sizes):,} of the {total:,} {kind}"
        each = total / sum(sizes)
        what += f" (one in {each:,.0f})" if each >= 1.5 else ""
    notes.append(what + (", below the kept ones" if pale else ""))


def _lines(panels, paint, found, total, pale) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    columns = paint.columns
    mean = total / max(1, len(columns.layers) - 1)
    alpha = float(np.clip(25 / np.sqrt(mean), 0.2, 0.9)) * (0.6 if pale else 1)
    pairs = set()
    for piece in found:
        pairs.add(piece.pair)
        left, right = piece.pair
        past = right - left != 1
        if left == right:
            x, y = np.array([0, 0.4, 0]), [piece.start, (piece.start + piece.end) / 2, piece.end]
            heights = np.stack(y, axis=1)
        else:
            x = np.linspace(0, right - left, 48 if past else 2)
            heights = columns.path(piece.pair, piece.start[:, None], piece.end[:, None], x)
        colours = REMOVED if pale else PAST if past else paint.at([(left + right) / 2])
        if paint.by_strength and not pale:
            ends = paint.strength(piece.start, left) + paint.strength(piece.end, right)
            colours = paint.of_strength(np.exp(ends / 2))
        segments = np.stack([np.broadcast_to(left + x, heights.shape), heights], axis=-1)
        for panel in panels:
            if right < panel.first or left > panel.last:
                continue
            drawn = LineCollection(
                segments, colors=colours, linewidths=0.6, alpha=alpha, zorder=1 if pale else 2
            )
            drawn.set_rasterized(True)
            panel.axes.add_collection(drawn)
            size = panel.stop - panel.first, 19
            shown = Rectangle((panel.first, -9), *size, transform=panel.axes.transData)
            drawn.set_clip_path(shown)
            drawn.set_in_layout(False)
    axes = panels[0].axes
    _entries(axes, paint, any(right - left != 1 for left, right in pairs), pale, alpha)
    if not pale:
        _bars(panels, paint)


def _entries(axes, paint, past: bool, pale: bool, alpha: float = 0.8) -> None:
    """What the legend says of edges."""
    if pale:
        axes.plot([], [], color=REMOVED, linewidth=4, alpha=alpha, label="removed edges")
    elif past and not paint.by_strength:
        inside = any(left == right for left, right in paint.columns.pairs)
        label = "edges past a column" + (" or inside one" if inside else "")
        axes.plot([], [], color=PAST, linewidth=2, label=label)


def _shades(panels, paint, found, total, pale) -> None:
    """Edges to neighbouring columns, and over them those that pass a column."""
    columns, by_strength = paint.columns, paint.by_strength and not pale
    near, far = (Canvas(columns, by_strength) for _ in range(2))
    for piece in found:
        left, right = piece.pair
        values = None
        if by_strength:
            values = paint.strength(piece.start, left), paint.strength(piece.end, right)
        (near if right - left == 1 else far).add(*piece, values)
    _entries(panels[0].axes, paint, far.counts.any(), pale)
    for order, canvas in enumerate((near, far), 2):
        if pale:
            image = canvas.image(REMOVED, 0.8)
        elif by_strength:
            image = canvas.image(paint.of_strength(np.exp(canvas.means)))
        else:
            image = canvas.image(paint.at(canvas.x)[:, None] if canvas is near else PAST)
        for panel in panels:
            canvas.draw(panel.axes, image, panel.first, panel.last, 1 if pale else order)
    if not pale:
        _bars(panels, paint, near if near.counts.any() else far)


def _bars(panels, paint, canvas: Canvas | None = None) -> None:
    """What shades, if there are any, and colours mean."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, to_rgb

    shown = {}
    if canvas is not None:
        opacity = np.linspace(canvas.faintest, 1, 256)[:, None]
        greys = ListedColormap(1 - opacity * (1 - np.array([to_rgb(NODES)])))
        shown["edges that cross a spot (1/1000 of the height)"] = (LogNorm(*canvas.limits), greys)
    if paint.by_strength:
        shown["mean weight that meets at a node"] = (paint.norm, paint.map)
    for label, (norm, colours) in shown.items():
        near_tens = norm.vmax < 30 * norm.vmin
        bar = panels[0].axes.figure.colorbar(
            ScalarMappable(norm, colours),
            ax=[panel.axes for panel in panels],
            shrink=0.5 / len(panels) ** 0.5,
            aspect=30,
            pad=0.005,
            ticks=np.geomspace(norm.vmin, norm.vmax, 3) if near_tens else None,
            format=lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:.2g}",
        )
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.ax.minorticks_off()
        bar.outline.set_visible(False)
