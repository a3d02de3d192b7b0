"""How a graph is shown: in a line, in a notebook as a table of its layers, and by who can draw.

A `Graph` calls these functions, so that none of them names its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .block import Block
    from .grid import NodeLayer

WIDTH, HEIGHT = 720, 120
"""Of a thumbnail, in pixels."""

ARCS = 26
"""Pixels above the columns, for edges that pass one."""

TABLE = (
    "<style>.sparse-graph table {font-variant-numeric: tabular-nums} "
    ".sparse-graph td {text-align: right !important} "
    ".sparse-graph td:first-child {text-align: left !important}</style>"
)
HEADS = ("layer", "shape", "nodes", "edges", "kept", "weights", "density")

PLOTTERS: list[Callable[..., object]] = []
"""What draws a graph: at most one. A room that draws stands later than this one, and says so."""


def draws(function: Callable[..., object]) -> Callable[..., object]:
    """Let a function ``(graph, **options)`` be what `Graph.plot` calls."""
    PLOTTERS[:] = [function]
    return function


def plot(graph: Any, **options: object) -> object:
    """Draw a graph by what has said that it `draws`.

    Raises
    ------
    RuntimeError
        If nothing has.
    """
    if not PLOTTERS:
        raise RuntimeError("graph.plot() is drawn by the room figures: import figures first")
    return PLOTTERS[0](graph, **options)


def line(graph: Any) -> str:
    """A graph in one line."""
    of = f" of {graph.layer_name}" if graph.layer_name else ""
    made = " ".join(filter(None, (graph.encoding, graph.wiring)))
    return (
        f"<Graph{of}: {f'{made}, ' if made else ''}{graph.num_nodes:,} nodes in "
        f"{len(graph.layers):,} layers, {graph.num_edges:,} edges, "
        f"{100 * graph.layer_density:.3g} % of weights kept>"
    )


def html(graph: Any) -> str:
    """A graph as HTML: a line, a thumbnail, and a row for each layer of weights.

    In the thumbnail each column is a layer of nodes, as high as it has nodes, and a band is the
    darker the more edges it stands for; arcs pass columns.
    """
    rows = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in _rows(graph)
    )
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    return (
        f'<div class="sparse-graph">{TABLE}<p>{escape(line(graph)[1:-1])}</p>{_thumbnail(graph)}'
        f'<div style="max-height: 26em; overflow: auto"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div>"
    )


def _rows(graph: Any) -> Iterator[list[str]]:
    """Cells of the table: a row for all edges of one name into one layer of nodes."""
    found: dict[tuple[str, NodeLayer], list[Block]] = {}
    for block in graph.blocks:
        found.setdefault((block.name, block.target), []).append(block)
    for (name, target), blocks in found.items():
        kept, total = (
            sum(getattr(block, kind) for block in blocks)
            for kind in ("kept_weights", "total_weights")
        )
        yield [
            escape(name),
            _shape(target),
            f"{target.size:,}",
            f"{sum(block.num_edges for block in blocks):,}",
            f"{kept:,}",
            f"{total:,}",
            f"{100 * kept / total:.3g} %" if total else "",
        ]


def _shape(layer: NodeLayer) -> str:
    """Channels × height × width, or whatever axes it has."""
    return " × ".join(map(str, layer.maps(np.empty(layer.stop, bool)).shape))


def _thumbnail(graph: Any) -> str:
    sizes = np.array([layer.size for layer in graph.layers])
    offsets = [layer.offset for layer in graph.layers]
    x = 8 + np.arange(len(sizes)) * (WIDTH - 16) / max(1, len(sizes) - 1)
    half = np.maximum(1.0, (HEIGHT - ARCS - 4) / 2 * sizes / sizes.max())
    middle = ARCS + (HEIGHT - ARCS) / 2
    edges: dict[tuple[int, int], int] = {}
    for block in graph.blocks:
        ends = np.searchsorted(offsets, (block.source.offset, block.target.offset), "right") - 1
        pair = int(ends.min()), int(ends.max())
        edges[pair] = edges.get(pair, 0) + block.num_edges
    most = max([1, *edges.values()])
    drawn = []
    for (left, right), count in sorted(edges.items(), key=lambda item: item[0][0] - item[0][1]):
        shade = f"{0.08 + 0.6 * (count / most) ** 0.5:.2f}" if count else "0"
        start, end = (f"{x[i]:.1f},{middle - half[i]:.1f}" for i in (left, right))
        if right - left == 1:
            back, there = (f"{x[i]:.1f},{middle + half[i]:.1f}" for i in (left, right))
            path = f'd="M{start} L{end} L{there} L{back}Z" fill="#0072B2" fill-opacity="{shade}"'
        else:
            top = f"{(x[left] + x[right]) / 2:.1f},{-0.4 * ARCS:.1f}"
            path = f'd="M{start} Q{top} {end}" fill="none" stroke="#7A7A7A" '
            path += f'stroke-opacity="{shade}" stroke-width="1.5"'
        drawn.append(f"<path {path}/>")
    for place, tall, layer in zip(x, half, graph.layers):
        drawn.append(
            f'<rect x="{place - 1.5:.1f}" y="{middle - tall:.1f}" width="3" '
            f'height="{2 * tall:.1f}" fill="currentColor">'
            f"<title>{escape(layer.name)}: {layer.size:,} nodes</title></rect>"
        )
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="layers of nodes and edges between them" style="max-width: 100%">'
        f"{''.join(drawn)}</svg>"
    )
