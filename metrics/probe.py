"""A search for eigenvalues above a level that ends with a bound of the probability to miss one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .krylov import Product, components, norm_of, reduced, subtract

RISK = 1e-3
"""Bound of the probability that a probe misses an eigenvalue, for more than `SMALL_SIZE` rows."""

SMALL_RISK = 1e-9
"""The same for matrices whose products are cheap."""

SMALL_SIZE = 20_000

ROUNDING = 3e-7
"""Length of the rounding errors of a step in float32, relative to the level."""

ALIGNED = 5.0
"""How much more of rounding errors may be along one eigenvector than is expected of random ones."""


class Outcome(NamedTuple):
    """Whether a probe has shown that there is nothing above the level, and its products."""

    is_clear: bool
    products: int


def probed(
    product: Product,
    kept: np.ndarray,
    inverse: np.ndarray,
    draw: Callable[[type], np.ndarray],
    level: float,
    by_modulus: bool,
    most: int,
    is_single: bool,
) -> Outcome:
    """Look for eigenvalues above a level in the complement of some vectors.

    Parameters
    ----------
    product : callable
        The matrix's product with a vector of shape (n,).
    kept : numpy.ndarray, shape (k, n)
        The vectors.
    inverse : numpy.ndarray of float64, shape (k, k)
        Inverse of their scalar products.
    draw : callable
        The random vector to start from, in a given precision.
    level : float
    by_modulus : bool
        Whether moduli count, from either end of the spectrum.
    most : int
        Products after which it gives up.
    is_single : bool
        Whether `product` takes float32 vectors and float32 is to be tried.

    Returns
    -------
    Outcome

    Notes
    -----
    Let C be the matrix compressed to the complement, of d dimensions. The start is uniformly
    distributed on their sphere. The vector after k Lanczos steps has length one, and its part along
    C's first eigenvector is c, that of the start, times the Lanczos polynomial at the eigenvalue.
    The polynomial rises beyond the largest Ritz value. Once it exceeds ``sqrt(2 d / pi) / RISK`` at
    the level, an eigenvalue above the level would need a start whose part c is so small that its
    probability is at most `RISK`, `SMALL_RISK` for small matrices (twice this for both ends of the
    spectrum). See van Dorsselaer, Hochstenbach and van der Vorst, "Computing probabilistic bounds
    for extreme eigenvalues of symmetric matrices with the Lanczos method", SIAM J. Matrix Anal.
    Appl. 2000, who sharpen Kuczynski and Wozniakowski, "Estimating the largest eigenvalue by the
    power and Lanczos algorithms with a random start", same journal, 1992. This is a bound whatever
    the matrix, over the draw of the start; the draws are the same in every run (fixed seeds), so
    that results repeat.

    There is no reorthogonalisation: the three-term recurrence holds all the same, and with it the
    part of the last vector along an eigenvector. Pivots of the shifted tridiagonal matrix are
    ratios of the polynomials p_j at the level; they are positive as long as no Ritz value is above
    it.

    Rounding adds a vector f_j to step j. If its part along the eigenvector is e_j, the part of
    vector k is p_k times, in place of c, c plus the sum over i of ``e_i p_i`` times the sum over j
    from i of ``1 / (p_j^2 pivot_j)``. In float64 this is nothing. In float32 the length of f_j is
    taken to be `ROUNDING` times the level (a product by float32 convolutions was measured to be off
    by 2e-7 of its length). A random direction has ``1 / sqrt(d)`` of it along the eigenvector, of
    either sign, so the squares of the terms add up. `ALIGNED` times the root of their sum must be
    so small that it takes half of the risk; the polynomial must exceed the rest. So the bound in
    float32 rests on one assumption more: rounding errors point along an eigenvector that nobody
    knows no more than random ones do. Where the sum is too large, and for small matrices, the
    probe runs in float64.
    """
    spent = 0
    if is_single and len(kept[0]) > SMALL_SIZE:
        arguments = kept, inverse, draw(np.float32), level, by_modulus, most
        is_clear, spent = _steps(product, *arguments)
        if is_clear is not None:
            return Outcome(is_clear, spent)
    arguments = kept, inverse, draw(np.float64), level, by_modulus, most - spent
    is_clear, products = _steps(product, *arguments)
    return Outcome(bool(is_clear), spent + products)


def _steps(
    product: Product,
    kept: np.ndarray,
    inverse: np.ndarray,
    vector: np.ndarray,
    level: float,
    by_modulus: bool,
    most: int,
) -> tuple[bool | None, int]:
    """Whether nothing is above the level, and the products; None where rounding may hide it."""
    dimension = len(vector) - len(kept)
    is_single = vector.dtype == np.float32
    risk = SMALL_RISK if len(vector) <= SMALL_SIZE else RISK
    risk /= 2 if is_single else 1
    enough = np.log(np.sqrt(2 * dimension / np.pi) / risk)
    signs = np.array([1.0, -1.0] if by_modulus else [1.0])
    pivots, growth = np.full(len(signs), np.inf), np.zeros(len(signs))
    grown, weights = [], []
    before, norm = np.zeros_like(vector), 0.0
    subtract(vector, inverse @ components(kept, vector), kept)
    vector /= norm_of(vector)
    for products in range(1, most + 1):
        after = product(vector)
        diagonal, _ = reduced(after, np.array([norm]), before[None], vector[None])
        *along, _ = reduced(after, np.array([diagonal]), vector[None], kept)
        (square,) = reduced(after, inverse @ np.array(along), kept, kept[:0])
        pivots = level - signs * diagonal - norm**2 / pivots
        if pivots.min() <= 0:
            return False, products
        norm = np.sqrt(square)
        if norm <= 1e-12 * level:
            return True, products
        grown.append(np.exp(growth))
        weights.append(grown[-1] ** -2 / pivots)
        growth += np.log(pivots / norm)
        if is_single and _rounding(grown, weights, level) > risk:
            return None, products
        if growth.min() >= enough:
            return True, products
        after /= norm
        before, vector = vector, after
    return False, most


def _rounding(grown: list[np.ndarray], weights: list[np.ndarray], level: float) -> float:
    """By how much rounding in float32 may raise the risk: p_i and ``1 / (p_i^2 pivot_i)`` given."""
    later = np.cumsum(weights[::-1], axis=0)[::-1]
    length = np.sqrt(((np.stack(grown) * later) ** 2).sum(axis=0)).max()
    return float(ALIGNED * np.sqrt(2 / np.pi) * ROUNDING * level * length)
