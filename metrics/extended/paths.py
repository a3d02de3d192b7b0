"""Paths from inputs to outputs: how many there are, and what flows along them."""

from __future__ import annotations

from math import log

import numpy as np

from graph_encoding import Graph
from graph_encoding.products.sparse import AdjacencyProduct

from ..reachability import reached_from_inputs, reaching_outputs


def paths(graph: Graph) -> dict[str, float | None]:
    """Logarithms of the number of paths and of their norm; the balance of paths with nodes.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``log_paths``: natural logarithm of the number of paths along the edges from the first layer
        to the last.
        ``log_path_norm``: natural logarithm of the sum over these paths of the product of their
        weights, which are moduli, not squared.
        ``node_path_balance``: logarithm of the number of effective nodes (those on some path), over
        that of the number of paths.
        None where there is no path; the balance also where there is only one.

    Notes
    -----
    Pham et al., "Towards Data-Agnostic Pruning At Initialization: What Makes a Good Sparse Mask?",
    NeurIPS 2023, have the effective nodes and paths, and the principle that good masks balance
    them; they plot the two and name no single figure, so the quotient is ours. They count channels
    as nodes; here nodes are those of the graph. Tanaka et al., "Pruning neural networks without any
    data by iteratively conserving synaptic flow", NeurIPS 2020, have the sum of products: it is R,
    with pooling that sums, no batch normalisation, and the shortcuts that the wiring has; in a
    multipartite graph the padding of the input counts among the inputs.
    """
    reaching = reaching_outputs(graph)
    count = _log_sum(graph, reaching, weighted=False)
    nodes = int((reached_from_inputs(graph) & reaching).sum())
    return {
        "log_paths": count,
        "log_path_norm": _log_sum(graph, reaching, weighted=True),
        "node_path_balance": log(nodes) / count if count else None,
    }


def _log_sum(graph: Graph, reaching: np.ndarray, weighted: bool) -> float | None:
    """Logarithm of the sum over all paths of the product of their edges.

    Paths of one length are taken one step further at a time. What leads nowhere is dropped, and
    the sums are scaled by powers of two, so they do not overflow. All terms are positive: the error
    of the logarithm is at most 2^-53 for every addition that a path meets, one for each edge into
    each of its nodes, which is below 1e-9 up to 8 million of them. Of paths of one length, parts
    whose sums differ by more than 1e300 count as nothing beside each other.
    """
    product = AdjacencyProduct(graph.num_nodes, graph.blocks, weighted)
    at_node, is_output = (graph.is_input & reaching).astype(float), graph.is_output
    scale, logarithms = 0, []
    while at_node.any():
        arrived = np.zeros(graph.num_nodes)
        for block in product.blocks:
            if at_node[block.source.offset : block.source.stop].any():
                block.forward(at_node, arrived)
        arrived *= reaching
        _, exponent = np.frexp(arrived.max())
        at_node, scale = np.ldexp(arrived, -exponent), scale + int(exponent)
        if total := at_node[is_output].sum():
            logarithms.append(log(total) + scale * log(2))
    return float(np.logaddexp.reduce(logarithms)) if logarithms else None
