"""The multipartite graph as a picture: layers as columns, edges as lines or as shades of many.

Memory is bounded: of a large graph a sample of edges is looked up, without the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graph_encoding import Graph

from .columns import SCALES, Columns
from .edge_drawing import draw_edges, removed_edges
from .node_drawing import draw_nodes, name_marks
from .nodes import MARKS, Bins, binned
from .paint import Paint
from .panels import label_picture, name_columns, panels_of
from .sampling import Edges

COLOURS = ("layer", "strength")

LINES = 20_000
SAMPLE = 1_000_000

BINS = 180
"""Stretches of a column for which marks and strengths are shown."""


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
    heights: str = SCALES[0],
    inches: float | None = None,
    bare: bool = False,
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
    heights : {"linear", "log"}
        What the height of a column is: its number of nodes, or its logarithm.
    inches : float, optional
        Width; by default as many as the columns of a row need, 9 or more.
    bare : bool
        Whether to leave out all words, for a small picture; it is then about half as tall as wide.

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
    for value, known in ((colour, COLOURS), (heights, SCALES), *((name, MARKS) for name in mark)):
        if value not in known:
            raise ValueError(f"unknown {value!r}: choose from {', '.join(known)}")
    columns = Columns(graph, heights)
    figure, panels = panels_of(columns, per_row, inches, bare)
    rng, notes = np.random.default_rng(seed), []
    paint = Paint(columns, _bins(graph, colour, mark), colour)
    if removed:
        gone = removed_edges(graph, notes)
        draw_edges(panels, paint, gone, lines, sample, rng, notes, pale=True)
    kept = [Edges(block) for block in graph.blocks]
    draw_edges(panels, paint, kept, lines, sample, rng, notes)
    for panel in panels:
        draw_nodes(panel, paint, mark)
    if bare:
        for axes in figure.axes[len(panels) :]:
            axes.remove()  # what shades mean
        for panel in panels:
            panel.axes.set_axis_off()
        return figure
    for panel in panels:
        name_columns(panel, graph)
    of = "the logarithm of its number of nodes" if heights == "log" else "its number of nodes"
    notes.append(f"the height of a column is {of}")
    if mark:
        name_marks(panels[0].axes, paint, mark, notes)
    label_picture(figure, panels[0].axes, graph, title, notes)
    return figure


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
