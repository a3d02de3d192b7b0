"""Expansion: extreme eigenvalues of the weighted adjacency matrix and of its Laplacian."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from graph_encoding import Graph

DENSE_NODES = 200
"""Graphs up to this size are solved as dense matrices."""

TOLERANCE = 1e-9
"""Bound on the residual of an eigenvalue, relative to it."""


def adjacency_moduli(graph: Graph) -> np.ndarray:
    """The three largest eigenvalue moduli of the weighted symmetric adjacency matrix.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    numpy.ndarray of float64, shape (3,)
        In falling order, fewer for fewer than three nodes.

    Notes
    -----
    In a bipartite graph the eigenvalues come in pairs of opposite sign, the singular values of
    the matrix between the two sides, so the first and the third modulus are the two largest
    singular values. They come from Lanczos iterations (ARPACK; Lehoucq, Sorensen and Yang
    1998) on products that never write an edge out, or from a dense solver where one side is small.
    """
    if graph.num_nodes <= DENSE_NODES:
        matrix = _dense(graph)
        moduli = np.abs(np.linalg.eigvalsh(matrix + matrix.T))
        return np.sort(moduli)[::-1][:3]
    if not graph.num_edges:
        return np.zeros(3)
    sides = two_colouring(graph)
    if sides is None:
        operator = LinearOperator((graph.num_nodes,) * 2, graph.product.symmetric, dtype=np.float64)
        values = _largest(operator, 3, "LM", graph.node_strength)
        return np.sort(np.abs(values))[::-1]
    singular = _singular_values(graph, sides)
    return singular[[0, 0, 1]]


def laplacian_radius(graph: Graph) -> float | None:
    """Largest eigenvalue of the weighted Laplacian ``D - A``, None without nodes.

    Parameters
    ----------
    graph : Graph
    """
    strength = graph.node_strength
    if graph.num_nodes <= DENSE_NODES:
        matrix = _dense(graph)
        values = np.linalg.eigvalsh(np.diag(strength) - matrix - matrix.T)
        return float(values[-1]) if len(values) else None
    if not graph.num_edges:
        return 0.0
    operator = LinearOperator(
        (graph.num_nodes,) * 2,
        lambda x: strength * x.ravel() - graph.product.symmetric(x.ravel()),
        dtype=np.float64,
    )
    sides = two_colouring(graph)
    start = strength.copy()
    if sides is not None:
        # D - A and D + A are similar: flip the signs of one side.
        start[sides] *= -1
    return float(_largest(operator, 1, "LA", start)[0])


def spectral_gap(graph: Graph) -> dict[str, float | None]:
    """``spectral-gap``: first minus third eigenvalue modulus (None below three nodes)."""
    moduli = adjacency_moduli(graph)
    return {"spectral-gap": float(moduli[0] - moduli[2]) if len(moduli) == 3 else None}


def spectral_radius(graph: Graph) -> dict[str, float | None]:
    """``spectral-radius``: the largest Laplacian eigenvalue (None without nodes)."""
    return {"spectral-radius": laplacian_radius(graph)}


def two_colouring(graph: Graph) -> np.ndarray | None:
    """Whether the graph is bipartite by node layers, and if so its second side.

    Returns
    -------
    numpy.ndarray of bool, shape (num_nodes,), or None
        True for the nodes of the second side.
    """
    if not graph.is_regular:
        return None
    colour = {layer: None for layer in graph.layers}
    joined = {layer: [] for layer in graph.layers}
    for block in graph.blocks:
        joined[block.source].append(block.target)
        joined[block.target].append(block.source)
    for root in graph.layers:
        if colour[root] is not None:
            continue
        colour[root], stack = False, [root]
        while stack:
            layer = stack.pop()
            for other in joined[layer]:
                if colour[other] is None:
                    colour[other] = not colour[layer]
                    stack.append(other)
                elif colour[other] == colour[layer]:
                    return None
    sides = np.zeros(graph.num_nodes, bool)
    for layer in graph.layers:
        sides[layer.offset : layer.stop] = colour[layer]
    return sides


def _singular_values(graph: Graph, sides: np.ndarray) -> np.ndarray:
    """Two largest singular values of the matrix between the two sides, falling."""
    small = sides if 2 * sides.sum() <= len(sides) else ~sides
    members = np.flatnonzero(small)
    scratch = np.zeros(graph.num_nodes)

    def gram(x: np.ndarray) -> np.ndarray:
        scratch[members] = x.ravel()
        there = graph.product.across(scratch, small)
        return graph.product.across(there, ~small)[members]

    if len(members) <= DENSE_NODES:
        values = np.linalg.eigvalsh(
            np.stack([gram(row) for row in np.eye(len(members))]) if len(members) else np.eye(0)
        )
    else:
        operator = LinearOperator((len(members),) * 2, gram, dtype=np.float64)
        values = _largest(operator, 2, "LA", graph.node_strength[members])
    values = np.sort(np.sqrt(np.maximum(values, 0)))[::-1]
    return np.pad(values, (0, max(0, 2 - len(values))))[:2]


def _largest(operator: LinearOperator, count: int, which: str, start: np.ndarray) -> np.ndarray:
    # A start vector that the matrix maps to zero (or that misses an eigenvector) is avoided by a
    # fixed pseudo-random part.
    noise = np.random.default_rng(0).random(len(start))
    start = start + 1e-3 * np.abs(start).max() * (noise + 0.5)
    return eigsh(
        operator, k=count, which=which, v0=start, tol=TOLERANCE, return_eigenvectors=False
    )


def _dense(graph: Graph) -> np.ndarray:
    matrix = np.zeros((graph.num_nodes,) * 2)
    for source, target, weight in graph.edges():
        matrix[source, target] = weight
    return matrix
