"""The bipartite graph of one layer as a matrix, its parts, and its spectrum."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import svdvals

from graph_encoding import Graph

SMALLEST_DEGREE = 3
"""Degree from which on, on both sides, a graph of one left degree is looked at."""


def biadjacency(graph: Graph) -> np.ndarray:
    """Weights between the inputs (left, rows) and the outputs (right, columns) of a layer.

    Parameters
    ----------
    graph : Graph
        From a bipartite encoding.

    Returns
    -------
    numpy.ndarray of float64, shape (left, right)
        Absolute weights, zero where there is no edge.

    Raises
    ------
    ValueError
        If the graph is not bipartite.
    """
    if len(graph.layers) != 2:
        raise ValueError(
            "Ramanujan metrics are defined for bipartite graphs (rolled, rolled-channel), "
            f"not for {graph.encoding}"
        )
    left, right = graph.layers
    between = graph.to_scipy()[left.offset : left.stop, right.offset : right.stop]
    return between.toarray().astype(np.float64)


def without_isolated(matrix: np.ndarray) -> np.ndarray:
    """The matrix without its zero rows and zero columns: nodes without an edge are dropped."""
    edges = matrix != 0
    return matrix[edges.any(axis=1)][:, edges.any(axis=0)]


def one_degree_subgraphs(matrix: np.ndarray) -> Iterator[np.ndarray]:
    """For each left degree, the subgraph on the left nodes of exactly this degree.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (left, right)
        As `biadjacency` gives.

    Yields
    ------
    numpy.ndarray
        For rising left degree, the rows of this degree without zero columns; only where this
        degree and the mean right degree both reach `SMALLEST_DEGREE`.

    Notes
    -----
    Hoang et al., ICLR 2023, section 4 (iterative mean difference of bound). Their code also asks
    for three left nodes of a degree; a mean right degree of three says so already.
    """
    degrees = np.count_nonzero(matrix, axis=1)
    for degree in np.unique(degrees[degrees >= SMALLEST_DEGREE]):
        part = without_isolated(matrix[degrees == degree])
        left, right = part.shape
        if left * degree >= SMALLEST_DEGREE * right:
            yield part


def is_too_sparse(matrix: np.ndarray) -> bool:
    """Whether the code of Hoang et al. leaves a graph out: a mean degree is below three, or none.

    Parameters
    ----------
    matrix : numpy.ndarray
        Without zero rows and columns.
    """
    return np.count_nonzero(matrix) < SMALLEST_DEGREE * max(1, *matrix.shape)


def ramanujan_bound(matrix: np.ndarray) -> float:
    """``sqrt(d_l - 1) + sqrt(d_r - 1)`` with the mean left and right degree.

    A biregular graph is Ramanujan if no eigenvalue but the largest exceeds it in modulus.

    Parameters
    ----------
    matrix : numpy.ndarray
        Without zero rows and columns, so that no mean degree is below 1.
    """
    left, right = matrix.shape
    edges = np.count_nonzero(matrix)
    return float(np.sqrt(edges / left - 1) + np.sqrt(edges / right - 1))


def relative_slack(matrix: np.ndarray) -> float:
    """``(ub - mu) / ub``: how far the unweighted graph stays below the Ramanujan bound ``ub``.

    ``mu`` is the third largest eigenvalue modulus of the unweighted adjacency matrix.
    """
    bound = ramanujan_bound(matrix)
    return (bound - first_and_third_modulus(matrix != 0)[1]) / bound


def first_and_third_modulus(matrix: np.ndarray) -> tuple[float, float]:
    """First and third largest eigenvalue modulus of a bipartite graph's adjacency matrix.

    The eigenvalues are the singular values of the matrix between the two sides, each with both
    signs, and zeros: the first modulus is the largest singular value, the third is the
    second largest, or zero where one side has a single node.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (left, right)
        At least one row and one column.
    """
    singular = svdvals(matrix.astype(np.float64))
    return float(singular[0]), float(singular[1]) if len(singular) > 1 else 0.0
