"""What is effective: on some path from an input to an output."""

from __future__ import annotations

import numpy as np

from graph_encoding import Block, Graph
from graph_encoding.compiled import compiled
from graph_encoding.products.sparse import AdjacencyProduct

from ..reachability import reached_from_inputs, reaching_outputs


def effective(graph: Graph) -> dict[str, int | float | None]:
    """Nodes, edges and weights on some path along the edges from the first layer to the last.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``effective_nodes``: nodes on such a path.
        ``effective_edges``: edges on one.
        ``effective_sparsity``: share of the weights of which no edge is on one, those that are
        pruned among them; a weight of which some edge is on one is effective, be it the only one.
        It is exact where an edge stands for one weight, and a weight for edges between two node
        layers, as in the paper's networks and in rolled graphs. Where an edge stands for several
        (rolled-channel, layers that meet), or a weight for several entries (volumes: one for each
        pair of slices), the weights of a block are taken to be spread evenly
        over its entries; of a weight that reads several node layers the first one counts.
        None without weights.

    Notes
    -----
    Vysogorets and Kempe, "Connectivity Matters: Neural Network Pruning Through the Lens of
    Effective Sparsity", JMLR 24, 2023.
    """
    reached, reaching = reached_from_inputs(graph), reaching_outputs(graph)
    product = AdjacencyProduct(graph.num_nodes, graph.blocks, weighted=False)
    arriving = product.forward(reached.astype(np.float64))
    weights = sum(_effective_weights(block, reached, reaching) for block in graph.blocks)
    total = graph.total_weights
    return {
        "effective_nodes": int((reached & reaching).sum()),
        "effective_edges": int(arriving[reaching].sum()),
        "effective_sparsity": 1 - weights / total if total else None,
    }


def _effective_weights(block: Block, reached: np.ndarray, reaching: np.ndarray) -> float:
    """How many weights of a block have an effective edge."""
    if not block.kept_weights or not len(block.weight):  # of volumes, it may join no slices
        return 0.0
    entries = _effective_entries(
        block.source_channel,
        block.target_channel,
        block.tap_y,
        block.tap_x,
        block.rows.sources,
        block.columns.sources,
        block.source.maps(reached),
        block.target.maps(reaching),
    )
    return block.kept_weights * entries / len(block.weight)


@compiled
def _effective_entries(
    source_channel, target_channel, tap_y, tap_x, rows, columns, reached, reaching
):
    """Number of entries that join a reached position to one that reaches an output."""
    found = 0
    for e in range(len(source_channel)):
        near, far = reached[source_channel[e]], reaching[target_channel[e]]
        found += _joins(near, far, rows[tap_y[e]], columns[tap_x[e]])
    return found


@compiled
def _joins(near, far, rows, columns):
    """Whether one tap, with these source intervals, joins two positions that are marked."""
    for y in range(far.shape[0]):
        for x in range(far.shape[1]):
            if not far[y, x]:
                continue
            for i in range(rows[y, 0], rows[y, 1]):
                for j in range(columns[x, 0], columns[x, 1]):
                    if near[i, j]:
                        return True
    return False
