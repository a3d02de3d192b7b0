"""The page of one network: a report in one HTML file that needs nothing but itself.

The page is `page.html`; here its blanks are filled. Every text is escaped, pictures are embedded.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import struct
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from graph_encoding import WITH_SHORTCUTS
from metrics.by_layer import LayerSummary, by_layer, whole
from metrics.registry import columns_of
from models import MODELS
from runs import naming, records
from runs.columns import IDENTITY
from runs.measures import MEASURES
from runs.summary import compact, number

from . import layers, multipartite
from .collapse import warnings_of
from .style import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graph_encoding import Graph

LABELS = {
    "dataset": "Data set",
    "pruning": "Pruner",
    "sparsity": "Sparsity asked for",
    "achieved_sparsity": "Sparsity achieved",
    "training": "Trained",
    "batch_size": "Batch size",
    "lr": "Learning rate",
    "accuracy": "Test accuracy",
}


class Picture(NamedTuple):
    """A picture for screens and paper, and one for the width of a phone."""

    wide: Figure | bytes
    narrow: Figure | bytes


class Column(NamedTuple):
    """A column of the table of layers: heading, meaning, and how a value is shown."""

    heading: str
    meaning: str
    show: Callable[[object], str]


def _share(value: float) -> str:
    percent = 100 * value
    shown = f"{percent:.1f}" if percent >= 0.1 or not percent else f"{percent:.1g}"
    return f"{shown}\N{NO-BREAK SPACE}%"


LAYER_COLUMNS = {
    "name": Column("Layer", "its name in the network", str),
    "nodes": Column("Nodes", "units that it computes", number),
    "edges": Column("Edges", "connections that its kept weights stand for", number),
    "kept_weights": Column("Kept", "weights that pruning left", number),
    "total_weights": Column("Weights", "weights before pruning", number),
    "density": Column("Density", "kept share of the weights", _share),
    "sinks": Column("Sinks", "share of its nodes that are fed and not read", _share),
    "sources": Column("Sources", "share of its nodes that are read and not fed", _share),
    "disconnected": Column("Cut off", "share of its nodes without any edge", _share),
    "strength": Column("Strength", "mean summed weight of all edges at its nodes", compact),
}
SHARES = ("density", "sinks", "sources", "disconnected")


SHORTCUTS = (
    "<p>Told with the shortcuts without weights, which carry signals. The graph measured below has "
    "no edges for them, as in the paper.</p>\n"
)
MEANINGS = {
    column.name: column.meaning
    for kind in reversed(MEASURES.values())  # what two have means what it does in the first
    for column in columns_of(kind.metrics)
}
PHONE = {"per_row": 6, "inches": 4.4}
"""The graph's picture on a phone."""

READABLE = 0.75
"""Least size of a picture on a screen, which then scrolls, by its own size."""


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
        "Pictures": "".join(_picture(title, drawn) for title, drawn in pictures.items()),
        "Layers": _layers(layers, whole) if layers else "",
        "How this page was made": _origin(row),
    }
    sections = {title: body for title, body in sections.items() if body}
    text = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return Template(text).substitute(
        script=_hash(text.partition("<script>")[2].partition("</script>")[0]),
        title=escape(naming.page_title(row)),
        network=escape(naming.network_of(row)),
        facts=_facts(row, layers),
        links="".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in sections),
        sections="".join(
            f'<section id="{_anchor(title)}" aria-labelledby="{_anchor(title)}-title">\n'
            f'<h2 id="{_anchor(title)}-title">{title}</h2>\n{body}\n</section>\n'
            for title, body in sections.items()
        ),
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
    input_shape : tuple of int
        Of one input.

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
        "Layer by layer: density, sinks, sources and strength": layers.compare(
            {str(row["pruning"]): summaries}
        ),
    }
    return page(row, groups, summaries, pictures, warnings_of(flow, input_shape), whole(graph))


