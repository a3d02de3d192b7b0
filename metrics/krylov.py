"""The basis of Lanczos iterations: orthonormal vectors and a matrix projected on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from graph_encoding.compiled import compiled

Product = Callable[[np.ndarray], np.ndarray]

NEGLIGIBLE = {np.float64: 1e-15, np.float32: 1e-7}
"""Part of a vector along another one that is as good as none."""

CHUNK = 2048
"""Numbers of a vector that stay in the cache while several others pass."""


@dataclass
class Space:
    """Orthonormal vectors, and what the matrix makes of the first of them.

    Parameters
    ----------
    basis : numpy.ndarray of float64 or float32, shape (m, n)
        Its first `held` rows; the matrix times any of the first `done` lies in their span.
    projected : numpy.ndarray of float64, shape (m, m)
        Entry (i, j), and (j, i), is vector i times the matrix times vector j, for j below `done`.
    """

    basis: np.ndarray
    projected: np.ndarray
    held: int = 0
    done: int = 0

    @property
    def is_invariant(self) -> bool:
        return self.done == self.held

    @property
    def rounding(self) -> tuple[float, float]:
        """Lengths, relative to the matrix, below which the rest of a product is nothing but
        rounding, and below which it has lost digits."""
        return (1e-12, 1e-4) if self.basis.dtype == np.float64 else (1e-6, 1e-2)


class Ritz(NamedTuple):
    """Approximate eigenpairs, the wanted first; `vectors` are coefficients, by columns."""

    values: np.ndarray
    sizes: np.ndarray  # the values, or their moduli, in falling order
    residuals: np.ndarray
    vectors: np.ndarray


def append(space: Space, vector: np.ndarray) -> None:
    """Add a vector, made orthogonal to the others in place."""
    held = space.basis[: space.held]
    for _ in range(3):
        subtract(vector, components(held, vector), held)
        vector /= norm_of(vector)
    space.basis[space.held] = vector
    space.held += 1


def extend(product: Product, space: Space) -> None:
    """Multiply the first vector that waits for it; what is new of the product waits as well."""
    basis, projected, at = space.basis, space.projected, space.done
    vector = product(basis[at])
    # What is known of the projection first, then, for orthogonality, the whole basis.
    first = np.flatnonzero(projected[:at, at])[:1]
    joined = slice(first[0] if len(first) else at, at)
    diagonal = dot(vector, basis[at])
    coefficients = np.append(projected[joined, at], diagonal)
    known, held = basis[joined.start : at + 1], basis[: space.held]
    *again, square = reduced(vector, coefficients, known, held)
    # What is left along a vector is no more than rounding, most often, and stays.
    squares = np.square(again)
    left = max(square - squares.sum(), 0.0)
    again = np.where(squares > NEGLIGIBLE[basis.dtype.type] ** 2 * left, again, 0.0)
    if again.any():
        (square,) = reduced(vector, again, held, held[:0])
    projected[at, at] = diagonal + again[at]
    projected[at + 1 : space.held, at] = again[at + 1 :]
    projected[at, at + 1 : space.held] = again[at + 1 :]
    space.done += 1
    norm = float(np.sqrt(square))
    nothing, few_digits = np.abs(projected).max() * np.array(space.rounding)
    if space.held == len(vector) or norm <= nothing:
        return
    if norm < few_digits:
        subtract(vector, components(basis[: space.held], vector), basis[: space.held])
        norm = norm_of(vector)
    projected[space.held, at] = projected[at, space.held] = norm
    np.divide(vector, norm, out=basis[space.held])
    space.held += 1


def ritz_pairs(space: Space, by_modulus: bool) -> Ritz:
    """Eigenpairs of the projection, the largest (by modulus if so asked) first."""
    done = space.done
    values, vectors = np.linalg.eigh(space.projected[:done, :done])
    sizes = np.abs(values) if by_modulus else values
    order = np.argsort(-sizes, kind="stable")
    vectors = vectors[:, order]
    residuals = np.linalg.norm(space.projected[done : space.held, :done] @ vectors, axis=0)
    return Ritz(values[order], sizes[order], residuals, vectors)


def restart(space: Space, ritz: Ritz, kept: np.ndarray) -> None:
    """Put some Ritz vectors in the place of the vectors that they combine."""
    basis, projected, done, held = space.basis, space.projected, space.done, space.held
    part = ritz.vectors[:, kept]
    coupling = projected[done:held, :done] @ part
    end = len(kept) + held - done
    rotation = part.T.astype(basis.dtype)
    for columns in column_ranges(basis.shape[1]):
        basis[: len(kept), columns] = rotation @ basis[:done, columns]
        basis[len(kept) : end, columns] = basis[done:held, columns]
    projected[:] = 0.0
    projected[np.arange(len(kept)), np.arange(len(kept))] = ritz.values[kept]
    projected[len(kept) : end, : len(kept)] = coupling
    projected[: len(kept), len(kept) : end] = coupling.T
    space.done, space.held = len(kept), end


def dot(one: np.ndarray, other: np.ndarray) -> float:
    """Scalar product; parts of it are added up in float64 whatever the vectors are."""
    return sum(float(one[columns] @ other[columns]) for columns in column_ranges(len(one)))


def norm_of(vector: np.ndarray) -> float:
    """Euclidean length, in float64."""
    return float(np.sqrt(dot(vector, vector)))


def components(basis: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """The parts of a vector along basis vectors, in float64."""
    total = np.zeros(len(basis))
    for columns in column_ranges(len(vector)):
        total += basis[:, columns] @ vector[columns]
    return total


def subtract(vector: np.ndarray, coefficients: np.ndarray, basis: np.ndarray) -> None:
    """Take a combination of basis vectors away, in place, with the precision of the vector."""
    coefficients = coefficients.astype(vector.dtype)
    for columns in column_ranges(len(vector)):
        vector[columns] -= coefficients @ basis[:, columns]


@compiled(any_order=True)
def reduced(vector, coefficients, basis, others):
    """Take a combination of basis vectors away, in place, and look at what is left.

    All in one pass over the vectors, which are long.

    Parameters
    ----------
    vector : numpy.ndarray, shape (n,)
    coefficients : numpy.ndarray of float64, shape (k,)
    basis : numpy.ndarray, shape (k, n)
    others : numpy.ndarray, shape (m, n)
        All vectors have the same precision.

    Returns
    -------
    numpy.ndarray of float64, shape (m + 1,)
        Scalar products of what is left with the others, and with itself.
    """
    sums, used, count = np.zeros(len(others) + 1), np.empty(len(basis), np.int64), 0
    factors = np.empty(len(basis), vector.dtype)
    for k in range(len(basis)):
        if coefficients[k] != 0.0:
            used[count], factors[count] = k, coefficients[k]
            count += 1
    for start in range(0, len(vector), CHUNK):
        stop = start + CHUNK
        part = vector[start:stop]
        for k in range(0, count - 3, 4):  # the memory serves four streams faster than one
            one, two = basis[used[k], start:stop], basis[used[k + 1], start:stop]
            three, four = basis[used[k + 2], start:stop], basis[used[k + 3], start:stop]
            f, g, h, j = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
            for i in range(len(part)):
                part[i] -= (f * one[i] + g * two[i]) + (h * three[i] + j * four[i])
        for k in range(count // 4 * 4, count):
            one, f = basis[used[k], start:stop], factors[k]
            for i in range(len(part)):
                part[i] -= f * one[i]
        for k in range(0, len(others) - 3, 4):
            one, two = others[k, start:stop], others[k + 1, start:stop]
            three, four = others[k + 2, start:stop], others[k + 3, start:stop]
            a, b, c, d = _four_products(one, two, three, four, part)
            sums[k] += a
            sums[k + 1] += b
            sums[k + 2] += c
            sums[k + 3] += d
        for k in range(len(others) // 4 * 4, len(others)):
            sums[k] += _product(others[k, start:stop], part)
        sums[-1] += _product(part, part)
    return sums


@compiled(any_order=True)
def _product(one, x):
    """Scalar product in float64."""
    total = 0.0
    for i in range(len(x)):
        total += np.float64(one[i]) * np.float64(x[i])
    return total


@compiled(any_order=True)
def _four_products(one, two, three, four, x):
    """Four scalar products in float64."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(len(x)):
        number = np.float64(x[i])
        a += np.float64(one[i]) * number
        b += np.float64(two[i]) * number
        c += np.float64(three[i]) * number
        d += np.float64(four[i]) * number
    return a, b, c, d


def column_ranges(size: int, step: int = 1 << 13) -> list[slice]:
    """Parts of a vector that stay in the cache while several passes read them."""
    return [slice(at, at + step) for at in range(0, size, step)]
