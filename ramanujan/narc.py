"""Normalized random coefficient (NaRC): is the graph told from a random one?"""

from __future__ import annotations

import math

import numpy as np

from graph_encoding import Graph

from .bipartite import biadjacency, first_and_third_modulus, is_too_sparse, without_isolated


def narc(graph: Graph) -> dict[str, float | None]:
    """How far the edges stay within what the second eigenvalue allows, for each possible edge.

    With n_l and n_r nodes that have edges, of all L left and R right nodes, E edges, mean left
    degree d_l and third largest modulus ``mu`` of the unweighted adjacency matrix, it is
    ``((mu^2 / 4 + 1) sqrt(n_l n_r) - abs(2 E - d_l / R n_l n_r)) / (L R)``.

    Parameters
    ----------
    graph : Graph
        From a bipartite encoding.

    Returns
    -------
    dict
        ``narc``: None where the mean degree of a side is below three.

    Notes
    -----
    Hoang et al., "Revisiting Pruning at Initialization through the Lens of Ramanujan Graph", ICLR
    2023; the function ``random_bound`` of VITA-Group/ramanujan-on-pai, which counts every edge
    twice, once in each direction, and so does this.
    """
    whole = biadjacency(graph)
    matrix = without_isolated(whole)
    if is_too_sparse(matrix):
        return {"narc": None}
    _, mu = first_and_third_modulus(matrix != 0)
    return {"narc": random_coefficient(mu, np.count_nonzero(matrix), matrix.shape, whole.shape)}


def random_coefficient(
    mu: float, edges: int, joined: tuple[int, int], whole: tuple[int, int]
) -> float:
    """NaRC of a layer.

    Parameters
    ----------
    mu : float
        Third largest modulus of the unweighted adjacency matrix.
    edges : int
    joined : tuple of int
        Left and right nodes that have edges.
    whole : tuple of int
        All left and right nodes.

    Returns
    -------
    float
    """
    pairs = math.prod(joined)
    expected = edges / joined[0] / whole[1] * pairs
    return ((mu**2 / 4 + 1) * math.sqrt(pairs) - abs(2 * edges - expected)) / math.prod(whole)
