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
from functools import partial
from typing import NamedTuple

import numpy as np

from .krylov import (
    Product,
    Ritz,
    Space,
    append,
    extend,
    norm_of,
    restart,
    ritz_pairs,
    subtract,
)
from .probe import probed
from .refinement import refined

TOLERANCE = 1e-9
"""Error of an eigenvalue at which the iterations stop, relative to the largest modulus."""

ACCEPTED = 1e-6
"""Relative error up to which values are given, with a warning, once `MOST_PRODUCTS` are spent."""

DENSE_SIZE = 2_000
"""Up to this number of rows, a matrix that takes more than `DENSE_PRODUCTS` is written out."""

DENSE_PRODUCTS = 300

MOST_PRODUCTS = 3_000
"""Products after which the iterations end; a last probe at `ACCEPTED` may take as many again."""

SINGLE_PRODUCTS = 1_000
"""Products in float32 after which the iterations go on in float64."""

FLOOR = 2e-7
"""Expected length of what rounding leaves of a residual in float32, relative to the matrix."""

EXPECTED_GROWTH = 14.0
"""Logarithm of the growth of a Lanczos polynomial that ends most probes."""

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
    single: bool = False,
) -> np.ndarray:
    """The largest eigenvalues of a symmetric matrix, algebraically or by modulus.

    Parameters
    ----------
    product : callable
        The matrix's product with a float64 vector of shape (n,): a new array.
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
    single : bool
        Whether `product` takes float32 vectors as well, and then is the faster. The iterations run
        in float32 as long as it is precise enough; what is certain is as below.

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

    That C has nothing above the level is shown by Lanczos steps on C from a random vector; see
    `probe` for how, and for the probability that it is wrong.

    C is compressed further by the nearly converged Ritz vectors of eigenvalues below the level,
    which shortens the probe. What they hide is at most the sum of their squared residuals over
    their distances from the level, by which the level is lowered for the probe.

    With `single`, the iterations end with float32 numbers Y. Values and residuals are worked out
    anew in their span, with products in float64 (`refinement`): the bound above is that of these
    residuals, whatever the precision in which Y was found. Rounding in float32 leaves residuals of
    some 2e-7 of the largest modulus, so that values are exact to `TOLERANCE` if there is a gap of
    1e-4 to 1e-3 somewhere below them. Where there is none, as in dense clusters, the iterations
    start again in float64 from what was found.
    """
    noise = NOISE
    if single:
        found = _by_iterations(product, start, noise, count, by_modulus, are_squares, np.float32)
        if found.values is not None:
            return found.values
        start = found.start
        noise = 0.0  # it knows enough directions
    return _by_iterations(product, start, noise, count, by_modulus, are_squares, np.float64).values


class _Found(NamedTuple):
    """Eigenvalues; none where float32 is too short for them, but a better start."""

    values: np.ndarray | None
    start: np.ndarray | None = None


