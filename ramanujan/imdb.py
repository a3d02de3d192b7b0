"""Iterative mean difference of bound (IMDB)."""

from __future__ import annotations

import numpy as np

from .bipartite import one_degree_subgraphs, relative_slack


def imdb(matrix: np.ndarray) -> float | None:
    """Mean of ``(ub - mu) / ub`` over the subgraphs of one left degree each.

    See `ramanujan.delta_r` for ``ub`` and ``mu``, and
    `ramanujan.bipartite.one_degree_subgraphs` for the subgraphs.

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
    2023, section 4; relative to the bound as in Cunegatti et al., TMLR 2024.
    """
    values = [relative_slack(part) for part in one_degree_subgraphs(matrix)]
    return float(np.mean(values)) if values else None
