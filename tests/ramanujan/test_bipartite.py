"""The matrix of a layer and the parts of it that the metrics look at."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from networks import bipartite_matrices
from pairs import bipartite_graph
from torch import nn

from graph_encoding import encode
from ramanujan import ramanujan_metrics
from ramanujan.bipartite import (
    biadjacency,
    first_and_third_modulus,
    one_degree_subgraphs,
    ramanujan_bound,
)


@settings(max_examples=40)
@given(bipartite_matrices())
def test_biadjacency_holds_absolute_weights(matrix):
    found = biadjacency(bipartite_graph(matrix))
    assert found.dtype == np.float64
    assert np.array_equal(found, np.abs(matrix))


def test_other_graphs_are_refused_in_one_line():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3))
    (graph,) = encode(model, "unrolled", (1, 6, 6))
    for function in (biadjacency, ramanujan_metrics):
        with pytest.raises(ValueError, match=r"^[^\n]*rolled, rolled-channel[^\n]*unrolled[^\n]*$"):
            function(graph)


@settings(max_examples=60)
@given(bipartite_matrices())
def test_moduli_are_those_of_the_symmetric_adjacency_matrix(matrix):
    left, right = matrix.shape
    adjacency = np.zeros((left + right, left + right))
    adjacency[:left, left:] = matrix
    adjacency[left:, :left] = matrix.T
    moduli = np.sort(np.abs(np.linalg.eigvalsh(adjacency)))[::-1]
    expected = (moduli[0], moduli[2] if len(moduli) > 2 else 0)
    assert first_and_third_modulus(matrix) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("second", [1 - 1e-9, 1e-3, 1e-9, 1e-13])
def test_a_small_second_singular_value_keeps_its_digits(second):
    """Squares of singular values would lose it below about 1e-8 of the first."""
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.standard_normal((40, 3)))
    right, _ = np.linalg.qr(rng.standard_normal((30, 3)))
    matrix = left @ np.diag([1, second, 0]) @ right.T
    first, third = first_and_third_modulus(matrix)
    assert first == pytest.approx(1, rel=1e-13)
    assert third == pytest.approx(second, rel=1e-9, abs=1e-15)


@settings(max_examples=60)
@given(bipartite_matrices(max_side=30))
def test_subgraphs_of_one_left_degree(matrix):
    matrix = np.abs(matrix)
    expected = []
    for degree in range(3, matrix.shape[1] + 1):
        rows = [row for row in matrix.tolist() if sum(w != 0 for w in row) == degree]
        columns = [column for column in zip(*rows, strict=True) if any(column)]
        if rows and sum(w != 0 for c in columns for w in c) / len(columns) >= 3:
            expected.append(np.array(columns).T)
    found = list(one_degree_subgraphs(matrix))
    assert len(found) == len(expected)
    for part, other in zip(found, expected, strict=True):
        assert np.array_equal(part, other)


def test_bound_of_a_biregular_graph():
    # Incidence of the Fano plane: 7 points on 7 lines, degree 3 on both sides.
    fano = scipy.linalg.circulant([1, 1, 0, 1, 0, 0, 0])
    assert ramanujan_bound(fano) == pytest.approx(2 * np.sqrt(2), rel=1e-15)
    assert first_and_third_modulus(fano) == pytest.approx((3, np.sqrt(2)), rel=1e-12)
