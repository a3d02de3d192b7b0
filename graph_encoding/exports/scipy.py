"""A graph as a sparse matrix of SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from .parts import edges


def write(graph: Any) -> scipy.sparse.csr_array:
    """Directed weighted adjacency matrix of a `Graph`, (num_nodes, num_nodes), float32."""
    source, target, weight = edges(graph, np.int32 if graph.num_nodes < 2**31 else np.int64)
    shape = (graph.num_nodes, graph.num_nodes)
    return scipy.sparse.coo_array((weight, (source, target)), shape=shape).tocsr()
