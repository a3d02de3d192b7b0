"""Local connectivity: nodes that lost their inputs or their outputs, and what hangs on them."""

from __future__ import annotations

import numpy as np

from graph_encoding import Graph


def local_connectivity(graph: Graph) -> dict[str, int]:
    """Sink, source and disconnected nodes, and the edges that could be removed with them.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``sink_nodes``, ``source_nodes``, ``disconnected_nodes``: as `sinks`, `sources` and
        `disconnected` find them.
        ``removable_out``: edges into the sink nodes.
        ``removable_in``: edges out of the source nodes.

    Notes
    -----
    Cunegatti et al., TMLR 2024, section 3.2 (local connectivity).
    """
    sink, source = sinks(graph), sources(graph)
    return {
        "sink_nodes": int(sink.sum()),
        "source_nodes": int(source.sum()),
        "disconnected_nodes": int(disconnected(graph).sum()),
        "removable_out": int(graph.in_degree[sink].sum()) if sink.any() else 0,
        "removable_in": int(graph.out_degree[source].sum()) if source.any() else 0,
    }


def sinks(graph: Graph) -> np.ndarray:
    """Bool array (num_nodes,): nodes that are no outputs, are fed and feed nothing."""
    found = (graph.in_degree > 0) & (graph.out_degree == 0)
    return found & ~graph.is_output


def sources(graph: Graph) -> np.ndarray:
    """Bool array (num_nodes,): nodes that are no inputs, feed others and are not fed."""
    found = (graph.out_degree > 0) & (graph.in_degree == 0)
    return found & ~graph.is_input


def disconnected(graph: Graph) -> np.ndarray:
    """Bool array (num_nodes,): nodes without an edge, in any layer."""
    return graph.degree == 0
