"""A graph in NetworkX."""

from __future__ import annotations

from typing import Any

import networkx

from .parts import attributes


def write(graph: Any) -> networkx.DiGraph:
    """A `Graph` with node attributes, as of `attributes`, and the edge attribute ``weight``."""
    found = attributes(graph)
    written = networkx.DiGraph()
    written.add_nodes_from(
        (node, dict(zip(found, values))) for node, values in enumerate(zip(*found.values()))
    )
    for source, target, weight in graph.edges():
        written.add_weighted_edges_from(
            zip(source.tolist(), target.tolist(), weight.tolist(), strict=True)
        )
    return written
