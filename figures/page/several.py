"""Several networks on one page: their metrics, their layers and their graphs beside each other.

    python main.py --pruning snip synflow uniform --save-graph graphs
    python -m figures.page graphs/*.graph.zst --output networks.html

Networks that --save-snn saved become graphs by `python main.py --snn FILE ... --save-graph graphs`.
The graphs are measured here, a few seconds each. Differences are from the first one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from metrics import GROUPS, topometrics
from metrics.by_layer import LayerSummary, by_layer, whole
from runs import naming
from runs.columns import CONFIGURATION, FOUND
from system.arguments import Parser, file_ending_in, module_parser, path
from system.errors import UserError
from system.files import check_file, replacing
from system.program import program
from system.text import printable

from .. import multipartite, saved_graphs
from ..node_drawing import MEANINGS as MARK_MEANINGS
from ..paint import MARK_COLOURS
from . import layer_table
from .layer_table import Cell, percent
from .parts import MEANINGS, compared, document, label, listed, origin, picture, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graph_encoding import Graph

FEWEST, MOST = 2, 6
"""Networks of a page."""

MARKS = ("sinks", "sources", "disconnected")


class Network(NamedTuple):
    """A network of the page.

    Attributes
    ----------
    label : str
        What tells it from the others.
    row : dict
        What is known of how it was made, and its metrics.
    layers : list of LayerSummary
    whole : LayerSummary
        All layers at once.
    picture : matplotlib Figure or bytes
        Of its graph, without words.
    """

    label: str
    row: Mapping[str, object]
    layers: Sequence[LayerSummary]
    whole: LayerSummary
    picture: Figure | bytes


@program("figures.page")
def main(argv: Sequence[str]) -> None:
    """Write a page.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        Exit status: 0; 2 after one line about what the user can mend; 130 when interrupted.
    """
    options = parser().parse_args(argv)
    files = list(dict.fromkeys(options.files))
    if not FEWEST <= len(files) <= MOST:
        raise UserError(f"{len(files)} graphs for one page: give {FEWEST} to {MOST}")
    check_file(options.output)
    graphs = [read(file) for file in files]
    require_one_wiring([made for _, made in graphs])
    networks = []
    for file, name, (graph, made) in zip(files, saved_graphs.labels(files), graphs, strict=True):
        print(f"measuring {printable(str(file))}", flush=True)
        networks.append(measured(graph, made, name))
    text = page(networks)
    with replacing(options.output) as opened:
        opened.write(text.encode())
    print(f"written to {printable(str(options.output))}")


def parser() -> Parser:
    """The flags."""
    p = module_parser("figures.page", __doc__)
    p.add_argument(
        "files",
        nargs="+",
        type=path,
        metavar="FILE",
        help=f"saved by --save-graph, {FEWEST} to {MOST}, the one to compare with first",
    )
    p.add_argument(
        "--output",
        type=file_ending_in(".html"),
        default=Path("networks.html"),
        metavar="FILE",
        help="page to write (default: %(default)s)",
    )
    return p


def read(file: Path) -> tuple[Graph, dict[str, object]]:
    """A saved graph, and what made it.

    Raises
    ------
    UserError
        If it is not one multipartite graph that has layers to compare.
    """
    graphs = saved_graphs.comparable(file, MARKS)
    if len(graphs) > 1 or graphs[0].layer_name:
        raise UserError(f"{file}: holds graphs of single layers: give one of --encoding unrolled")
    (graph,) = graphs
    made = {"encoding": graph.encoding, "wiring": graph.wiring}
    return graph, made | saved_graphs.configuration(file)


def require_one_wiring(several: Sequence[Mapping[str, object]]) -> None:
    """Raise a `UserError` where graphs are of different wirings, whose numbers differ anyway."""
    if len(found := {str(made["wiring"]) for made in several}) > 1:
        raise UserError(f"graphs of several wirings ({', '.join(sorted(found))}): give one kind")


def measured(graph: Graph, made: Mapping[str, object], name: str) -> Network:
    """Measure a graph, and draw it; `name` tells it from the others."""
    return Network(
        name,
        {**made, **topometrics(graph)},
        by_layer(graph),
        whole(graph),
        multipartite.draw(graph, mark=MARKS, bare=True, inches=5.0, sample=300_000),
    )


def page(networks: Sequence[Network]) -> str:
    """Write the page of several networks.

    Parameters
    ----------
    networks : sequence of Network

    Returns
    -------
    str
        HTML, to be written as UTF-8.
    """
    rows = [network.row for network in networks]
    known = [name for name in CONFIGURATION if any(row.get(name) not in (None, "") for row in rows)]
    same = {
        name: rows[0].get(name) for name in known if len({str(row.get(name)) for row in rows}) == 1
    }
    names = dict.fromkeys(
        naming.network_of(row) for row in rows if {"model", "dataset"} <= row.keys()
    )
    heading, among = ", ".join(names) or "Sparse networks", [each.label for each in networks]
    facts = {"networks": str(len(networks))}
    facts |= {name: shown(same[name]) for name in ("pruning", "sparsity", "seed") if name in same}
    return document(
        kicker="Sparse networks beside each other",
        heading=heading,
        title=f"{heading}: {', '.join(among)}",
        facts=facts,
        sections={
            "Metrics": _metrics(networks, [name for name in known if name not in same]),
            "Layer by layer": _layer_by_layer(networks),
            "Graphs": _graphs(networks),
            "Layers": _table(networks) if _are_alike(networks) else "",
            "In common": listed("configuration", {label(n): shown(v) for n, v in same.items()}),
            "How this page was made": origin(rows),
        },
    )


def _metrics(networks: Sequence[Network], differing: Sequence[str]) -> str:
    """Every metric, a column a network, with what it differs by from the first."""
    heads = "".join(f'<th scope="col">{escape(each.label)}</th>' for each in networks)
    said = [network.label for network in networks]  # in the heading already
    beside = [name for name in differing if [each.row.get(name) for each in networks] != said]
    groups = {"Network": beside, **GROUPS}
    bodies = "".join(
        f'<tbody>\n<tr class="group"><th scope="rowgroup" colspan="{len(networks) + 1}">'
        f"<span>{escape(title)}</span></th></tr>\n"
        f"{''.join(_metric(networks, name) for name in names)}</tbody>\n"
        for title, names in groups.items()
        if names
    )
    return (
        f'<p class="note">Below each value: what it differs by from {escape(networks[0].label)}.'
        "</p>\n"
        '<div class="scroll" role="region" aria-labelledby="metrics-title" tabindex="0">\n'
        f'<table class="beside">\n<thead><tr><th scope="col">Metric</th>{heads}</tr></thead>\n'
        f"{bodies}</table>\n</div>"
    )


def _metric(networks: Sequence[Network], name: str) -> str:
    first, *others = (network.row.get(name) for network in networks)
    changes = [""] * (1 + len(others))
    if name not in CONFIGURATION or name in FOUND:
        changes[1:] = [difference(first, other) for other in others]
    cells = "".join(
        f"<td>{escape(shown(network.row.get(name)))}"
        f"{f'<span>{change}</span>' if change else ''}</td>"
        for network, change in zip(networks, changes)
    )
    what = f"<code>{escape(name)}</code>" if name in MEANINGS else escape(label(name))
    meaning = f"<span>{escape(MEANINGS[name])}</span>" if name in MEANINGS else ""
    return f'<tr><th scope="row">{what}{meaning}</th>{cells}</tr>\n'


def difference(first: object, other: object) -> str:
    """What a value differs by from the first, in percent of it or as a multiple.

    Parameters
    ----------
    first, other : number or None

    Returns
    -------
    str
        Nothing where one of them is None or not a number, or the first is 0 and the other not.

    Examples
    --------
    >>> difference(200, 150), difference(3, 3), difference(2, 90), difference(0, 7)
    ('−25 %', 'same', '× 45', '')
    """
    if not {type(first), type(other)} <= {int, float}:
        return ""
    if first == other:
        return "same"
    if not first:
        return ""
    ratio = other / first
    if ratio >= 10:
        return f"× {ratio:,.3g}" if ratio < 1000 else f"× {ratio:,.0f}"
    change = 100 * (other - first) / abs(first)
    if abs(change) < 0.01:
        return "< 0.01 %"
    text = f"{change:+.0f}" if abs(change) >= 9.95 else f"{change:+.2g}"
    return f"{text} %".replace("-", "\N{MINUS SIGN}")


def _are_alike(networks: Sequence[Network]) -> bool:
    names = [[layer.name for layer in network.layers] for network in networks]
    return all(found == names[0] for found in names)


def _layer_by_layer(networks: Sequence[Network]) -> str:
    if not _are_alike(networks):
        return "<p>The networks have different layers, so there is no plot of them.</p>"
    summaries = {network.label: network.layers for network in networks}
    return picture("Density, sinks, sources and strength of each layer", compared(summaries))


def _graphs(networks: Sequence[Network]) -> str:
    pictures = "".join(picture(network.label, network.picture) for network in networks)
    keys = ", ".join(
        f'<span class="key" style="--mark: {MARK_COLOURS[mark]}">{MARK_MEANINGS[mark]}</span>'
        for mark in MARKS
    )
    return (
        '<p class="note">A column is a layer of nodes, from the inputs to the outputs, and its '
        f'height their number. Beside it: {keys}.</p>\n<div class="side">\n{pictures}</div>'
    )


def _table(networks: Sequence[Network]) -> str:
    labels = [network.label for network in networks]
    meanings = {"Layer": "its name in the network"}
    meanings |= {name: f"share of the layer's weights that {name} kept" for name in labels}
    layers = enumerate(zip(*(network.layers for network in networks), strict=True), 1)
    return layer_table.table(
        meanings,
        [_row(place, labels, found) for place, found in layers],
        _row("", labels, [network.whole for network in networks]),
        "The share of its weights that each network has kept in a layer. The last row is of all.",
    )


def _row(place: int | str, labels: Sequence[str], found: Sequence[LayerSummary]) -> str:
    cells = [
        Cell(
            name,
            each.density,
            percent(each.density) if each.edges else "none",
            share=each.density,
            is_alarm=not each.edges,
        )
        for name, each in zip(labels, found, strict=True)
    ]
    return layer_table.row(place, found[0].name, cells)
