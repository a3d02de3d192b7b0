"""Iterative mean weighted spectral gap."""

from __future__ import annotations

import numpy as np

from .bipartite import first_and_third_modulus, one_degree_subgraphs


def iterative_spectral_gap(matrix: np.ndarray) -> float | None:
    """Mean weighted spectral gap over the subgraphs of one left degree each.

    A spectral gap is the first minus the third largest eigenvalue modulus of the weighted
    adjacency matrix; see `ramanujan.bipartite.one_degree_subgraphs` for the subgraphs.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (left, right)
        Weights, zero where there is no edge.

    Returns
    -------
    float or None
        None where there is no such subgraph.

    Notes
    -----
    Hoang et al., "Revisiting Pruning at Initialization through the Lens of Ramanujan Graph", ICLR
    2023, section 4 (iterative mean weighted spectral gap).
    """
    gaps = []
    for part in one_degree_subgraphs(matrix):
        first, third = first_and_third_modulus(part)
        gaps.append(first - third)
    return float(np.mean(gaps)) if gaps else None
