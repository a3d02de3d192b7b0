"""Local connectivity: nodes that lost their inputs or their outputs, and what hangs on them."""

from __future__ import annotations

from graph_encoding import Graph


def local_connectivity(graph: Graph) -> dict[str, int]:
    """Sink, source and disconnected nodes, and the edges that could be removed with them.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict
        ``sink_nodes``: nodes outside the last layer with incoming but no outgoing edge.
        ``source_nodes``: nodes outside the first layer with outgoing but no incoming edge.
        ``disconnected_nodes``: nodes without an edge, in any layer.
        ``removable_out``: edges into the sink nodes.
        ``removable_in``: edges out of the source nodes.

    Notes
    -----
    Cunegatti et al., TMLR 2024, section 3.2 (local connectivity).
    """
    fed, feeds = graph.in_degree > 0, graph.out_degree > 0
    sink, source = fed & ~feeds, feeds & ~fed
    outputs, inputs = graph.layers[-1], graph.layers[0]
    sink[outputs.offset : outputs.stop] = False
    source[inputs.offset : inputs.stop] = False
    return {
        "sink_nodes": int(sink.sum()),
        "source_nodes": int(source.sum()),
        "disconnected_nodes": int((~fed & ~feeds).sum()),
        "removable_out": int(graph.in_degree[sink].sum()),
        "removable_in": int(graph.out_degree[source].sum()),
    }
