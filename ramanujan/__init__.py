"""Ramanujan metrics: how well the bipartite graph of one layer expands.

Hoang et al., "Revisiting Pruning at Initialization through the Lens of Ramanujan Graph", ICLR
2023, as applied in Cunegatti et al., TMLR 2024. A metric is a function of the matrix between a
layer's inputs and outputs. To add one, write it in a file of its own and add a line to
`ramanujan_metrics`.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from graph_encoding import Graph

from .bipartite import biadjacency
from .delta_r import delta_r
from .imdb import imdb
from .iterative_spectral_gap import iterative_spectral_gap

__all__ = [
    "COLUMNS",
    "biadjacency",
    "delta_r",
    "imdb",
    "iterative_spectral_gap",
    "ramanujan_metrics",
]

COLUMNS = (
    "delta_r",
    "imdb",
    "iterative_spectral_gap",
    "edges",
    "nodes",
    "layer_density",
    "no_weights",
    "no_params",
)


def ramanujan_metrics(graph: Graph) -> dict[str, int | float | None]:
    """All Ramanujan metrics of a layer.

    Parameters
    ----------
    graph : Graph
        From a bipartite encoding: ``rolled`` or ``rolled-channel``.

    Returns
    -------
    dict
        Values by column name, in the order of `COLUMNS`: the three metrics as floats, None where
        undefined; ``edges`` and ``nodes`` of the graph; ``layer_density``, the kept share of the
        layer's weights; ``no_weights`` and ``no_params``, the numbers of kept and of all weights.

    Raises
    ------
    ValueError
        If the graph is not bipartite.

    Examples
    --------
    >>> import graph_encoding, models, ramanujan
    >>> graphs = graph_encoding.encode(models.build("Resnet-20", 10), "rolled")
    >>> ramanujan.ramanujan_metrics(graphs[0])["no_params"]
    432
    """
    matrix = biadjacency(graph)
    # BLAS sums in an order that depends on its threads; one keeps results the same everywhere.
    with threadpool_limits(1):
        values = {
            "delta_r": delta_r(matrix),
            "imdb": imdb(matrix),
            "iterative_spectral_gap": iterative_spectral_gap(matrix),
            "edges": graph.num_edges,
            "nodes": graph.num_nodes,
            "layer_density": graph.layer_density,
            "no_weights": graph.kept_weights,
            "no_params": graph.total_weights,
        }
    return {column: values[column] for column in COLUMNS}
