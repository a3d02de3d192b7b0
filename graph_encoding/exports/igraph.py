"""A graph in igraph."""

from __future__ import annotations

from typing import Any

import igraph
import numpy as np

from .parts import attributes, edges


def write(graph: Any) -> igraph.Graph:
    """A `Graph` with vertex attributes, as of `attributes`, and the edge attribute ``weight``."""
    source, target, weight = edges(graph)
    written = igraph.Graph(n=graph.num_nodes, edges=np.stack([source, target], 1), directed=True)
    for name, values in attributes(graph).items():
        written.vs[name] = values
    written.es["weight"] = weight.tolist()
    return written
