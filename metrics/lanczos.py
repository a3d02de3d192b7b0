"""Extreme eigenvalues of a symmetric matrix that is given by its products with vectors.

Lanczos iterations with thick restarts (Wu and Simon, "Thick-restart Lanczos method for large
symmetric eigenvalue problems", SIAM J. Matrix Anal. Appl. 2000). Compared with ARPACK's solver
they keep approximations from both ends of the spectrum, so that eigenvalues in nearly equal pairs
of opposite sign (as of any nearly bipartite graph) are no obstacle, and they stop when the values
are exact, not when the vectors are: the error of a value is about the square of its residual.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

Product = Callable[[np.ndarray], np.ndarray]

TOLERANCE = 1e-9
"""Error of an eigenvalue at which the iterations stop, relative to the largest modulus."""

ACCEPTED = 1e-6
"""Relative error up to which values are given, with a warning, once `MOST_PRODUCTS` are spent."""

MOST_PRODUCTS = 3_000
"""Products after which the iterations end."""

BASIS_ELEMENTS = 48 << 20
"""Elements of the basis, within `BASIS_SIZES` vectors."""

BASIS_SIZES = (20, 100)

CHECK_EVERY = 4
"""Products between two looks at the convergence."""


def extreme_eigenvalues(
    product: Product, start: np.ndarray, count: int, by_modulus: bool = False
) -> np.ndarray:
    """The largest eigenvalues of a symmetric matrix, algebraically or by modulus.

    Parameters
    ----------
    product : callable
        The matrix's product with a float64 vector of shape (n,).
    start : numpy.ndarray of float64, shape (n,)
        Guess of the first eigenvector. Only eigenvectors that are not orthogonal to it (and to a
        fixed pseudo-random vector on its support, added to it) are seen.
    count : int
        How many eigenvalues; at most n.
    by_modulus : bool
        Largest in modulus from either end of the spectrum; else the algebraically largest.

    Returns
    -------
    numpy.ndarray of float64, shape (count,)
        Eigenvalues, the first the largest (by modulus if so asked). An eigenvalue of a higher
        multiplicity is found once. NaN, after a warning, where they do not converge.

    Notes
    -----
    The error of a Ritz value with residual r is at most r, and at most r^2 over its distance from
    the rest of the spectrum (Kato and Temple; Parlett, "The Symmetric Eigenvalue Problem", 11.7),
    which is estimated by its distance from the next Ritz value.
    """
    size = len(start)
    most = min(size, max(BASIS_SIZES[0], min(BASIS_SIZES[1], BASIS_ELEMENTS // size)))
    basis = np.empty((most + 1, size))
    projected = np.zeros((most + 1, most + 1))
    basis[0] = _first_vector(start)
    held = products = 0
    while True:
        norm = _extend(product, basis, projected, held)
        held, products = held + 1, products + 1
        is_full, is_invariant = held == most, norm <= 1e-12 * np.abs(projected).max()
        if not (is_full or is_invariant or held % CHECK_EVERY == 0):
            continue
        values, vectors = np.linalg.eigh(projected[:held, :held])
        order = np.argsort(-np.abs(values) if by_modulus else -values, kind="stable")[:count]
        found = values[order]
        scale = np.abs(values).max()
        error = _errors(values, np.abs(norm * vectors[-1]))[order].max() / (scale or 1.0)
        if is_invariant:  # its values are exact, and there are no others to be seen
            return np.pad(found, (0, count - len(found)))
        if held >= count and error <= TOLERANCE:
            return found
        if products >= MOST_PRODUCTS:
            return _late(found, error)
        if is_full:
            held = _restart(basis, projected, values, vectors, norm, count, by_modulus)


def _first_vector(start: np.ndarray) -> np.ndarray:
    """The guess with a random part on its support, of length one."""
    random = np.random.default_rng(0).random(len(start)) + 0.5
    vector = start + 1e-3 * np.abs(start).max() * random * (start != 0)
    return vector / np.linalg.norm(vector)


def _extend(product: Product, basis: np.ndarray, projected: np.ndarray, last: int) -> float:
    """Append the product with vector `last`, made orthogonal to the basis; return its length."""
    vector = product(basis[last])
    # What is known of the projection first, then, for orthogonality, the whole basis.
    first = np.flatnonzero(projected[:last, last])[:1]
    joined = slice(first[0] if len(first) else last, last)
    diagonal = vector @ basis[last]
    coefficients = np.append(projected[joined, last], diagonal)
    vector = _subtract(vector, coefficients, basis[joined.start : last + 1])
    again = sum(
        basis[: last + 1, columns] @ vector[columns] for columns in _column_ranges(len(vector))
    )
    vector = _subtract(vector, again, basis[: last + 1])
    projected[last, last] = diagonal + again[last]
    norm = float(np.linalg.norm(vector))
    projected[last + 1, last] = projected[last, last + 1] = norm
    if norm:
        np.divide(vector, norm, out=basis[last + 1])
    return norm


def _subtract(vector: np.ndarray, coefficients: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The vector without a combination of basis vectors."""
    rest = np.empty(len(vector))
    for columns in _column_ranges(len(vector)):
        rest[columns] = vector[columns] - coefficients @ basis[:, columns]
    return rest


def _column_ranges(size: int, step: int = 1 << 13) -> list[slice]:
    """Parts of a vector that stay in the cache while several passes read them."""
    return [slice(at, at + step) for at in range(0, size, step)]


def _errors(values: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Estimated errors of Ritz values, in their (rising) order."""
    step = np.diff(values, prepend=-np.inf, append=np.inf)
    apart = np.minimum(step[:-1], step[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = residuals**2 / apart
    return np.fmin(residuals, squared)


def _restart(
    basis: np.ndarray,
    projected: np.ndarray,
    values: np.ndarray,
    vectors: np.ndarray,
    norm: float,
    count: int,
    by_modulus: bool,
) -> int:
    """Keep the Ritz vectors at the wanted ends and the last vector; return how many are kept."""
    held = len(values)
    # As many as leave room for about as many new vectors (Wu and Simon, section 5).
    room = max(count, held // 2)
    lowest = room // 2 if by_modulus else 0
    kept = np.concatenate([np.arange(lowest), np.arange(held - (room - lowest), held)])
    part = vectors[:, kept]
    for columns in _column_ranges(basis.shape[1]):
        basis[: len(kept), columns] = part.T @ basis[:held, columns]
    basis[len(kept)] = basis[held]
    projected[:] = 0.0
    projected[np.arange(len(kept)), np.arange(len(kept))] = values[kept]
    coupling = norm * part[-1]
    projected[: len(kept), len(kept)] = projected[len(kept), : len(kept)] = coupling
    return len(kept)


def _late(values: np.ndarray, error: float) -> np.ndarray:
    """What is returned once the products are spent."""
    if error <= ACCEPTED:
        warnings.warn(
            f"eigenvalues lie very close together: exact to {error:.0e} only",
            RuntimeWarning,
            stacklevel=3,
        )
        return values
    warnings.warn(
        f"eigenvalues do not converge to {ACCEPTED:g} of the largest: left empty",
        RuntimeWarning,
        stacklevel=3,
    )
    return np.full(len(values), np.nan)
