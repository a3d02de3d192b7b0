"""Lanczos iterations against dense eigenvalue solvers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import lanczos
from metrics.lanczos import extreme_eigenvalues


def with_eigenvalues(values, seed=0):
    """A symmetric matrix with the given eigenvalues."""
    generator = np.random.default_rng(seed)
    vectors, _ = np.linalg.qr(generator.standard_normal((len(values),) * 2))
    return (vectors * values) @ vectors.T


def largest(matrix, count, by_modulus):
    values = np.linalg.eigvalsh(matrix)
    return values[np.argsort(-np.abs(values) if by_modulus else -values, kind="stable")][:count]


@settings(max_examples=60)
@given(
    st.integers(1, 150), st.integers(1, 4), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1)
)
def test_random_matrices(size, count, by_modulus, is_small_basis, seed):
    generator = np.random.default_rng(seed)
    matrix = generator.standard_normal((size, size))
    matrix += matrix.T
    count = min(count, size)
    with pytest.MonkeyPatch.context() as patch:
        if is_small_basis:  # restarts
            patch.setattr(lanczos, "BASIS_SIZES", (12, 12))
        found = extreme_eigenvalues(matrix.__matmul__, np.ones(size), count, by_modulus)
    expected = largest(matrix, count, by_modulus)
    if by_modulus:
        found, expected = np.abs(found), np.abs(expected)
    np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(matrix).max())


def test_pairs_of_opposite_sign():
    """What ARPACK's LM stalls on: the wanted and the next modulus nearly agree."""
    values = np.concatenate([np.linspace(-0.8, 0.8, 390), [0.95, -0.95 + 1e-12, 1.0, -0.999, 0.9]])
    matrix = with_eigenvalues(values)
    found = extreme_eigenvalues(matrix.__matmul__, np.ones(len(values)), 3, by_modulus=True)
    assert np.abs(found) == pytest.approx([1.0, 0.999, 0.95], rel=1e-9)


def test_close_eigenvalues():
    """Values are exact long before the vectors are told apart."""
    values = 1 - np.concatenate([np.arange(5) * 1e-4, 0.01 + np.arange(600) / 600])
    found = extreme_eigenvalues(with_eigenvalues(values).__matmul__, np.ones(605), 3)
    assert found == pytest.approx([1, 1 - 1e-4, 1 - 2e-4], abs=1e-9)


def test_what_the_start_does_not_reach_is_found():
    """Two blocks: a start on one of them finds the eigenvalues of the other."""
    matrix = np.zeros((60, 60))
    matrix[:30, :30] = with_eigenvalues(np.arange(30.0))
    matrix[30:, 30:] = with_eigenvalues(100 + np.arange(30.0))
    start = np.concatenate([np.ones(30), np.zeros(30)])
    assert extreme_eigenvalues(matrix.__matmul__, start, 2) == pytest.approx([129, 128])


def test_a_small_invariant_subspace_is_filled_with_zeros():
    one = np.ones((40, 40))
    assert extreme_eigenvalues(one.__matmul__, np.ones(40), 3) == pytest.approx([40, 0, 0])
