"""The page of one network: a report in one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from graph_encoding import WITH_SHORTCUTS
from metrics.by_layer import LayerSummary, by_layer, whole
from runs import naming
from runs.summary import compact, number

from .. import multipartite
from ..collapse import warnings_of
from . import layer_table
from .layer_table import Cell, percent
from .parts import (
    MEANINGS,
    PHONE,
    Picture,
    compared,
    document,
    label,
    listed,
    origin,
    picture,
    shown,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graph_encoding import Graph


class Column(NamedTuple):
    """A column of the table of layers: heading, meaning, and how a value is shown."""

    heading: str
    meaning: str
    show: Callable[[object], str]


LAYER_COLUMNS = {
    "name": Column("Layer", "its name in the network", str),
    "nodes": Column("Nodes", "units that it computes", number),
    "edges": Column("Edges", "connections that its kept weights stand for", number),
    "kept_weights": Column("Kept", "weights that pruning left", number),
    "total_weights": Column("Weights", "weights before pruning", number),
    "density": Column("Density", "kept share of the weights", percent),
    "sinks": Column("Sinks", "share of its nodes that are fed and not read", percent),
    "sources": Column("Sources", "share of its nodes that are read and not fed", percent),
    "disconnected": Column("Cut off", "share of its nodes without any edge", percent),
    "strength": Column("Strength", "mean summed weight of all edges at its nodes", compact),
}
SHARES = ("density", "sinks", "sources", "disconnected")


SHORTCUTS = (
    "<p>Told with the shortcuts without weights, which carry signals. The graph measured below has "
    "no edges for them, as in the paper.</p>\n"
)


def page(
    row: Mapping[str, object],
    groups: Mapping[str, Sequence[str]],
    layers: Sequence[LayerSummary],
    pictures: Mapping[str, Figure | bytes | Picture],
    warnings: Sequence[str],
    whole: LayerSummary | None = None,
) -> str:
    """Write the page of one network.

    Parameters
    ----------
    row : mapping
        Configuration and metrics, as in a result file.
    groups : mapping of str to sequence of str
        Names of the metrics by title, as `runs.measures` has them. What else is in `row` is
        configuration.
    layers : sequence of LayerSummary
        In the order in which the network runs them. Without any the page has no table of them.
    pictures : mapping of str to matplotlib Figure, bytes or Picture
        By caption; bytes are those of a PNG. Figures are left open.
    warnings : sequence of str
        From `warnings_of`: the page says what is well where it found none.
    whole : LayerSummary, optional
        From `metrics.by_layer.whole`: the last row of the table of layers.

    Returns
    -------
    str
        HTML, to be written as UTF-8.
    """
    measured = {name for names in groups.values() for name in names}
    sections = {
        "Warnings": _warnings(warnings, row.get("wiring")),
        "Configuration": _configuration(row, measured),
        "Metrics": _metrics(row, groups),
        "Pictures": "".join(picture(title, drawn) for title, drawn in pictures.items()),
        "Layers": _table(layers, whole) if layers else "",
        "How this page was made": origin([row]),
    }
    return document(
        kicker="Topology of a sparse network",
        heading=naming.network_of(row),
        title=naming.page_title(row),
        facts=_facts(row, layers),
        sections=sections,
    )


def network_page(
    row: Mapping[str, object],
    groups: Mapping[str, Sequence[str]],
    graph: Graph,
    flow: Graph,
    input_shape: tuple[int, ...] | None,
) -> str:
    """The page of a network, with its pictures.

    Parameters
    ----------
    row, groups
        As for `page`.
    graph : Graph
        Its multipartite graph.
    flow : Graph
        The same with the ``identity`` wiring, of which the warnings are.
    input_shape : tuple of int or None
        Of one input; None of a network with an example of its own.

    Returns
    -------
    str
        HTML.
    """
    summaries, marks = by_layer(graph), ("sinks", "sources", "disconnected")
    pictures = {
        "The multipartite graph: a column for each layer of nodes, from the inputs to the outputs; "
        "beside it its sinks, sources and disconnected nodes": Picture(
            multipartite.draw(graph, mark=marks, per_row=22),
            multipartite.draw(graph, mark=marks, sample=200_000, **PHONE),
        ),
        "Layer by layer: density, sinks, sources and strength": compared(
            {str(row["pruning"]): summaries}
        ),
    }
    return page(row, groups, summaries, pictures, warnings_of(flow, input_shape), whole(graph))


def _facts(row: Mapping[str, object], layers: Sequence[LayerSummary]) -> dict[str, str]:
    """What to know at a glance."""
    names = {"pruning": "pruner"} | {name: name for name in ("sparsity", "seed", "nodes", "edges")}
    facts = {text: shown(row[name]) for name, text in names.items() if name in row}
    if layers:
        facts["weights kept"] = number(sum(layer.kept_weights for layer in layers))
    return facts


def _warnings(warnings: Sequence[str], wiring: object) -> str:
    if not warnings:
        return (
            '<p class="fine">None: every layer has edges, every input reaches an output, every '
            "output is reached, and in no layer are most nodes sinks or sources.</p>"
        )
    items = "".join(f"<li>{escape(text)}</li>\n" for text in warnings)
    note = "" if str(wiring).startswith(WITH_SHORTCUTS) else SHORTCUTS
    return f'<div class="warning">\n<ul>\n{items}</ul>\n{note}</div>'


def _configuration(row: Mapping[str, object], measured: set[str]) -> str:
    return listed(
        "configuration",
        {
            label(name): shown(value)
            for name, value in row.items()
            if name not in measured and value not in (None, "")
        },
    )


def _metrics(row: Mapping[str, object], groups: Mapping[str, Sequence[str]]) -> str:
    bodies = []
    for title, names in groups.items():
        lines = "".join(
            f'<tr><th scope="row"><code>{escape(name)}</code></th>'
            f'<td class="number">{escape(shown(row[name]))}</td>'
            f"<td>{escape(MEANINGS.get(name, ''))}</td></tr>\n"
            for name in names
        )
        bodies.append(
            f'<tbody>\n<tr class="group"><th scope="rowgroup" colspan="3">{escape(title)}</th>'
            f"</tr>\n{lines}</tbody>\n"
        )
    return (
        '<table class="metrics">\n<thead><tr><th scope="col">Metric</th>'
        '<th scope="col" class="number">Value</th><th scope="col">Meaning</th></tr></thead>\n'
        f"{''.join(bodies)}</table>"
    )


def _table(layers: Sequence[LayerSummary], whole: LayerSummary | None) -> str:
    meanings = {column.heading: column.meaning for column in LAYER_COLUMNS.values()}
    note = "; ".join(f"<b>{heading}</b> {meaning}" for heading, meaning in meanings.items())
    note += ". Layers that end in one addition share their nodes."
    return layer_table.table(
        meanings,
        [_row(place, layer) for place, layer in enumerate(layers, 1)],
        _row("", whole) if whole else "",
        note + (_rest(layers, whole) if whole else ""),
    )


def _rest(layers: Sequence[LayerSummary], whole: LayerSummary) -> str:
    """What is in the last row and in none of the others."""
    inputs = whole.nodes - sum({layer.target: layer.nodes for layer in layers}.values())
    edges = whole.edges - sum(layer.edges for layer in layers)
    also = f" and {number(edges)} edges of shortcuts without weights" if edges else ""
    return (
        f" The last row counts each node once, and also {number(inputs)} nodes of the padded "
        f"input{also}."
    )


def _row(place: int | str, layer: LayerSummary) -> str:
    cells = [
        Cell(column.heading, value, column.show(value), value if name in SHARES else None)
        for name, column in LAYER_COLUMNS.items()
        if name != "name"
        for value in [getattr(layer, name)]
    ]
    return layer_table.row(place, layer.name, cells, "" if layer.edges else "collapsed")
