"""Size: how many nodes and edges a graph has."""

from __future__ import annotations

from graph_encoding import Graph


def size(graph: Graph) -> dict[str, int]:
    """``nodes`` and ``edges``."""
    return {"nodes": graph.num_nodes, "edges": graph.num_edges}
