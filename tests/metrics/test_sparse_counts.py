"""Sparse matrices of counts multiply as SciPy's do."""

import numpy as np
import pytest
import scipy.sparse

from metrics.sparse_counts import Counts


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (40, 81)])
def test_counts_multiply_as_a_matrix_does(shape):
    rng = np.random.default_rng(0)
    for density in (0.0, 0.2, 1.0):
        matrix = rng.integers(1, 2**20, shape) * (rng.random(shape) < density)
        row, column = np.nonzero(matrix)
        shuffled = rng.permutation(len(row))
        row, column = row[shuffled], column[shuffled]
        counts = Counts.of(row, column, matrix[row, column].astype(float), shape[0])
        array = rng.integers(0, 2**20, (shape[1], 6)).astype(float)
        expected = scipy.sparse.csr_array(matrix) @ array
        assert np.array_equal(counts.times(array), expected)
        some = rng.permutation(shape[0])[: shape[0] // 2]
        assert np.array_equal(counts.times(array, some), expected[some])
