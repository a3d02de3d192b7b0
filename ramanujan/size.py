"""Size of a layer: of its graph, and of its weights."""

from __future__ import annotations

from graph_encoding import Graph


def size(graph: Graph) -> dict[str, int | float]:
    """``edges``, ``nodes``, ``layer_density``, ``no_weights`` (kept) and ``no_params`` (all)."""
    return {
        "edges": graph.num_edges,
        "nodes": graph.num_nodes,
        "layer_density": graph.layer_density,
        "no_weights": graph.kept_weights,
        "no_params": graph.total_weights,
    }
