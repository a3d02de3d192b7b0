"""Expansion: extreme eigenvalues of the weighted adjacency matrix and of its Laplacian.

A matrix's eigenvalues are those of the graph's components. A few products bound the eigenvalues
of all components at once, and only those that can hold an extreme one are solved: small ones by a
dense solver, which finds equal eigenvalues of equal components, large ones by Lanczos iterations.
Their products never write an edge out, unless the graph has so few edges that the written-out
matrix is the faster one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from graph_encoding import Graph
from graph_encoding.compiled import compiled

from .forests import component_labels
from .krylov import Product
from .lanczos import SMALLEST_ROOT, extreme_eigenvalues

if TYPE_CHECKING:
    import scipy.sparse

DENSE_SIZE = 256
"""Components up to this number of nodes are solved as dense matrices."""

EXPLICIT_EDGES = 500_000
"""Graphs up to this number of edges are written out for Lanczos iterations. Near-empty networks
have long thin components whose close eigenvalues take thousands of products."""

BOUND_STEPS = 5
"""Products spent on bounding the components' eigenvalues; twelve times as many when written out."""

BATCH_ELEMENTS = 8 << 20
"""Elements of the dense matrices held at a time."""

MOST_RUNS = 1_000
"""Runs of nodes that are copied one by one."""

SINGLE_STRENGTHS = (1e-9, 1e9)
"""Largest strengths of a graph for which float32 holds the squares of all that comes up."""


def spectral_gap(graph: Graph) -> dict[str, float | None]:
    """``spectral-gap``: first minus third eigenvalue modulus (None below three nodes)."""
    moduli = adjacency_moduli(graph)
    return {"spectral-gap": _known(moduli[0] - moduli[2]) if graph.num_nodes >= 3 else None}


def spectral_radius(graph: Graph) -> dict[str, float | None]:
    """``spectral-radius``: the largest Laplacian eigenvalue (None without nodes)."""
    return {"spectral-radius": _known(laplacian_radius(graph)) if graph.num_nodes else None}


def _known(value: float) -> float | None:
    """A number, None where the iterations did not converge."""
    return None if np.isnan(value) else float(value)


def adjacency_moduli(graph: Graph) -> np.ndarray:
    """The three largest eigenvalue moduli of the weighted symmetric adjacency matrix.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    numpy.ndarray of float64, shape (3,)
        In falling order; zeros stand for the eigenvalues that a smaller graph lacks. NaN, after a
        warning, where the iterations did not converge.

    Notes
    -----
    In a bipartite graph the eigenvalues come in pairs of opposite sign, the singular values of
    the matrix between the two sides, so Lanczos iterations look for singular values there.
    """
    side = two_colouring(graph)
    matrix = _written_out(graph)

    def by_modulus(nodes: np.ndarray) -> np.ndarray:
        product = _within(graph, nodes, graph.product.symmetric, matrix)
        start, count = _at(graph.node_strength, nodes), min(3, np.count_nonzero(nodes))
        return np.abs(_iterate(graph, matrix, product, start, count, by_modulus=True))

    def solve(nodes: np.ndarray) -> np.ndarray:
        if side is None:
            return by_modulus(nodes)
        mask = side if 2 * np.count_nonzero(nodes & side) <= np.count_nonzero(nodes) else ~side
        small = nodes & mask
        if matrix is None:
            gram = _within(
                graph, small, lambda x: graph.product.across(graph.product.across(x, mask), ~mask)
            )
        else:
            between = matrix[np.flatnonzero(small)][:, np.flatnonzero(nodes & ~mask)]
            transposed = between.T.tocsr()

            def gram(x: np.ndarray) -> np.ndarray:
                return between @ (transposed @ x)

        start, count = graph.node_strength[small], min(2, np.count_nonzero(small))
        values = _iterate(graph, matrix, gram, start, count, are_squares=True)
        if values[-1] < (SMALLEST_ROOT**2) * values[0]:
            return by_modulus(nodes)  # whose values are no squares: rounding is less of them
        return np.repeat(np.sqrt(values), 2)

    return _extreme(graph, matrix, 3, solve, lambda dense: np.abs(np.linalg.eigvalsh(dense)))