def _hash(script: str) -> str:
    """What allows the page's own script, and no other, in its policy."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _facts(row: Mapping[str, object], layers: Sequence[LayerSummary]) -> str:
    """What to know at a glance."""
    names = {"pruning": "pruner"} | {name: name for name in ("sparsity", "seed", "nodes", "edges")}
    facts = {label: _value(row[name]) for name, label in names.items() if name in row}
    if layers:
        facts["weights kept"] = number(sum(layer.kept_weights for layer in layers))
    return _list("facts", facts)


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
    return _list(
        "configuration",
        {
            _label(name): _value(value)
            for name, value in row.items()
            if name not in measured and value is not None
        },
    )


def _list(kind: str, entries: Mapping[str, str]) -> str:
    lines = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n"
        for name, value in entries.items()
    )
    return f'<dl class="{kind}">\n{lines}</dl>'


def _label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " ").capitalize())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value)


def _metrics(row: Mapping[str, object], groups: Mapping[str, Sequence[str]]) -> str:
    bodies = []
    for title, names in groups.items():
        lines = "".join(
            f'<tr><th scope="row"><code>{escape(name)}</code></th>'
            f'<td class="number">{escape(_value(row[name]))}</td>'
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


def _picture(title: str, drawn: Figure | bytes | Picture) -> str:
    wide, narrow = drawn if isinstance(drawn, Picture) else (drawn, None)
    data, width, height = _png(wide)
    shape, least = ' class="tall"' if height > width else "", READABLE * width * 96 / DPI
    image = (
        f'<img src="{data}" width="{width}" height="{height}" '
        f'style="--least: {least:.0f}px" alt="{escape(title)}">'
    )
    if narrow is not None:
        data, width, height = _png(narrow)
        image = (
            f'<picture><source media="screen and (max-width: 40rem)" srcset="{data}" '
            f'width="{width}" height="{height}">{image}</picture>'
        )
    return (
        f'<figure{shape}>\n<div class="scroll" role="region" aria-label="Picture" tabindex="0">'
        f"{image}</div>\n<figcaption>{escape(title)}</figcaption></figure>\n"
    )


def _png(drawn: Figure | bytes) -> tuple[str, int, int]:
    """A PNG as an address, and its size in pixels."""
    if not isinstance(drawn, bytes):
        buffer = io.BytesIO()
        drawn.savefig(buffer, format="png", dpi=DPI)
        drawn = buffer.getvalue()
    width, height = struct.unpack(">II", drawn[16:24])  # of the first chunk
    return f"data:image/png;base64,{base64.b64encode(drawn).decode('ascii')}", width, height


def _layers(layers: Sequence[LayerSummary], whole: LayerSummary | None) -> str:
    heads = "".join(
        f'<th scope="col"{_kind(name)} title="{escape(column.meaning)}">{column.heading}</th>'
        for name, column in LAYER_COLUMNS.items()
    )
    lines = "".join(_layer(place, layer) for place, layer in enumerate(layers, 1))
    last = f"<tfoot>\n{_layer('', whole)}</tfoot>\n" if whole else ""
    meanings = "; ".join(
        f"<b>{column.heading}</b> {column.meaning}" for column in LAYER_COLUMNS.values()
    )
    return (
        '<p class="hint">A click on a heading sorts by it, another one turns the order round.</p>\n'
        '<div class="scroll" role="region" aria-labelledby="layers-title" tabindex="0">\n'
        '<table class="layers">\n<thead><tr><th scope="col" class="number" '
        f'title="place in the order in which the network runs them">#</th>{heads}</tr></thead>\n'
        f"<tbody>\n{lines}</tbody>\n{last}</table>\n</div>\n"
        f'<p class="note">{meanings}. Layers that end in one addition share their nodes.'
        f"{_rest(layers, whole) if whole else ''}</p>"
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


def _layer(place: int | str, layer: LayerSummary) -> str:
    cells = [f'<td class="number" data-value="{place}">{place}</td>']
    for name, column in LAYER_COLUMNS.items():
        value = getattr(layer, name)
        text, exact = escape(column.show(value)), escape(str(value))
        if name == "name":
            text = text.replace(".", ".<wbr>")
            tag = "" if layer.edges else ' <span class="tag">collapsed</span>'
            cells.append(f'<th scope="row" data-value="{exact}">{text}{tag}</th>')
        else:
            bar = f' style="--share: {value:.2%}"' if name in SHARES else ""
            heading = f' data-heading="{escape(column.heading)}"'
            cells.append(f'<td{_kind(name)} data-value="{exact}"{heading}{bar}>{text}</td>')
    collapsed = "" if layer.edges else ' class="collapsed"'
    return f"<tr{collapsed}>{''.join(cells)}</tr>\n"


def _kind(name: str) -> str:
    if name == "name":
        return ""
    return ' class="number share"' if name in SHARES else ' class="number"'


def _origin(row: Mapping[str, object]) -> str:
    versions = {name: version for name, version in records.versions().items() if version}
    if row["model"] not in MODELS:  # a network of the user's own goes by a label
        return _list("versions", versions)
    return (
        f"{_list('versions', versions)}\n"
        f"<p>The same network, measured again:</p>\n<pre><code>{escape(_command(row))}</code></pre>"
    )


def _command(row: Mapping[str, object]) -> str:
    """The command line of a run."""
    words = ["python", "main.py"]
    for name in (name for name in IDENTITY if name != "epoch"):
        value = row.get(name)
        if value not in (None, "") and not (name == "training" and not value):
            words += [f"--{name.replace('_', '-')}", "true" if value is True else str(value)]
    return shlex.join(words)
