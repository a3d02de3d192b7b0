"""Extreme eigenvalues of a symmetric matrix that is given by its products with vectors, certified.

Lanczos iterations with thick restarts (Wu and Simon, "Thick-restart Lanczos method for large
symmetric eigenvalue problems", SIAM J. Matrix Anal. Appl. 2000) find the values. Compared with
ARPACK's solver they keep approximations from both ends of the spectrum, so that eigenvalues in
nearly equal pairs of opposite sign (as of any nearly bipartite graph) are no obstacle, and they
stop when the values are exact, not when the vectors are: the error of a value is about the square
of its residual, if no other eigenvalue is near.

No iteration sees what its start is (nearly) orthogonal to, and it takes a multiple eigenvalue for
a simple one. So a probe from a random vector follows, in the complement of what was found. It
ends when it has shown that no eigenvalue of the complement is above a level just below the found
ones, or when it meets one: then its start joins the iterations, which become those of a band
Lanczos method (Ruhe, "Implementation aspects of band Lanczos algorithms", Math. Comp. 1979).
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from .krylov import Product, Ritz, Space, append, components, extend, restart, ritz_pairs, subtract

TOLERANCE = 1e-9
"""Error of an eigenvalue at which the iterations stop, relative to the largest modulus."""

ACCEPTED = 1e-6
"""Relative error up to which values are given, with a warning, once `MOST_PRODUCTS` are spent."""

RISK = 1e-3
"""Bound of the probability that a probe misses an eigenvalue, for more than `SMALL_SIZE` rows."""

SMALL_RISK = 1e-9
"""The same for matrices whose products are cheap."""

SMALL_SIZE = 20_000

DENSE_SIZE = 2_000
"""Up to this number of rows, a matrix that takes more than `DENSE_PRODUCTS` is written out."""

DENSE_PRODUCTS = 300

MOST_PRODUCTS = 3_000
"""Products after which the iterations end; a last probe at `ACCEPTED` may take as many again."""

BASIS_ELEMENTS = 48 << 20
"""Elements of the basis, within `BASIS_SIZES` vectors."""

BASIS_SIZES = (20, 100)

SMALLEST_ROOT = 1e-3
"""Below this part of the largest square root, rounding of the squares comes to more than 1e-12."""

CHECK_EVERY = 2
"""Products between two looks at the convergence."""

NOISE = 0.1
"""Length of the random part of the start, relative to the guess."""


def extreme_eigenvalues(
    product: Product,
    start: np.ndarray,
    count: int,
    by_modulus: bool = False,
    are_squares: bool = False,
) -> np.ndarray:
    """The largest eigenvalues of a symmetric matrix, algebraically or by modulus.

    Parameters
    ----------
    product : callable
        The matrix's product with a float64 vector of shape (n,).
    start : numpy.ndarray of float64, shape (n,)
        Guess of the first eigenvector. It decides on the cost only: what it is orthogonal to is
        found as well.
    count : int
        How many eigenvalues; at most n.
    by_modulus : bool
        Largest in modulus from either end of the spectrum; else the algebraically largest.
    are_squares : bool
        Whether the tolerance is that of the square roots, relative to the largest root (for roots
        above `SMALLEST_ROOT` of it).

    Returns
    -------
    numpy.ndarray of float64, shape (count,)
        Eigenvalues, the first the largest (by modulus if so asked), each as often as its
        multiplicity. NaN, after a warning, where they are not certain within `MOST_PRODUCTS`.

    Notes
    -----
    What is certain: let Y be the Ritz vectors of the first values (`count` or some more), R their
    residuals, C the matrix compressed to the complement of Y, and `level` a number below the
    first values and above those of C. Then the values are wrong by at most ``|R|^2`` over their
    distance from the level, and by at most ``|R|`` (Frobenius norms; Li and Li, "A note on
    eigenvalues of perturbed Hermitian matrices", Linear Algebra Appl. 2005). The iterations go
    on until this is at most `TOLERANCE` of the largest modulus, rounding apart.

    That C has nothing above the level is shown by k Lanczos steps on C from a random vector,
    uniformly distributed on the sphere of C's d dimensions. Their vector k + 1 has length one,
    and its part along C's first eigenvector is the start's part times the Lanczos polynomial at
    the eigenvalue. The polynomial rises beyond the largest Ritz value; once it exceeds
    ``sqrt(2 d / pi) / RISK`` at the level, an eigenvalue above the level would need a start whose
    part along the eigenvector is so small that its probability is at most `RISK`, `SMALL_RISK`
    for small matrices (twice this for both ends of the spectrum). See van Dorsselaer,
    Hochstenbach and van der Vorst, "Computing probabilistic bounds for extreme eigenvalues of
    symmetric matrices with the Lanczos method", SIAM J. Matrix Anal. Appl. 2000, who sharpen
    Kuczynski and Wozniakowski, "Estimating the largest eigenvalue by the power and Lanczos
    algorithms with a random start", same journal, 1992. This is a bound whatever the matrix, over
    the draw of the start; the draws are the same in every run (fixed seeds), so that results
    repeat.

    C is compressed further by the nearly converged Ritz vectors of eigenvalues below the level,
    which shortens the probe. What they hide is at most the sum of their squared residuals over
    their distances from the level, by which the level is lowered for the probe.
    """
    size = len(start)
    most = min(size, max(BASIS_SIZES[0], min(BASIS_SIZES[1], BASIS_ELEMENTS // size)))
    space = Space(np.empty((most + 2, size)), np.zeros((most + 2, most + 2)))
    draws = np.random.default_rng(0)
    noise = draws.standard_normal(size) / np.sqrt(size)
    append(space, start / np.linalg.norm(start) + NOISE * noise)
    tolerance, products, resume = TOLERANCE, 0, 0
    while True:
        if space.is_invariant:  # what it lacks is in its complement
            append(space, draws.standard_normal(size))
        extend(product, space)
        products += 1
        is_last, is_full = products >= MOST_PRODUCTS, space.held > most
        if not (is_last or is_full or space.is_invariant or products % CHECK_EVERY == 0):
            continue
        ritz = ritz_pairs(space, by_modulus)
        if space.done == size:
            return ritz.values[:count]
        if products >= DENSE_PRODUCTS and size <= DENSE_SIZE:
            return _by_dense_solver(product, size, by_modulus)[:count]
        if is_last:
            tolerance, resume = ACCEPTED, 0
        allowed = tolerance * _scale(ritz, count, are_squares)
        top = _settled(ritz, count, allowed, by_modulus) if products >= resume else None
        if top is not None:
            found = ritz.values[:count]
            restart(space, ritz, np.arange(top.kept))
            draw = draws.standard_normal(size)
            probe = _probe(
                product,
                space.basis[: top.kept],
                draw,
                top.level,
                by_modulus,
                2 * MOST_PRODUCTS - products,
            )
            if probe.is_clear:
                if is_last:
                    _warn(f"lie very close together: exact to {tolerance:.0e} only")
                return found
            products += probe.products
            append(space, draw)
            # Until its own steps could have shown what the probe has met.
            resume = products + probe.products * (space.held - space.done)
        elif is_full:
            restart(space, ritz, _ends(ritz, count, by_modulus))
        if is_last or (most < size and space.held - space.done > most // 2):
            _warn(f"are not certain to {ACCEPTED:g} of the largest: left empty")
            return np.full(count, np.nan)


class _Top(NamedTuple):
    """Ritz vectors kept for a probe, and the level that nothing in their complement may reach."""

    kept: int
    level: float


class _Outcome(NamedTuple):
    """Whether a probe has shown that there is nothing above the level, and its products."""

    is_clear: bool
    products: int


def _by_dense_solver(product: Product, size: int, by_modulus: bool) -> np.ndarray:
    """All eigenvalues, the largest first."""
    values = np.linalg.eigvalsh(np.stack([product(unit) for unit in np.eye(size)]))
    return values[np.argsort(-np.abs(values) if by_modulus else -values, kind="stable")]


def _scale(ritz: Ritz, count: int, are_squares: bool) -> float:
    """What the tolerance is relative to."""
    largest = float(np.abs(ritz.values[0])) or 1.0
    if not are_squares:
        return largest
    smallest = max(ritz.values[min(count, len(ritz.values)) - 1] / largest, SMALLEST_ROOT**2)
    # The error of a square is its root's times twice the root.
    return largest * min(1.0, 2 * np.sqrt(smallest))


def _settled(ritz: Ritz, count: int, tolerance: float, by_modulus: bool) -> _Top | None:
    """What a probe has to show for the first `count` values to be exact; None if they are not.

    The values are exact if they and some more (all above the level) have residuals that are small
    for their distance from the level, or if their own residuals are below the tolerance.
    """
    sizes = ritz.sizes
    if len(sizes) <= count:
        return None
    squares = ritz.residuals**2
    if squares[:count].sum() <= (tolerance / 2) ** 2:
        return _deflated(ritz, count, sizes[count - 1] + tolerance / 2, by_modulus)
    needed = np.cumsum(squares)[:-1] / tolerance
    gaps = -np.diff(sizes)
    for first in range(count, len(sizes)):
        if needed[first - 1] <= 0.1 * gaps[first - 1]:
            return _deflated(ritz, first, sizes[first - 1] - needed[first - 1], by_modulus)
    return None


def _deflated(ritz: Ritz, first: int, level: float, by_modulus: bool) -> _Top:
    """Keep the first Ritz vectors and as many more as are expected to make the probe shortest."""
    sizes, residuals = ritz.sizes, ritz.residuals
    under = level - sizes[first : max(first, len(sizes) // 2)]
    hidden = np.append(0.0, np.cumsum(residuals[first : first + len(under)] ** 2 / under))
    # A lower level might be below eigenvalues that have no Ritz value yet.
    levels = level - hidden[hidden <= 0.1 * (level - sizes[first])]
    # The largest eigenvalue that the rest may have, as far as its Ritz values tell.
    rest = np.maximum.accumulate((sizes + residuals)[::-1])[::-1][first : first + len(levels)]
    spread = rest if by_modulus else (rest - ritz.values.min()) / 2
    best = int(np.argmax((levels - rest) / np.maximum(spread, 1e-300)))
    return _Top(first + best, levels[best])


def _probe(
    product: Product,
    kept: np.ndarray,
    draw: np.ndarray,
    level: float,
    by_modulus: bool,
    most: int,
) -> _Outcome:
    """Whether the matrix has nothing above a level in the complement of some vectors.

    Lanczos steps without reorthogonalisation: the three-term recurrence holds all the same, and
    with it the part of the last vector along an eigenvector. Pivots of the shifted tridiagonal
    matrix are ratios of the Lanczos polynomials at the level; they are positive as long as no Ritz
    value is above it.
    """
    dimension = len(draw) - len(kept)
    risk = SMALL_RISK if len(draw) <= SMALL_SIZE else RISK
    enough = np.log(np.sqrt(2 * dimension / np.pi) / risk)
    signs = np.array([1.0, -1.0] if by_modulus else [1.0])
    pivots, growth = np.full(len(signs), np.inf), np.zeros(len(signs))
    before, vector, norm = np.zeros(len(draw)), draw, 0.0
    vector = subtract(vector, components(kept, vector), kept)
    vector /= np.linalg.norm(vector)
    for products in range(1, most + 1):
        after = product(vector)
        after -= norm * before
        diagonal = after @ vector
        after -= diagonal * vector
        after = subtract(after, components(kept, after), kept)
        pivots = level - signs * diagonal - norm**2 / pivots
        if pivots.min() <= 0:
            return _Outcome(False, products)
        norm = float(np.linalg.norm(after))
        if norm <= 1e-12 * level:
            return _Outcome(True, products)
        growth += np.log(pivots / norm)
        if growth.min() >= enough:
            return _Outcome(True, products)
        before, vector = vector, after / norm
    return _Outcome(False, most)


def _ends(ritz: Ritz, count: int, by_modulus: bool) -> np.ndarray:
    """The Ritz vectors at the wanted ends of the spectrum that a restart keeps."""
    held = len(ritz.values)
    # As many as leave room for about as many new vectors (Wu and Simon, section 5).
    room = max(count, held // 2)
    lowest = room // 2 if by_modulus else 0
    rising = np.argsort(ritz.values, kind="stable")
    return np.concatenate([rising[:lowest], rising[held - (room - lowest) :]])


def _warn(what: str) -> None:
    warnings.warn(f"eigenvalues {what}", RuntimeWarning, stacklevel=3)