def _by_iterations(
    product: Product,
    start: np.ndarray,
    noise: float,
    count: int,
    by_modulus: bool,
    are_squares: bool,
    dtype: type,
) -> _Found:
    """Lanczos iterations with vectors of this precision."""
    size, is_single = len(start), dtype is np.float32
    most = min(size, max(BASIS_SIZES[0], min(BASIS_SIZES[1], BASIS_ELEMENTS // size)))
    space = Space(np.empty((most + 2, size), dtype), np.zeros((most + 2, most + 2)))
    first = _draw(0, size, dtype)
    first *= noise / np.sqrt(size)
    subtract(first, np.array([-1 / norm_of(start)]), start[None])
    append(space, first)
    del first
    tolerance, products, resume, draws, floor = TOLERANCE, 0, 0, 0, FLOOR
    enough = SINGLE_PRODUCTS
    while True:
        if space.is_invariant:  # what it lacks is in its complement
            draws += 1
            append(space, _draw(draws, size, dtype))
        extend(product, space)
        products += 1
        is_last = products >= (SINGLE_PRODUCTS if is_single else MOST_PRODUCTS)
        is_full = space.held > most
        if not (is_last or is_full or space.is_invariant or products % CHECK_EVERY == 0):
            continue
        ritz = ritz_pairs(space, by_modulus)
        if space.done == size and not is_single:
            return _Found(ritz.values[:count])
        if products >= DENSE_PRODUCTS and size <= DENSE_SIZE:
            return _Found(_by_dense_solver(product, size, by_modulus)[:count])
        is_crowded = most < size and space.held - space.done > most // 2
        if is_single and (is_last or is_crowded or space.done == size):
            return _Found(None, _guess(space, ritz, count))
        if is_last:
            tolerance, resume = ACCEPTED, 0
        allowed = tolerance * _scale(ritz, count, are_squares)
        rough = _with_rounding(ritz, floor) if is_single else ritz
        top = None
        if products >= resume:
            top = _settled(rough, count, allowed, by_modulus, is_single)
        if top is not None and is_single:
            # The better they are the higher is the level, and the less of a probe is wasted.
            above = ritz.residuals[ritz.sizes > top.bar]
            top = top if is_full or above.max() <= floor * ritz.sizes[0] else None
        if top is not None:
            restart(space, ritz, np.arange(max(top.kept, space.done // 2)))
            kept = space.basis[: top.kept]
            inverse = np.eye(top.kept)
            if is_single:
                ritz, inverse = refined(product, kept, by_modulus)
                products += top.kept
                allowed = tolerance * _scale(ritz, count, are_squares)
                top = _certified(ritz, count, top, allowed)
                if top is None:  # rounding is more than was thought
                    floor *= 2
                    continue
            draws += 1
            probe = probed(
                product,
                kept,
                inverse,
                partial(_draw, draws, size),
                top.level,
                by_modulus,
                2 * MOST_PRODUCTS - products,
                is_single,
            )
            products += probe.products
            if probe.is_clear:
                if is_last:
                    _warn(f"lie very close together: exact to {tolerance:.0e} only")
                return _Found(ritz.values[:count])
            append(space, _draw(draws, size, dtype))
            enough = SINGLE_PRODUCTS
            # Until its own steps could have shown what the probe has met.
            resume = products + probe.products * (space.held - space.done)
        elif is_full:
            # What rounding leaves may be all that is in the way.
            if is_single and _settled(ritz, count, allowed, by_modulus, is_single) is not None:
                enough = min(enough, 2 * products)
                best = ritz._replace(residuals=np.full(len(ritz.sizes), floor * ritz.sizes[0]))
                hopeless = _settled(best, count, allowed, by_modulus, is_single) is None
                if hopeless or products >= enough:
                    return _Found(None, _guess(space, ritz, count))
            restart(space, ritz, _ends(ritz, count, by_modulus))
        if not is_single and (is_last or (most < size and space.held - space.done > most // 2)):
            _warn(f"are not certain to {ACCEPTED:g} of the largest: left empty")
            return _Found(np.full(count, np.nan))


def _draw(number: int, size: int, dtype: type) -> np.ndarray:
    """A random vector, the same in every run."""
    return np.random.default_rng(number).standard_normal(size, dtype)


def _guess(space: Space, ritz: Ritz, count: int) -> np.ndarray:
    """Sum of the first Ritz vectors, in float64."""
    guess = np.zeros(space.basis.shape[1])
    subtract(guess, -ritz.vectors[:, :count].sum(axis=1), space.basis[: space.done])
    return guess


def _with_rounding(ritz: Ritz, floor: float) -> Ritz:
    """The same with the residuals that float32 leaves."""
    return ritz._replace(residuals=np.hypot(ritz.residuals, floor * ritz.sizes[0]))


class _Top(NamedTuple):
    """Ritz vectors kept for a probe.

    Attributes
    ----------
    kept : int
        Their number.
    bar : float
        Those above it are exact if there is nothing else above it.
    level : float
        What nothing in the complement of the kept vectors may reach, so that this holds.
    """

    kept: int
    bar: float
    level: float


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


def _settled(
    ritz: Ritz, count: int, tolerance: float, by_modulus: bool, is_single: bool
) -> _Top | None:
    """What a probe has to show for the first `count` values to be exact; None if they are not.

    The values are exact if they and some more (all above the level) have residuals that are small
    for their distance from the level, or if their own residuals are below the tolerance.
    """
    sizes = ritz.sizes
    if len(sizes) <= count:
        return None
    squares = ritz.residuals**2
    if squares[:count].sum() <= (tolerance / 2) ** 2:
        return _deflated(ritz, count, sizes[count - 1] + tolerance / 2, by_modulus, is_single)
    # What float32 has found is looked at again, and may be found a little worse.
    slack, share = (2.0, 0.4) if is_single else (1.0, 0.1)
    needed = slack * np.cumsum(squares)[:-1] / tolerance
    gaps = -np.diff(sizes)
    for first in range(count, len(sizes)):
        if needed[first - 1] <= share * gaps[first - 1]:
            level = sizes[first - 1] - needed[first - 1]
            return _deflated(ritz, first, level, by_modulus, is_single)
    return None


def _deflated(ritz: Ritz, first: int, level: float, by_modulus: bool, is_single: bool) -> _Top:
    """Keep the first Ritz vectors, and more where that saves products."""
    sizes, residuals = ritz.sizes, ritz.residuals
    under = level - sizes[first : max(first, len(sizes) // 2)]
    hidden = np.append(0.0, np.cumsum(residuals[first : first + len(under)] ** 2 / under))
    # A lower level might be below eigenvalues that have no Ritz value yet.
    levels = level - hidden[hidden <= 0.1 * (level - sizes[first])]
    # The largest eigenvalue that the rest may have, as far as its Ritz values tell.
    rest = np.maximum.accumulate((sizes + residuals)[::-1])[::-1][first : first + len(levels)]
    spread = rest if by_modulus else (rest - ritz.values.min()) / 2
    # By how much Lanczos polynomials grow in a step, and in how many steps by enough.
    growth = np.arccosh(1 + np.maximum((levels - rest) / np.maximum(spread, 1e-300), 1e-300))
    steps = EXPECTED_GROWTH / np.maximum(growth, 1e-9)
    # Vectors in float32 cost a product each, to work out their residuals.
    best = int(np.argmin(steps + (np.arange(len(steps)) if is_single else 0)))
    return _Top(first + best, level, levels[best])


def _certified(ritz: Ritz, count: int, top: _Top, tolerance: float) -> _Top | None:
    """What a probe has to show once the residuals are certain; None if the values are not exact."""
    squares = ritz.residuals**2
    first = int(np.count_nonzero(ritz.sizes > top.bar))
    under = top.bar - ritz.sizes[first:]
    if first < count or not (under > 0).all():
        return None
    if squares[:first].sum() > tolerance * (ritz.sizes[first - 1] - top.bar):
        return None
    return top._replace(level=top.bar - float((squares[first:] / under).sum()))


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
