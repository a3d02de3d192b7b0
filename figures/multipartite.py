"""The multipartite graph as a picture: layers as columns, edges as lines or as shades of many.

Memory is bounded: of a large graph a sample of edges is looked up, without the others.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from graph_encoding import Graph

from .columns import Columns, short, width
from .density import CHUNK, DPI, Canvas
from .nodes import MARKS, Bins, binned
from .paint import MARK_COLOURS, NODES, PAST, REMOVED, Paint
from .sampling import Edges, RemovedEdges, shares, spread
from .style import pyplot

COLOURS = ("layer", "strength")

LINES = 20_000
SAMPLE = 1_000_000
LEAST = 20_000
"""Edges of a small block in a sample, so that it is seen."""

BINS = 180
"""Stretches of a column for which marks and strengths are told."""

DOTS = 64
"""Most nodes of a column that are drawn one by one."""

MARK_STEP = 4.6
"""Points from a column to its marks, and on to the cut nodes; only these have other marks too."""


def draw(
    graph: Graph,
    *,
    colour: str = "layer",
    mark: Sequence[str] = (),
    removed: bool = False,
    lines: int = LINES,
    sample: int = SAMPLE,
    seed: int = 0,
    title: str = "",
):
    """Draw a graph.

    Parameters
    ----------
    graph : Graph
        Of any encoding and size.
    colour : {"layer", "strength"}
        Edges by their depth, or by the strength of the nodes near their ends.
    mark : sequence of {"sinks", "sources", "cut-nodes", "disconnected"}
        Nodes to mark beside the columns. Cut nodes take a traversal of the whole graph.
    removed : bool
        Whether to show, pale, the edges that pruning removed.
    lines : int
        Up to so many edges are drawn one by one; more as shades, the darker the more edges.
    sample : int
        Edges that are looked up for shades, about; a graph with no more is drawn whole.
    seed : int
        Of the sample.
    title : str
        Put before the graph's size.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If an option is unknown.

    Examples
    --------
    >>> figure = draw(graph, mark=("sinks", "sources"))
    >>> figure.savefig("graph.png")
    """
    for value, known in ((colour, COLOURS), *((name, MARKS) for name in mark)):
        if value not in known:
            raise ValueError(f"unknown {value!r}: choose from {', '.join(known)}")
    columns = Columns(graph)
    size = (width(len(graph.layers)), 6.0 - 3.2 * columns.top)
    figure, axes = pyplot().subplots(figsize=size, dpi=DPI, layout="constrained")
    rng, notes = np.random.default_rng(seed), []
    paint = Paint(columns, _bins(graph, colour, mark), colour)
    if removed:
        gone = _removed(graph, notes)
        _draw_edges(axes, paint, gone, lines, sample, rng, notes, pale=True)
    kept = [Edges(block) for block in graph.blocks]
    _draw_edges(axes, paint, kept, lines, sample, rng, notes)
    _draw_nodes(axes, paint, mark)
    _label(figure, axes, graph, columns, title, notes)
    return figure


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
    """Look up a sample of a block's edges, at most `density.CHUNK` at a time.

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


def _bins(graph: Graph, colour: str, mark: Sequence[str]) -> list[Bins]:
    is_cut = None
    if "cut-nodes" in mark:
        from metrics.cuts import articulation_points

        is_cut = articulation_points(graph)
    by_strength = colour == "strength"
    return [
        binned(graph, layer, BINS, tuple(mark), is_cut, strength=by_strength)
        for layer in graph.layers
    ]


def _removed(graph: Graph, notes: list[str]) -> list[Edges]:
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


def _draw_edges(axes, paint, edges, lines, sample, rng, notes, pale=False) -> None:
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
    (_lines if as_lines else _shades)(axes, paint, found, total, pale)
    what = f"{'lines' if as_lines else 'shades'} of all {total:,} {kind}"
    if sum(sizes) < total:
        what = f"shades of a sample of {sum(sizes):,} of the {total:,} {kind}"
        each = total / sum(sizes)
        what += f" (one in {each:,.0f})" if each >= 1.5 else ""
    notes.append(what)


