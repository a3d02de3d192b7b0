"""Difference of bound with the largest eigenvalue in the place of the degrees."""

from __future__ import annotations

from graph_encoding import Graph

from .bipartite import biadjacency, first_and_third_modulus, is_too_sparse, without_isolated


def delta_s(graph: Graph) -> dict[str, float | None]:
    """``2 sqrt(mu_1 - 1) - mu`` of the graph without its isolated nodes.

    ``mu_1`` is the largest and ``mu`` the third largest eigenvalue modulus of the unweighted
    adjacency matrix. A regular graph of degree d has ``mu_1 = d``: the bound is then that of
    Ramanujan graphs.

    Parameters
    ----------
    graph : Graph
        From a bipartite encoding.

    Returns
    -------
    dict
        ``delta_s``: None where the mean degree of a side is below three.

    Notes
    -----
    The function ``delta_s`` of VITA-Group/ramanujan-on-pai, the code of Hoang et al., "Revisiting
    Pruning at Initialization through the Lens of Ramanujan Graph", ICLR 2023.
    """
    matrix = without_isolated(biadjacency(graph))
    if is_too_sparse(matrix):
        return {"delta_s": None}
    first, third = first_and_third_modulus(matrix != 0)
    return {"delta_s": float(2 * (first - 1) ** 0.5 - third)}
