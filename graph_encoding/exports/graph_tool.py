"""A graph in graph-tool."""

from __future__ import annotations

from typing import Any

import graph_tool
import numpy as np

from .parts import attributes


def write(graph: Any) -> graph_tool.Graph:
    """A `Graph` with vertex properties, as of `attributes`, and the edge property ``weight``."""
    written = graph_tool.Graph(directed=True)
    written.add_vertex(graph.num_nodes)
    weights = written.new_edge_property("double")
    for chunk in graph.edges():
        rows = np.stack([part.astype(np.float64) for part in chunk], axis=1)
        written.add_edge_list(rows, eprops=[weights])
    written.edge_properties["weight"] = weights
    for name, values in attributes(graph).items():
        kind = "string" if isinstance(values[0], str) else "int"
        written.vertex_properties[name] = written.new_vertex_property(kind, vals=values)
    return written
