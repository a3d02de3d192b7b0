"""Which nodes the inputs reach along the edges, and from which nodes an output is reached."""

from __future__ import annotations

import numpy as np

from graph_encoding import Graph
from graph_encoding.products.sparse import AdjacencyProduct


def reached_from_inputs(graph: Graph) -> np.ndarray:
    """Mark the nodes that some input reaches, the inputs among them.

    Parameters
    ----------
    graph : Graph
        Of any encoding and wiring.

    Returns
    -------
    numpy.ndarray of bool, shape (num_nodes,)

    Examples
    --------
    >>> import graph_encoding, torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> graph, = graph_encoding.encode(network, torch.zeros(1, 4))
    >>> bool(reached_from_inputs(graph).all())
    True
    """
    blocks = [
        (block.target.offset, block.target.stop, block.forward)
        for block in AdjacencyProduct(graph.num_nodes, graph.blocks, weighted=False).blocks
    ]
    return _spread(graph.is_input, blocks)


def reaching_outputs(graph: Graph) -> np.ndarray:
    """Mark the nodes from which some output is reached, the outputs among them.

    Parameters
    ----------
    graph : Graph
        Of any encoding and wiring.

    Returns
    -------
    numpy.ndarray of bool, shape (num_nodes,)
    """
    blocks = [
        (block.source.offset, block.source.stop, block.backward)
        for block in reversed(
            AdjacencyProduct(graph.num_nodes, graph.blocks, weighted=False).blocks
        )
    ]
    return _spread(graph.is_output, blocks)


def _spread(start: np.ndarray, blocks: list) -> np.ndarray:
    """What is reached from some nodes, block by block.

    Blocks come in the order in which the network runs them, so that one round finds everything and
    a second one sees it; the ``published`` wiring, whose blocks overlap, may need more.
    """
    reached = start.astype(float)
    before = 0
    while before < (before := np.count_nonzero(reached)):
        arrived = np.zeros(len(start))  # edges from reached nodes
        for low, high, propagate in blocks:
            propagate(reached, arrived)
            reached[low:high][arrived[low:high] > 0] = 1.0
    return reached > 0
