"""A graph in NetworKit."""

from __future__ import annotations

from typing import Any

import networkit
import numpy as np

from .parts import attributes, edges


def write(graph: Any) -> networkit.Graph:
    """A `Graph`, directed and weighted, with node attributes as of `attributes`."""
    source, target, weight = edges(graph, np.uint64)
    written = networkit.Graph(graph.num_nodes, weighted=True, directed=True)
    written.addEdges((weight.astype(np.float64), (source, target)))
    for name, values in attributes(graph).items():
        attribute = written.attachNodeAttribute(name, type(values[0]))
        for node, value in enumerate(values):
            attribute[node] = value
    return written
