"""Expansion: extreme eigenvalues of the weighted adjacency matrix and of its Laplacian."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from graph_encoding import Graph

DENSE_SIZE = 256
"""Matrices up to this size are solved by a dense solver, larger ones by Lanczos iterations."""

TOLERANCE = 1e-9
"""Bound on the residual of an eigenvalue, relative to it."""


def spectral_gap(graph: Graph) -> dict[str, float | None]:
    """``spectral-gap``: first minus third eigenvalue modulus (None below three nodes)."""
    moduli = adjacency_moduli(graph)
    return {"spectral-gap": float(moduli[0] - moduli[2]) if graph.num_nodes >= 3 else None}


def spectral_radius(graph: Graph) -> dict[str, float | None]:
    """``spectral-radius``: the largest Laplacian eigenvalue (None without nodes)."""
    return {"spectral-radius": laplacian_radius(graph) if graph.num_nodes else None}


def adjacency_moduli(graph: Graph) -> np.ndarray:
    """The three largest eigenvalue moduli of the weighted symmetric adjacency matrix.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    numpy.ndarray of float64, shape (3,)
        In falling order; zeros stand for the eigenvalues that a smaller graph lacks.

    Notes
    -----
    In a bipartite graph the eigenvalues come in pairs of opposite sign, the singular values of
    the matrix between the two sides, so the first and the third modulus are the two largest
    singular values. They come from Lanczos iterations (ARPACK; Lehoucq, Sorensen and Yang,
    1998) on products that never write an edge out, or from a dense solver where few nodes have
    edges.
    """
    nodes = np.flatnonzero(graph.degree)
    side = two_colouring(graph)
    if side is None:
        product = _within(graph, nodes, graph.product.symmetric)
        values = _largest(product, graph.node_strength[nodes], 3, "LM")
        return np.sort(np.abs(values))[::-1]
    # Singular values from the side with fewer nodes that have edges.
    one, other = nodes[side[nodes]], nodes[~side[nodes]]
    small, mask = (one, side) if len(one) <= len(other) else (other, ~side)

    def gram(x: np.ndarray) -> np.ndarray:
        return graph.product.across(graph.product.across(x, mask), ~mask)

    values = _largest(_within(graph, small, gram), graph.node_strength[small], 2, "LA")
    singular = np.sqrt(np.maximum(np.sort(values)[::-1], 0))
    return singular[[0, 0, 1]]


def laplacian_radius(graph: Graph) -> float:
    """Largest eigenvalue of the weighted Laplacian ``D - A``.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    float
    """
    nodes = np.flatnonzero(graph.degree)
    strength = graph.node_strength[nodes]
    start = strength.copy()
    side = two_colouring(graph)
    if side is not None:
        # D - A is similar to D + A, whose first eigenvector is positive: flip one side's signs.
        start[side[nodes]] *= -1
    adjacency = _within(graph, nodes, graph.product.symmetric)
    return float(_largest(lambda x: strength * x.ravel() - adjacency(x), start, 1, "LA")[0])


def two_colouring(graph: Graph) -> np.ndarray | None:
    """One side of a graph whose node layers fall into two without edges inside either.

    Returns
    -------
    numpy.ndarray of bool, shape (num_nodes,), or None
        True for the nodes of one side; None where a cycle of odd length over layers exists.
    """
    if not graph.is_regular:
        return None
    joined: dict = {layer: [] for layer in graph.layers}
    for block in graph.blocks:
        joined[block.source].append(block.target)
        joined[block.target].append(block.source)
    colour: dict = {}
    for root in graph.layers:
        if root in colour:
            continue
        colour[root], stack = False, [root]
        while stack:
            layer = stack.pop()
            for other in joined[layer]:
                if other not in colour:
                    colour[other] = not colour[layer]
                    stack.append(other)
                elif colour[other] == colour[layer]:
                    return None
    return np.concatenate([np.full(layer.size, colour[layer]) for layer in graph.layers])


def _within(
    graph: Graph, nodes: np.ndarray, product: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """A product with vectors over all nodes, as one over some of them."""

    def restricted(x: np.ndarray) -> np.ndarray:
        whole = np.zeros(graph.num_nodes)
        whole[nodes] = x.ravel()
        return product(whole)[nodes]

    return restricted


def _largest(
    product: Callable[[np.ndarray], np.ndarray], start: np.ndarray, count: int, which: str
) -> np.ndarray:
    """Eigenvalues of a symmetric matrix given by its product with a vector.

    Parameters
    ----------
    product : callable
    start : numpy.ndarray of float64, shape (n,)
        Guess of the first eigenvector.
    count : int
        How many eigenvalues; zeros are added where the matrix has fewer.
    which : {"LM", "LA"}
        Largest in modulus, or algebraically.
    """
    size = len(start)
    if size <= DENSE_SIZE:
        matrix = np.stack([product(row) for row in np.eye(size)]) if size else np.zeros((0, 0))
        values = np.linalg.eigvalsh(matrix)
        if which == "LM":
            values = values[np.argsort(np.abs(values))]
        return np.pad(values, (max(0, count - size), 0))[-count:]
    # The guess may be orthogonal to an eigenvector: a fixed pseudo-random part is not.
    generator = np.random.default_rng(0)
    start = start + 1e-3 * np.abs(start).max() * (generator.random(size) + 0.5)
    operator = LinearOperator((size, size), product, dtype=np.float64)
    return eigsh(
        operator,
        k=count,
        which=which,
        v0=start,
        tol=TOLERANCE,
        return_eigenvectors=False,
        rng=generator,
    )
