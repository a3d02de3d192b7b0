"""The rows of the picture of a graph, and the text around them."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np

from graph_encoding import Graph

from .columns import Columns, names, rows, short, width
from .style import DPI, subplots


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


def panels_of(columns: Columns, per_row: int | None, inches: float | None, bare: bool):
    """A figure with a panel for each row; a bare one has no room for words around them."""
    count = len(columns.layers)
    found = rows(count, per_row)
    length = found[0][1] - found[0][0]
    inches = inches or width(length + 1)
    across, below = (0, 0) if bare else (1, 2.2)
    tall = (5.4 if len(found) == 1 else 4.2) - 2.6 * columns.top
    if bare:
        tall = 0.45 * inches
    figure, axes = subplots(
        len(found),
        figsize=(inches, tall * len(found)),
        dpi=DPI,
        squeeze=False,
    )
    gap, height = 72 * 0.95 * (inches - across) / (length + 0.6), 72 * (tall - below)
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


def name_columns(panel: Panel, graph: Graph) -> None:
    """Write below each column which layers end in it, and its size."""
    shown = graph.layers[panel.first : panel.last + 1]
    labels = []
    for layer in shown:
        name, *others = names(graph, layer)
        found = [name, *(f"+ {other}" for other in others[:1])]
        if len(others) > 1:
            found[1] = f"+ {len(others)} others"
        sizes = " × ".join(map(str, layer.shape))
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


def label_picture(figure, axes, graph, title, notes) -> None:
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
