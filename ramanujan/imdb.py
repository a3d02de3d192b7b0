"""Iterative mean difference of bound (IMDB)."""

from __future__ import annotations

import numpy as np

from graph_encoding import Graph

from .bipartite import biadjacency, one_degree_subgraphs, relative_slack


def imdb(graph: Graph) -> dict[str, float | None]:
    """Mean of ``(ub - mu) / ub`` over the subgraphs of one left degree each.

    See `ramanujan.delta_r` for ``ub`` and ``mu``, and
    `ramanujan.bipartite.one_degree_subgraphs` for the subgraphs.

    Parameters
    ----------
    graph : Graph
        From a bipartite encoding.

    Returns
    -------
    dict
        ``imdb``: None where there is no such subgraph.

    Notes
    -----
    Hoang et al., "Revisiting Pruning at Initialization through the Lens of Ramanujan Graph", ICLR
    2023, section 4; relative to the bound as in Cunegatti et al., TMLR 2024.
    """
    values = [relative_slack(part) for part in one_degree_subgraphs(biadjacency(graph))]
    return {"imdb": float(np.mean(values)) if values else None}
