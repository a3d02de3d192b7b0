"""What the code of Hoang et al. computes: by networkx, by hand, and in rows of their own CSVs."""

import math

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from networks import bipartite_matrices
from pairs import bipartite_graph
from ramanujan_by_definition import (
    bipartite_networkx,
    mean_degrees,
    moduli,
    of_left_degree,
    without_isolated,
)

import ramanujan
from ramanujan.narc import random_coefficient


def by_definition(matrix):
    """The authors' steps, on networkx graphs."""
    graph = bipartite_networkx(matrix)
    found = dict.fromkeys(("imdb_raw", "narc", "delta_s"))
    gaps = []
    for degree in range(1, matrix.shape[1] + 1):
        if sum(d == degree for n, d in graph.degree if n[0] == "left") < 3:
            continue
        part = of_left_degree(graph, degree)
        if min(mean_degrees(part)) >= 3:
            bound = sum(math.sqrt(d - 1) for d in mean_degrees(part))
            gaps.append(bound - moduli(part, None)[2])
    if gaps:
        found["imdb_raw"] = sum(gaps) / len(gaps)
    joined = without_isolated(graph)
    if len(joined) and min(mean_degrees(joined)) >= 3:
        first, _, mu, *_ = moduli(joined, None)
        left, right = (sum(n[0] == side for n in joined) for side in ("left", "right"))
        allowed = (mu**2 / 4 + 1) * math.sqrt(left * right)
        there = joined.to_directed().number_of_edges()
        expected = mean_degrees(joined)[0] / matrix.shape[1] * left * right
        found["narc"] = (allowed - abs(there - expected)) / matrix.size
        found["delta_s"] = 2 * math.sqrt(first - 1) - mu
    return found


@settings(max_examples=50)
@given(bipartite_matrices(max_side=25))
def test_original_metrics_are_as_their_authors_compute_them(matrix):
    values = ramanujan.ramanujan_metrics(bipartite_graph(matrix))
    for column, expected in by_definition(matrix).items():
        assert values[column] == (expected and pytest.approx(expected, rel=1e-9, abs=1e-9)), column


def test_fano_plane():
    """Every two points share one line: eigenvalues 3 and sqrt(2), degree 3, seven a side."""
    fano = scipy.linalg.circulant([1, 1, 0, 1, 0, 0, 0]).astype(np.float32)
    values = ramanujan.ramanujan_metrics(bipartite_graph(2 * fano))
    assert values["imdb_raw"] == pytest.approx(math.sqrt(2), rel=1e-12)
    assert values["delta_s"] == pytest.approx(math.sqrt(2), rel=1e-12)
    assert values["narc"] == pytest.approx((1.5 * 7 - (42 - 21)) / 49, rel=1e-12)


def test_a_dense_layer_reaches_its_whole_bound():
    """Left nodes of degree 4 in one part and of degree 5 in another, both complete: mu is 0."""
    matrix = np.zeros((11, 9), np.float32)
    matrix[:8, :4] = matrix[8:, 4:] = 1
    expected = (math.sqrt(3) + math.sqrt(7) + math.sqrt(4) + math.sqrt(2)) / 2
    values = ramanujan.ramanujan_metrics(bipartite_graph(matrix))
    assert values["imdb_raw"] == pytest.approx(expected, rel=1e-12)


# ResNet-34 for CIFAR-10, ERK, seed 1: csv_metric/density_{0.01,0.05}/cifar10/resnet34 of
# VITA-Group/ramanujan-on-pai; columns sparsity (a density), t2m, random_factor.
@pytest.mark.parametrize(
    "shape, density, mu, expected",
    [
        ((147, 64), 0.1053358843537415, 5.98838996887207, -0.002596368547528982),
        ((576, 64), 0.23103841145833334, 13.141685485839844, -0.0009552107658237219),
        ((576, 64), 0.23722330729166666, 13.495095252990723, 0.005117310211062431),
        ((64, 128), 1.0, 2.410347121895029e-07, -0.9889514446258545),
    ],
)
def test_narc_of_their_own_rows(shape, density, mu, expected):
    edges = round(density * math.prod(shape))
    assert random_coefficient(mu, edges, shape, shape) == pytest.approx(expected, abs=2e-6)
