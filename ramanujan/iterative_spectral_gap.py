"""Iterative mean weighted spectral gap."""

from __future__ import annotations

import numpy as np

from graph_encoding import Graph

from .bipartite import biadjacency, first_and_third_modulus, one_degree_subgraphs


def iterative_spectral_gap(graph: Graph) -> dict[str, float | None]:
    """Mean weighted spectral gap over the subgraphs of one left degree each.

    A spectral gap is the first minus the third largest eigenvalue modulus of the weighted
    adjacency matrix; see `ramanujan.bipartite.one_degree_subgraphs` for the subgraphs.

    Parameters
    ----------
    graph : Graph
        From a bipartite encoding.

    Returns
    -------
    dict
        ``iterative_spectral_gap``: None where there is no such subgraph.

    Notes
    -----
    Hoang et al., "Don't just prune by magnitude! Your mask topology is a secret weapon", NeurIPS
    2023 (weighted spectral gap), over the subgraphs of `ramanujan.imdb`.
    """
    gaps = []
    for part in one_degree_subgraphs(biadjacency(graph)):
        first, third = first_and_third_modulus(part)
        gaps.append(first - third)
    return {"iterative_spectral_gap": float(np.mean(gaps)) if gaps else None}
