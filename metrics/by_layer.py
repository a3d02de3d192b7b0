"""What becomes of each layer of a network: a row for every layer of weights."""

from __future__ import annotations

from typing import NamedTuple

from graph_encoding import Graph


class LayerSummary(NamedTuple):
    """A layer of weights and the nodes that it computes.

    Attributes
    ----------
    name : str
        Of the layer in the network.
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


def by_layer(graph: Graph) -> list[LayerSummary]:
    """Summarise each layer of weights.

    Parameters
    ----------
    graph : Graph
        Of any encoding; the ``exact`` wiring.

    Returns
    -------
    list of LayerSummary
        In the order in which the network runs them.
    """
    rows = []
    for block in graph.blocks:
        nodes = slice(block.target.offset, block.target.stop)
        fed, feeds = graph.in_degree[nodes] > 0, graph.out_degree[nodes] > 0
        last = block.target == graph.layers[-1]
        rows.append(
            LayerSummary(
                name=block.name,
                nodes=block.target.size,
                edges=block.num_edges,
                kept_weights=block.kept_weights,
                total_weights=block.total_weights,
                density=block.kept_weights / block.total_weights if block.total_weights else 0.0,
                sinks=0.0 if last else float((fed & ~feeds).mean()),
                sources=float((feeds & ~fed).mean()),
                disconnected=float((~fed & ~feeds).mean()),
                strength=float(graph.node_strength[nodes].mean()),
            )
        )
    return rows