def laplacian_radius(graph: Graph) -> float:
    """Largest eigenvalue of the weighted Laplacian ``D - A``.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    float
    """
    side = two_colouring(graph)
    matrix = _written_out(graph)

    def solve(nodes: np.ndarray) -> np.ndarray:
        strength = _at(graph.node_strength, nodes)
        adjacency = _within(graph, nodes, graph.product.symmetric, matrix)
        # With one side flipped, D - A is D + A, whose first eigenvector is positive.
        sign = -1 if side is None else 1

        def laplacian(x: np.ndarray) -> np.ndarray:
            y = adjacency(x)
            _add_diagonal(y, strength, x, sign)
            return y

        return _iterate(graph, matrix, laplacian, strength, 1)

    def solve_dense(dense: np.ndarray) -> np.ndarray:
        strength = dense.sum(axis=-1)
        return np.linalg.eigvalsh(strength[..., None] * np.eye(dense.shape[-1]) - dense)

    return float(_extreme(graph, matrix, 1, solve, solve_dense, laplacian=True)[0])


@compiled
def _add_diagonal(y, diagonal, x, sign):
    """Set y to ``diagonal * x + sign * y``, in place."""
    for i in range(len(y)):
        y[i] = diagonal[i] * x[i] + sign * y[i]


def _iterate(
    graph: Graph,
    matrix: scipy.sparse.csr_array | None,
    product: Product,
    start: np.ndarray,
    count: int,
    **options: bool,
) -> np.ndarray:
    """`extreme_eigenvalues`, in float32 first where that is faster and its range is enough."""
    low, high = SINGLE_STRENGTHS
    if matrix is not None:
        return extreme_eigenvalues(product, start, count, **options)
    single = graph.device == "cpu" and low <= start.max() <= high
    with graph.product.alone():
        return extreme_eigenvalues(product, start, count, single=single, **options)


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


def _extreme(
    graph: Graph,
    matrix: scipy.sparse.csr_array | None,
    count: int,
    solve: Callable[[np.ndarray], np.ndarray],
    solve_dense: Callable[[np.ndarray], np.ndarray],
    laplacian: bool = False,
) -> np.ndarray:
    """The `count` largest values over all components.

    Parameters
    ----------
    solve : callable
        Largest values of the component on some nodes: bool (num_nodes,).
    solve_dense : callable
        All values of stacked symmetric adjacency matrices (m, n, n).
    laplacian : bool
        Whether the values are those of the Laplacian, or moduli of adjacency eigenvalues.

    Returns
    -------
    numpy.ndarray of float64, shape (count,)
        In falling order; zeros where there are fewer.
    """
    labels, sizes = component_labels(graph)
    best = np.zeros(count)
    if not len(sizes):
        return best
    upper, lower = (np.full(len(sizes), np.inf), np.zeros(len(sizes)))
    if len(sizes) > 1:
        with nullcontext() if matrix is not None else graph.product.alone():
            upper, lower = _bounds(graph, matrix, labels, len(sizes), laplacian)
    # Every component holds a value that reaches its lower bound.
    enough = np.sort(lower)[-count] if len(sizes) >= count else 0.0
    is_small = sizes <= DENSE_SIZE
    # The component with the highest bound may rule out those of the other kind.
    for small in (True, False) if is_small[upper.argmax()] else (False, True):
        if small:
            wanted = is_small & (upper >= max(enough, best[-1]))
            for matrices in _dense_parts(graph, labels, sizes, wanted):
                best = _best(best, solve_dense(matrices).ravel())
            continue
        for part in np.argsort(-upper, kind="stable"):
            if not is_small[part] and upper[part] >= max(enough, best[-1]):
                # Beside a component of most nodes those without an edge are let in: eigenvalues 0.
                is_most = len(sizes) == 1 and 2 * sizes[part] >= graph.num_nodes
                best = _best(best, solve((labels == part) | is_most))
    return best


def _best(best: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate([best, values]))[::-1][: len(best)]


