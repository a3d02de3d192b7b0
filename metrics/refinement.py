"""From vectors in float32 to values in float64, with residuals that are certain.

The error of an eigenvalue is about the square of its vector's residual. So vectors that are exact
to seven digits give values that are exact to more than nine, once both are worked out in float64.
The vectors themselves stay in float32: what counts is the space that these very numbers span.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .krylov import Product, Ritz, column_ranges, components, dot, norm_of


class Refined(NamedTuple):
    """Eigenpairs of a matrix compressed to a space, and how to leave that space."""

    ritz: Ritz
    inverse: np.ndarray  # of the vectors' scalar products


def refined(product: Product, basis: np.ndarray, by_modulus: bool) -> Refined:
    """Rayleigh-Ritz values in the span of some vectors.

    Parameters
    ----------
    product : callable
        The matrix's product with a float64 vector of shape (n,).
    basis : numpy.ndarray of float32, shape (k, n)
        Nearly eigenvectors, and nearly orthonormal.
    by_modulus : bool
        Largest in modulus first; else the algebraically largest.

    Returns
    -------
    Refined
        Residuals are upper bounds, rounding in float64 apart.

    Notes
    -----
    Let y_i be the basis vectors, q_i their Rayleigh quotients and r_i = A y_i - q_i y_i. A Ritz
    vector sum s_i y_i of length one has the residual (I - P) sum s_i r_i, where P projects on the
    space. So its length is at most the sum of the |s_i| |r_i|.
    """
    count = len(basis)
    gram, projected, lengths = np.empty((count, count)), np.empty((count, count)), np.empty(count)
    for i in range(count):
        vector = basis[i].astype(np.float64)
        gram[:, i] = components(basis, vector)
        rest = product(vector)
        quotient = dot(rest, vector) / gram[i, i]
        for columns in column_ranges(len(rest)):
            rest[columns] -= quotient * vector[columns]
        projected[:, i] = components(basis, rest) + quotient * gram[:, i]
        lengths[i] = norm_of(rest)
    half = np.linalg.inv(np.linalg.cholesky((gram + gram.T) / 2))
    values, vectors = np.linalg.eigh(half @ ((projected + projected.T) / 2) @ half.T)
    vectors = half.T @ vectors
    sizes = np.abs(values) if by_modulus else values
    order = np.argsort(-sizes, kind="stable")
    vectors = vectors[:, order]
    ritz = Ritz(values[order], sizes[order], lengths @ np.abs(vectors), vectors)
    return Refined(ritz, half.T @ half)
