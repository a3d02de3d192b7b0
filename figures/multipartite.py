"""The multipartite graph as a picture: layers as columns, edges as lines or as shades of many.

Memory is bounded: of a large graph a sample of edges is looked up, without the others.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from graph_encoding import Graph

from .columns import Columns, names, rows, short, width
from .density import CHUNK, DPI, Canvas
from .nodes import MARKS, Bins, binned
from .paint import MARK_COLOURS, NODES, PAST, REMOVED, Paint, tint
from .sampling import Edges, RemovedEdges, shares, spread
from .style import subplots

COLOURS = ("layer", "strength")

LINES = 20_000
SAMPLE = 1_000_000
LEAST = 20_000
"""Edges of a small block in a sample, so that it is seen."""

BINS = 180
"""Stretches of a column for which marks and strengths are told."""

DOTS = 64
"""Most nodes of a column that are drawn one by one."""

MARK_STEP, MARK_LANE = 4.4, 3.4
"""Points from a column to its first marks, and from these to the next kind of marks."""

LEAST_MARK = 0.008
"""Height of the smallest mark, so that one node is seen."""


def draw(
    graph: Graph,
    *,
    colour: str = "layer",
    mark: Sequence[str] = (),
    removed: bool = False,
    per_row: int | None = None,
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
    per_row : int, optional
        Most columns in a row; what does not fit goes on below, from the last column of the row
        above. By default there is one row.
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
    >>> import graph_encoding, torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> graph, = graph_encoding.encode(network, torch.zeros(1, 4))
    >>> draw(graph, mark=("sinks", "sources")).savefig("graph.png")
    """
    for value, known in ((colour, COLOURS), *((name, MARKS) for name in mark)):
        if value not in known:
            raise ValueError(f"unknown {value!r}: choose from {', '.join(known)}")
    columns = Columns(graph)
    figure, panels = _panels(columns, per_row)
    rng, notes = np.random.default_rng(seed), []
    paint = Paint(columns, _bins(graph, colour, mark), colour)
    if removed:
        gone = _removed(graph, notes)
        _draw_edges(panels, paint, gone, lines, sample, rng, notes, pale=True)
    kept = [Edges(block) for block in graph.blocks]
    _draw_edges(panels, paint, kept, lines, sample, rng, notes)
    for panel in panels:
        _draw_nodes(panel, paint, mark)
        _name_columns(panel, graph)
    notes.append("a column is as tall as the logarithm of its nodes")
    if mark:
        _marks(panels[0].axes, paint, mark, notes)
    _label(figure, panels[0].axes, graph, title, notes)
    return figure


class Panel(NamedTuple):
    """A row of the picture.

    Attributes
    ----------
    axes : matplotlib.axes.Axes
    first, last : int
        Its columns.
    gap : float
        Points from column to column.
    height : float
        Points from 0 to 1, about.
    stop : float
        Where its edges end: what is folded inside the graph's last column goes past it.
    """

    axes: object
    first: int
    last: int
    gap: float
    height: float
    stop: float


def _panels(columns: Columns, per_row: int | None):
    """A figure with a panel for each row."""
    count = len(columns.layers)
    found = rows(count, per_row)
    length = found[0][1] - found[0][0]
    inches, tall = width(length + 1), (5.4 if len(found) == 1 else 4.2) - 2.6 * columns.top
    figure, axes = subplots(
        len(found),
        figsize=(inches, tall * len(found)),
        dpi=DPI,
        squeeze=False,
    )
    gap, height = 72 * 0.95 * (inches - 1) / (length + 0.6), 72 * (tall - 2.2)
    panels = []
    for (first, last), row in zip(found, axes[:, 0]):
        row.set(
            xlim=(first - 0.2, first + length + 0.4),
            ylim=(1.02, columns.top - 0.02),
            yticks=[],
        )
        for spine in row.spines.values():
            spine.set_visible(False)
        panels.append(Panel(row, first, last, gap, height, last + 0.5 * (last == count - 1)))
    return figure, panels


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
    from metrics import cuts, degrees

    find = {
        "sinks": degrees.sinks,
        "sources": degrees.sources,
        "cut-nodes": cuts.articulation_points,
        "disconnected": degrees.disconnected,
    }
    marks = {name: find[name](graph) for name in mark}
    strength = graph.node_strength if colour == "strength" else np.zeros(graph.num_nodes)
    return [binned(layer, BINS, marks, strength) for layer in graph.layers]


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


def _draw_edges(panels, paint, edges, lines, sample, rng, notes, pale=False) -> None:
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
        shown["edges through 1/1000 of the height"] = (LogNorm(*canvas.limits), greys)
    if paint.by_strength:
        shown["mean strength of nodes"] = (paint.norm, paint.map)
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


def _draw_nodes(panel: Panel, paint: Paint, mark: Sequence[str]) -> None:
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


def _marks(axes, paint: Paint, mark: Sequence[str], notes: list[str]) -> None:
    """What the legend and the note say of marks."""
    for name in (name for name in MARK_COLOURS if name in mark):
        count = sum(bins.counts[name] for bins in paint.bins)
        axes.plot([], [], color=MARK_COLOURS[name], linewidth=4, label=f"{name}: {count:,}")
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


def _name_columns(panel: Panel, graph: Graph) -> None:
    shown = graph.layers[panel.first : panel.last + 1]
    labels = []
    for layer in shown:
        name, *others = names(graph, layer)
        found = [name, *(f"+ {other}" for other in others[:1])]
        if len(others) > 1:
            found[1] = f"+ {len(others)} others"
        sizes = f"{layer.channels} × {layer.height} × {layer.width}"
        labels.append([*(short(part) for part in found), sizes])
    font = float(np.clip(panel.gap * 0.3, 5, 8))
    longest = max(len(part) for label in labels for part in label)
    level = 0.58 * font * longest < panel.gap
    panel.axes.set_xticks(
        range(panel.first, panel.last + 1),
        ["\n".join(label) for label in labels],
        rotation=0 if level else 90,
        ma="center" if level else "right",
        linespacing=1.1,
        parse_math=False,
        fontsize=font,
    )
    panel.axes.tick_params(length=0, pad=4)


def _label(figure, axes, graph, title, notes) -> None:
    """Say what is shown: above and below the picture."""
    inches = figure.get_figwidth()
    size = f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges, "
    size += f"{100 * graph.layer_density:.3g} % of weights"
    title = textwrap.fill(f"{title}: {size}" if title else size, int(inches * 11.5))
    entries = axes.get_legend_handles_labels()[1]
    wide = max((0.55 + 0.062 * len(entry) for entry in entries), default=0)
    beside = 0.085 * len(title) + wide * len(entries) < inches - 0.9
    across = max(1, min(len(entries), int((inches - 0.6) / (wide or 1))))
    lines = 0 if beside else -(-len(entries) // across)
    axes.set_title(title, parse_math=False, loc="left", fontsize=10.5, pad=6 + 15 * lines)
    if entries:
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        axes.legend(**place, ncols=across, fontsize=8, frameon=False)
    text = textwrap.fill("; ".join(notes), int(inches * 15))
    figure.supxlabel(text[:1].upper() + text[1:], parse_math=False, fontsize=8, color="0.35")
