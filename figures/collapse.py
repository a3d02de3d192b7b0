"""Where a sparse network has fallen apart, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from graph_encoding import Graph, NodeLayer
from metrics.by_layer import LayerSummary, by_layer
from metrics.reachability import reached_from_inputs, reaching_outputs

MOST = 0.5
"""Share of a layer's nodes from which on its sinks or sources are worth a warning."""

FEW = 10  # outputs that are worth naming one by one


def warnings_of(graph: Graph, input_shape: tuple[int, ...] | None = None) -> list[str]:
    """Say what no longer works in a network, and what that means for it.

    Parameters
    ----------
    graph : Graph
        The multipartite graph, of the ``identity`` wiring: shortcuts without weights carry signals
        past what else is cut.
    input_shape : tuple of int, optional
        Of the one input: channels and sizes, or features. With it the padding around the
        input, which is part of the first node layer, does not count as inputs.

    Returns
    -------
    list of str
        A sentence each: layers that have collapsed, outputs that no input reaches, inputs that
        reach no output, layers most of whose nodes are sinks or sources. Empty where all is well.
    """
    layers = by_layer(graph)
    return [
        *_collapsed(graph, layers),
        *_ends(graph, input_shape),
        *_mostly(graph, layers),
    ]


def _collapsed(graph: Graph, layers: Sequence[LayerSummary]) -> list[str]:
    """Layers that carry nothing; one beside others that still feed its nodes is told apart."""
    alone, found = [], []
    for layer in layers:
        if layer.edges and layer.kept_weights:
            continue
        label = f"{layer.name} ({layer.kept_weights:,} of {layer.total_weights:,} weights kept)"
        ending = [b for b in graph.blocks if b.target == layer.target and b.num_edges]
        beside = dict.fromkeys(b.name for b in ending if b.name != layer.name)
        if layer.edges:  # of a shortcut without weights that joins the same nodes
            beside["the shortcut past it"] = None
        if beside:
            found.append(
                f"Layer {label} has collapsed: nothing flows on from it; the nodes where it ends "
                f"depend on {_and(beside)} alone."
            )
        else:
            alone.append(label)
    if alone:
        who, where = f"Layer {alone[0]} has", "it"
        if len(alone) > 1:
            who, where = f"Layers {_and(alone)} have", "them"
        found.insert(0, f"{who} collapsed: nothing flows on from {where}.")
    return found


def _ends(graph: Graph, input_shape: tuple[int, ...] | None) -> list[str]:
    """Outputs that no input reaches, and inputs that reach no output."""
    reached, reaching = reached_from_inputs(graph), reaching_outputs(graph)
    lost = np.flatnonzero(~reached[graph.is_output])
    outputs, names = int(graph.is_output.sum()), _and(each.name for each in graph.output_layers)
    if len(lost) == outputs:
        ends = [b for b in graph.blocks if reached[b.target.offset : b.target.stop].any()]
        where = ends[-1].name if ends else "the input itself"
        return [
            f"None of the {outputs:,} outputs ({names}) is reached by any input: along the "
            f"edges nothing of an image gets further than {where}, and the answer is the same for "
            "every image."
        ]
    found = []
    if len(lost):
        which = f", number {_and(map(str, lost))}," if len(lost) <= FEW else ""
        verb, value = ("is", "its value is") if len(lost) == 1 else ("are", "their values are")
        found.append(
            f"{len(lost):,} of {outputs:,} outputs ({names}){which} {verb} reached by no "
            f"input: {value} the same for every image."
        )
    blind = ~np.concatenate([_pixels(i, reaching, input_shape).ravel() for i in graph.input_layers])
    if blind.any():
        starts = {layer.offset for layer in graph.input_layers}
        readers = _and(b.name for b in graph.blocks if b.source.offset in starts)
        verb, they = ("reaches", "it shows") if blind.sum() == 1 else ("reach", "they show")
        found.append(
            f"{blind.sum():,} of {blind.size:,} inputs (read by {readers}) {verb} no output: what "
            f"{they} makes no difference to the answer."
        )
    return found


def _pixels(
    first: NodeLayer, values: np.ndarray, input_shape: tuple[int, ...] | None
) -> np.ndarray:
    """The values of an input's nodes, a map, without those of the padding."""
    values = values[first.offset : first.stop].reshape(-1, first.depth, first.height, first.width)
    if input_shape is None:
        return values
    sizes = (1, 1, 1, *input_shape[1:])[-3:]
    before = [(outer - size) // 2 for outer, size in zip(values.shape[1:], sizes, strict=True)]
    inside = (slice(start, start + size) for start, size in zip(before, sizes, strict=True))
    return values[(slice(None), *inside)]


def _mostly(graph: Graph, layers: Sequence[LayerSummary]) -> list[str]:
    """Layers of many sinks or sources, except where a collapsed layer explains them all."""
    names: dict[int, list[str]] = {}  # layers that end in one addition share their nodes
    sinks, sources = {}, {}
    for layer in layers:
        start, stop = layer.target.offset, layer.target.stop
        names.setdefault(start, []).append(layer.name)
        if layer.sinks >= MOST and graph.out_degree[start:stop].any():
            sinks[start] = layer.sinks
        if layer.sources >= MOST and graph.in_degree[start:stop].any():
            sources[start] = layer.sources
    found = []
    for shares, meaning in (
        (sinks, "sinks: no layer reads what they compute, so the weights into them are wasted"),
        (sources, "sources: no layer feeds them, so they compute the same for every image"),
    ):
        if shares:
            where = _and(
                f"{' + '.join(names[start])} ({100 * share:.0f} %)"
                for start, share in shares.items()
            )
            found.append(f"Most nodes of {where} are {meaning}.")
    return found


def _and(words: Iterable[str]) -> str:
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last