def _lines(axes, paint, found, total, pale) -> None:
    from matplotlib.collections import LineCollection

    columns = paint.columns
    mean = total / max(1, len(columns.layers) - 1)
    alpha = float(np.clip(25 / np.sqrt(mean), 0.2, 0.9)) * (0.35 if pale else 1)
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
        drawn = LineCollection(
            np.stack([np.broadcast_to(left + x, heights.shape), heights], axis=-1),
            colors=colours,
            linewidths=0.6,
            alpha=alpha,
            zorder=1 if pale else 2,
        )
        drawn.set_rasterized(True)
        axes.add_collection(drawn)
    _entries(axes, paint, any(right - left != 1 for left, right in pairs), pale)
    if not pale:
        _bars(axes, paint)


def _entries(axes, paint, past: bool, pale: bool) -> None:
    """What the legend says of edges."""
    if pale:
        axes.plot([], [], color=REMOVED, linewidth=4, label="removed edges")
    elif past and not paint.by_strength:
        inside = any(left == right for left, right in paint.columns.pairs)
        label = "edges past a column" + (" or inside one" if inside else "")
        axes.plot([], [], color=PAST, linewidth=2, label=label)


def _shades(axes, paint, found, total, pale) -> None:
    """Edges to neighbouring columns, and over them those that pass a column."""
    columns, by_strength = paint.columns, paint.by_strength and not pale
    near, far = (Canvas(columns, by_strength) for _ in range(2))
    for piece in found:
        left, right = piece.pair
        values = None
        if by_strength:
            values = paint.strength(piece.start, left), paint.strength(piece.end, right)
        (near if right - left == 1 else far).add(*piece, values)
    _entries(axes, paint, far.counts.any(), pale)
    if pale:
        for canvas in (near, far):
            axes.imshow(canvas.image(REMOVED, 0.8), **canvas.where, zorder=1)
        return
    for order, canvas in enumerate((near, far), 2):
        if by_strength:
            colours = paint.of_strength(np.exp(canvas.means))
        else:
            colours = paint.at(canvas.x)[:, None] if canvas is near else PAST
        axes.imshow(canvas.image(colours), **canvas.where, zorder=order)
    _bars(axes, paint, near if near.counts.any() else far)


