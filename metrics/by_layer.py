"""What becomes of each layer of a network: a row for every layer of weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graph_encoding import Block, Graph, NodeLayer

from .degrees import disconnected, sinks, sources


class LayerSummary(NamedTuple):
    """A layer of weights and the nodes that it computes.

    Attributes
    ----------
    name : str
        Of the layer in the network; of several where their edges are one ("a + b").
    nodes : int
        Nodes that the layer computes (layers that end in one addition share them).
    edges : int
        Edges that its kept weights stand for.
    kept_weights, total_weights : int
    density : float
        Kept share of the weights.
    sinks, sources, disconnected : float
        Share of its nodes that nobody reads although they are fed, that are read but not fed, and
        that have no edge at all. Outputs of the network are no sinks.
    strength : float
        Mean summed weight of all edges at its nodes.
    target : NodeLayer
        Its nodes.
    """

    name: str
    nodes: int
    edges: int
    kept_weights: int
    total_weights: int
    density: float
    sinks: float
    sources: float
    disconnected: float
    strength: float
    target: NodeLayer


def by_layer(graph: Graph) -> list[LayerSummary]:
    """Summarise each layer of weights.

    Parameters
    ----------
    graph : Graph
        Of any encoding; any wiring but ``published``.

    Returns
    -------
    list of LayerSummary
        In the order in which the network runs them.
    """
    blocks: dict[tuple[str, NodeLayer], list[Block]] = {}
    for block in graph.blocks:
        blocks.setdefault((block.name, block.target), []).append(block)
    marks = _marks(graph)
    return [
        _summary(graph, marks, name, target, found)
        for (name, target), found in blocks.items()
        if any(block.total_weights for block in found)  # identity shortcuts have none
    ]


def whole(graph: Graph) -> LayerSummary:
    """Summarise all layers at once.

    Parameters
    ----------
    graph : Graph
        As for `by_layer`.

    Returns
    -------
    LayerSummary
        Of all nodes and edges of the graph, also its inputs and its shortcuts without weights.
    """
    target = NodeLayer("all", 0, graph.num_nodes)
    return _summary(graph, _marks(graph), "all", target, graph.blocks)


def _marks(graph: Graph) -> dict[str, np.ndarray]:
    marks = {mark.__name__: mark(graph) for mark in (sinks, sources, disconnected)}
    return marks | {"strength": graph.node_strength}


def _summary(
    graph: Graph,
    marks: dict[str, np.ndarray],
    name: str,
    target: NodeLayer,
    blocks: list[Block],
) -> LayerSummary:
    nodes = slice(target.offset, target.stop)
    kept = sum(block.kept_weights for block in blocks)
    total = sum(block.total_weights for block in blocks)
    return LayerSummary(
        name=name,
        nodes=target.size,
        edges=sum(block.num_edges for block in blocks),
        kept_weights=kept,
        total_weights=total,
        density=kept / total,
        target=target,
        **{mark: float(marked[nodes].mean()) for mark, marked in marks.items()},
    )