def _bounds(
    graph: Graph,
    matrix: scipy.sparse.csr_array | None,
    labels: np.ndarray,
    parts: int,
    laplacian: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower bounds of the largest value of each component.

    For a non-negative matrix M and a positive vector x, the largest eigenvalue is at most the
    largest ratio ``(M x)_i / x_i`` (Collatz and Wielandt) and at least ``x M x / x x``. M is the
    adjacency matrix, or ``D + A``, which bounds the Laplacian from above; the Laplacian is bounded
    from below by its diagonal.
    """
    inside = labels >= 0
    label, strength = labels[inside], graph.node_strength[inside]
    product = _within(graph, inside, graph.product.symmetric, matrix)
    x, lower, upper = strength, np.zeros(parts), np.full(parts, np.inf)
    for _ in range(BOUND_STEPS if matrix is None else 12 * BOUND_STEPS):
        y = product(x) + (strength * x if laplacian else 0.0)
        ratio = np.zeros(parts)
        np.maximum.at(ratio, label, y / x)
        upper = np.minimum(upper, ratio)
        if not laplacian:
            lower = np.bincount(label, x * y) / np.bincount(label, x * x)
        # Half a step, so that the two sides of a bipartite graph do not swing.
        x = y / upper[label] + x
    if laplacian:
        np.maximum.at(lower, label, strength)
    # Rounding must not put a bound on the wrong side of the value.
    return upper * (1 + 1e-12), lower * (1 - 1e-12)


def _dense_parts(graph: Graph, labels: np.ndarray, sizes: np.ndarray, wanted: np.ndarray):
    """Symmetric adjacency matrices of some components, stacked by size: float64 (m, n, n)."""
    if not wanted.any():
        return
    members = np.argsort(labels, kind="stable")[np.count_nonzero(labels < 0) :]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    place = np.zeros(graph.num_nodes, np.int64)
    place[members] = np.arange(len(members)) - np.repeat(starts[:-1], np.diff(starts))
    edges = [tuple(column[wanted[labels[chunk[0]]]] for column in chunk) for chunk in graph.edges()]
    source, target, weight = (np.concatenate(columns) for columns in zip(*edges, strict=True))
    part = labels[source]
    for size in np.unique(sizes[wanted]):
        chosen = np.flatnonzero(wanted & (sizes == size))
        step = max(1, BATCH_ELEMENTS // size**2)
        for batch in np.split(chosen, range(step, len(chosen), step)):
            row = np.full(len(sizes), -1)
            row[batch] = np.arange(len(batch))
            held = row[part] >= 0
            at = row[part[held]], place[source[held]], place[target[held]]
            matrices = np.zeros((len(batch), size, size))
            matrices[at] = weight[held]
            yield matrices + matrices.transpose(0, 2, 1)


def _written_out(graph: Graph) -> scipy.sparse.csr_array | None:
    """Symmetric adjacency matrix of a graph of few edges, None for a larger one."""
    if graph.num_edges > EXPLICIT_EDGES:
        return None
    directed = graph.to_scipy().astype(np.float64)
    return (directed + directed.T).tocsr()


def _at(values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Values at some nodes: bool (num_nodes,)."""
    return values if nodes.all() else values[nodes]


def _within(
    graph: Graph,
    nodes: np.ndarray,
    product: Product,
    matrix: scipy.sparse.csr_array | None = None,
) -> Product:
    """A product with vectors over all nodes (or the written-out matrix), over some of them.

    `nodes` is bool (num_nodes,).
    """
    if matrix is not None:
        places = np.flatnonzero(nodes)
        return matrix[places][:, places].__matmul__
    if nodes.all():
        return product
    # Runs of nodes, as whole node layers are, are copied faster than single ones.
    bounds = np.flatnonzero(np.diff(nodes, prepend=False, append=False)).reshape(-1, 2)
    places = [slice(*run) for run in bounds.tolist()] if len(bounds) <= MOST_RUNS else None

    def restricted(x: np.ndarray) -> np.ndarray:
        whole = np.zeros(graph.num_nodes, x.dtype)
        if places is None:
            whole[nodes] = x
            return product(whole)[nodes]
        done = 0
        for run in places:
            part = whole[run]
            part[:] = x[done : done + len(part)]
            done += len(part)
        y = product(whole)
        return np.concatenate([y[run] for run in places])

    return restricted
