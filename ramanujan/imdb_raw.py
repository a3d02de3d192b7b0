"""Iterative mean difference of bound (IMDB) as its authors' code has it."""

from __future__ import annotations

import numpy as np

from graph_encoding import Graph

from .bipartite import biadjacency, first_and_third_modulus, one_degree_subgraphs, ramanujan_bound


def imdb_raw(graph: Graph) -> dict[str, float | None]:
    """Mean of ``ub - mu`` over the subgraphs of one left degree each.

    The difference is not divided by the bound, as it is in `ramanujan.imdb`. The authors also ask
    for three left nodes of a degree; a mean right degree of three says so already.

    Parameters
    ----------
    graph : Graph
        From a bipartite encoding.

    Returns
    -------
    dict
        ``imdb_raw``: None where there is no such subgraph.

    Notes
    -----
    Hoang et al., "Revisiting Pruning at Initialization through the Lens of Ramanujan Graph", ICLR
    2023, section 4; the function ``iterative_mean_spectral_gap`` of VITA-Group/ramanujan-on-pai,
    its second value.
    """
    values = [
        ramanujan_bound(part) - first_and_third_modulus(part != 0)[1]
        for part in one_degree_subgraphs(biadjacency(graph))
    ]
    return {"imdb_raw": float(np.mean(values)) if values else None}