def _bars(axes, paint, canvas: Canvas | None = None) -> None:
    """What shades, if there are any, and colours mean."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, to_rgb

    shown = {}
    if canvas is not None:
        opacity = np.linspace(canvas.faintest, 1, 256)[:, None]
        greys = ListedColormap(1 - opacity * (1 - np.array([to_rgb(NODES)])))
        shown["edges through 1/1000 of the height"] = (LogNorm(*canvas.limits), greys)
    if paint.by_strength:
        shown["mean strength of nodes"] = (paint.norm, paint.map)
    for label, (norm, colours) in shown.items():
        near_tens = norm.vmax < 30 * norm.vmin
        bar = axes.figure.colorbar(
            ScalarMappable(norm, colours),
            ax=axes,
            shrink=0.5,
            aspect=30,
            pad=0.005,
            ticks=np.geomspace(norm.vmin, norm.vmax, 3) if near_tens else None,
            format=lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:.2g}",
        )
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.ax.minorticks_off()
        bar.outline.set_visible(False)


def _draw_nodes(axes, paint, mark) -> None:
    """Columns, or dots where there are few nodes, and the marked stretches beside them."""
    from matplotlib.colors import to_rgba

    columns = paint.columns
    gap = 72 * 0.95 * (axes.figure.get_figwidth() - 1) / len(columns.layers)  # points
    for number, (layer, bins) in enumerate(zip(columns.layers, paint.bins)):
        ends = np.concatenate([[0], np.cumsum(bins.sizes)]) / layer.size
        ends = 0.5 + (ends - 0.5) * columns.heights[number]
        colours = NODES
        if paint.by_strength:
            colours = paint.of_strength(bins.strength)
        if layer.size <= DOTS:
            across = 72 * 4.5 * columns.heights[number] / layer.size
            area = float(np.clip(across * 0.55, 1.2, 7)) ** 2
            middles = (ends[1:] + ends[:-1]) / 2
            x = np.full(layer.size, number)
            axes.scatter(x, middles, area, colours, linewidths=0, zorder=6)
        elif paint.by_strength:
            _upright(axes, number, ends[:-1], ends[1:], colours)
        else:
            _upright(axes, number, ends[:1], ends[-1:], colours)
        for name in (name for name in MARK_COLOURS if name in mark):
            step = MARK_STEP * (2 if name == "cut-nodes" and len(mark) > 1 else 1)
            share = bins.marked[name]
            first = np.flatnonzero(np.diff(share, prepend=-1))  # of stretches with the same share
            last = np.append(first[1:], len(share))
            first, last, share = (part[share[first] > 0] for part in (first, last, share[first]))
            tints = np.tile(to_rgba(MARK_COLOURS[name]), (len(share), 1))
            tints[:, 3] = 0.3 + 0.7 * share
            _upright(axes, number + step / gap, ends[first], ends[last], tints)
    for name in dict.fromkeys(mark):
        count = sum(bins.counts[name] for bins in paint.bins)
        axes.plot([], [], color=MARK_COLOURS[name], linewidth=4, label=f"{name}: {count:,}")


def _upright(axes, x: float, starts: np.ndarray, stops: np.ndarray, colours) -> None:
    """Stretches of a column."""
    from matplotlib.collections import LineCollection

    heights = np.stack([starts, stops + 0.0006], axis=1)  # no cracks between them
    points = np.stack([np.full(heights.shape, x, float), heights], axis=-1)
    drawn = LineCollection(points, colors=colours, linewidths=2.8, zorder=6, capstyle="butt")
    drawn.set_rasterized(len(points) > 1)
    axes.add_collection(drawn)


def _label(figure, axes, graph, columns, title, notes) -> None:
    count = len(graph.layers)
    inches = figure.get_figwidth()
    names = [short(layer.name) for layer in graph.layers]
    sizes = [f"{layer.channels} × {layer.height} × {layer.width}" for layer in graph.layers]
    gap = 72 * (inches - 1.5) / count  # points
    font = float(np.clip(gap * 0.5, 5, 8))
    upright = gap < 3.2 * font
    labels = [f"{n}{'  ' if upright else chr(10)}{s}" for n, s in zip(names, sizes)]
    level = 0.55 * font * max(map(len, [*names, *sizes])) < gap
    slanted = not (level or upright)
    axes.set_xticks(
        range(count),
        labels,
        rotation=0 if level else 90 if upright else 45,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
        parse_math=False,
        fontsize=font,
    )
    axes.tick_params(length=0, pad=4)
    axes.set_yticks([])
    axes.set(xlim=(-0.2, count - 0.6), ylim=(1.02, columns.top - 0.02), aspect="auto")
    for spine in axes.spines.values():
        spine.set_visible(False)
    size = f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges, "
    size += f"density {100 * graph.layer_density:.3g} %"
    title = f"{title}: {size}" if title else size
    entries = axes.get_legend_handles_labels()[1]
    taken = 0.09 * len(title) + sum(0.5 + 0.058 * len(entry) for entry in entries)
    axes.set_title(
        title,
        parse_math=False,
        loc="left",
        fontsize=11,
        pad=24 if entries and taken > inches - 0.9 else 6,
    )
    if entries:
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        axes.legend(**place, ncols=len(entries), fontsize=8, frameon=False)
    notes.append("a column is as tall as the logarithm of its nodes")
    text = textwrap.fill("; ".join(notes), int(inches * 15))
    figure.supxlabel(text[:1].upper() + text[1:], parse_math=False, fontsize=8, color="0.35")
