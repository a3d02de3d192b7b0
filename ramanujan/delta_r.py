"""Difference of bound: how far a layer's graph stays below the Ramanujan bound."""

from __future__ import annotations

import numpy as np

from .bipartite import ramanujan_bound, relative_slack, without_isolated

SMALLEST_GRAPH = 4


def delta_r(matrix: np.ndarray) -> float | None:
    """``(ub - mu) / ub`` of the graph without its isolated nodes.

    ``mu`` is the third largest eigenvalue modulus of the unweighted adjacency matrix and
    ``ub = sqrt(d_l - 1) + sqrt(d_r - 1)``, with the mean left and right degree.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (left, right)
        Weights, zero where there is no edge.

    Returns
    -------
    float or None
        Positive for a Ramanujan graph; None below four nodes, or where ``ub`` is zero (all
        edges apart).

    Notes
    -----
    Hoang et al., "Revisiting Pruning at Initialization through the Lens of Ramanujan Graph", ICLR
    2023, section 3; relative to the bound as in Cunegatti et al., TMLR 2024.
    """
    matrix = without_isolated(matrix)
    if sum(matrix.shape) < SMALLEST_GRAPH or ramanujan_bound(matrix) == 0:
        return None
    return relative_slack(matrix)
