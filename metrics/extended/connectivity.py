"""How well the largest component holds together: the low ends of its Laplacian spectra.

Lanczos iterations find the low end of a spectrum slowly, for it is small beside the other end. So
they run on the inverse, where the wanted eigenvalue is the largest. Its products with vectors are
solutions of linear systems, by conjugate gradients.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from graph_encoding import Graph

from ..forests import component_labels
from ..lanczos import extreme_eigenvalues
from ..spectra import EXPLICIT_EDGES
from .coarse import coarse_correction
from .unweighted import unweighted

DENSE_SIZE = 1_000
"""Components up to this number of nodes are solved as dense matrices."""

TOLERANCE = 1e-10
"""Residual of a linear system, relative to its right-hand side."""

MOST_VISITS = 2e11
"""Edges that all products may visit until the iterations give up (some two minutes)."""


class _Part(NamedTuple):
    """The largest component.

    Attributes
    ----------
    nodes : numpy.ndarray of int64, shape (n,)
    degree : numpy.ndarray of float64, shape (n,)
    adjacency : callable
        Product of its unweighted adjacency matrix with a float64 vector of shape (n,).
    correction : callable
        See `coarse_correction`, between vectors of shape (n,).
    visits : int
        Edges whose visit takes as long as a product and what goes with it (0.6 ns each).
    """

    nodes: np.ndarray
    degree: np.ndarray
    adjacency: Callable[[np.ndarray], np.ndarray]
    correction: Callable[[np.ndarray], np.ndarray] | None
    visits: int


class _GaveUp(Exception):
    """More edges were visited than `MOST_VISITS`."""


def algebraic_connectivity(graph: Graph) -> dict[str, float | None]:
    """``algebraic_connectivity``: second smallest eigenvalue of the Laplacian ``D - A``.

    Parameters
    ----------
    graph : Graph
        Taken as unweighted and undirected.

    Returns
    -------
    dict
        Of the largest component; of those equally large the one with the node of the lowest number.
        None without an edge. None as well, after a warning, where the value is not certain: its
        relative error is otherwise at most about 1e-9 (with the probability that
        `metrics.lanczos` states).

    Notes
    -----
    Fiedler, "Algebraic connectivity of graphs", Czechoslovak Math. J. 1973.
    """
    return {"algebraic_connectivity": _smallest(graph, is_normalised=False)}


def normalised_gap(graph: Graph) -> dict[str, float | None]:
    """``normalised_spectral_gap``: second smallest eigenvalue of ``I - D^(-1/2) A D^(-1/2)``.

    Parameters
    ----------
    graph : Graph
        As for `algebraic_connectivity`.

    Returns
    -------
    dict
        As for `algebraic_connectivity`; between 0 and 2.

    Notes
    -----
    Chung, "Spectral Graph Theory", 1997, chapter 1 (her lambda_1).
    """
    return {"normalised_spectral_gap": _smallest(graph, is_normalised=True)}


def _smallest(graph: Graph, is_normalised: bool) -> float | None:
    """Smallest eigenvalue but for the zero that every component has."""
    labels, sizes = component_labels(graph)
    if not len(sizes):
        return None
    graph = unweighted(graph)
    part = _part(graph, np.flatnonzero(labels == sizes.argmax()))
    with graph.product.alone() if graph.num_edges > EXPLICIT_EDGES else nullcontext():
        return _smallest_of(part, is_normalised)


def _smallest_of(part: _Part, is_normalised: bool) -> float | None:
    if len(part.nodes) <= DENSE_SIZE:
        return _by_dense_solver(part, is_normalised)
    # The eigenvector of zero, of length one; the rest is its complement.
    scale = np.sqrt(part.degree) if is_normalised else np.ones(len(part.nodes))
    zero = scale / np.linalg.norm(scale)
    solve = _Solver(part)

    def inverse(x: np.ndarray) -> np.ndarray:
        y = scale * solve(scale * (x - zero * (zero @ x)))
        return y - zero * (zero @ y)

    start = np.random.default_rng(0).standard_normal(len(part.nodes))
    try:
        largest = float(extreme_eigenvalues(inverse, start, 1)[0])
    except _GaveUp:
        warnings.warn(
            "the smallest eigenvalue of a Laplacian takes too long: left empty",
            RuntimeWarning,
            stacklevel=3,
        )
        return None
    return None if np.isnan(largest) else 1 / largest


def _part(graph: Graph, nodes: np.ndarray) -> _Part:
    """The component on some nodes of an unweighted graph."""
    degree = graph.degree[nodes].astype(np.float64)
    if graph.num_edges <= EXPLICIT_EDGES:
        directed = graph.to_scipy().astype(np.float64)
        matrix = (directed + directed.T).tocsr()[nodes][:, nodes]
        visits = 2 * matrix.nnz + 20 * len(nodes) + 30_000
        return _Part(nodes, degree, matrix.__matmul__, None, visits)
    correction = coarse_correction(graph)
    return _Part(
        nodes,
        degree,
        _within(graph.product.symmetric, graph.num_nodes, nodes),
        correction and _within(correction, graph.num_nodes, nodes),
        graph.num_edges + 40 * graph.num_nodes,
    )


def _within(product: Callable, size: int, nodes: np.ndarray) -> Callable:
    """A product with vectors over all nodes, over some of them."""
    if len(nodes) == size:
        return product

    def restricted(x: np.ndarray) -> np.ndarray:
        whole = np.zeros(size)
        whole[nodes] = x
        return product(whole)[nodes]

    return restricted


def _by_dense_solver(part: _Part, is_normalised: bool) -> float:
    matrix = np.stack([part.adjacency(unit) for unit in np.eye(len(part.nodes))])
    laplacian = np.diag(part.degree) - matrix
    if is_normalised:
        root = np.sqrt(part.degree)
        laplacian /= root * root[:, None]
    return float(np.linalg.eigvalsh(laplacian)[1])


class _Solver:
    """Solutions of ``(D - A) x = b`` for b of sum zero, by preconditioned conjugate gradients.

    The error of a solution is at most `TOLERANCE` of the largest that the inverse makes of any b
    of this length, which is what an eigenvalue of the inverse may be wrong by.
    """

    def __init__(self, part: _Part) -> None:
        self.part = part
        self.visited = 0

    def __call__(self, b: np.ndarray) -> np.ndarray:
        residual = b - b.mean()
        x = np.zeros(len(b))
        enough = TOLERANCE * float(np.linalg.norm(residual))
        direction, before = np.zeros(len(b)), 1.0
        while np.linalg.norm(residual) > enough:
            better = self._precondition(residual)
            now = float(residual @ better)
            direction *= now / before
            direction += better
            before = now
            image = self._laplacian(direction)
            step = now / float(direction @ image)
            x += step * direction
            residual -= step * image
        return x - x.mean()

    def _laplacian(self, x: np.ndarray) -> np.ndarray:
        self.visited += self.part.visits
        if self.visited > MOST_VISITS:
            raise _GaveUp
        return self.part.degree * x - self.part.adjacency(x)

    def _precondition(self, x: np.ndarray) -> np.ndarray:
        y = x / self.part.degree
        return y if self.part.correction is None else y + self.part.correction(x)
