"""Ramanujan metrics against their definitions on the written-out adjacency matrix."""

import math

import networkx
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from networks import bipartite_matrices, networks
from pairs import bipartite_graph
from ramanujan_by_definition import (
    bipartite_networkx,
    mean_degrees,
    moduli,
    of_left_degree,
    without_isolated,
)

import ramanujan
from graph_encoding import encode

COLUMNS = (
    *("delta_r", "imdb", "iterative_spectral_gap"),
    *("edges", "nodes", "layer_density", "no_weights", "no_params"),
)


def slack(graph: networkx.Graph) -> float | None:
    """(ub - mu) / ub of a graph without isolated nodes."""
    if len(graph) < 4:
        return None
    left, right = mean_degrees(graph)
    bound = math.sqrt(left - 1) + math.sqrt(right - 1)
    return (bound - moduli(graph, None)[2]) / bound if bound else None


def by_definition(matrix: np.ndarray) -> dict[str, float | None]:
    graph = bipartite_networkx(matrix)
    slacks, gaps = [], []
    for degree in range(3, matrix.shape[1] + 1):
        part = of_left_degree(graph, degree)
        if len(part) and min(mean_degrees(part)) >= 3:
            slacks.append(slack(part))
            weighted = moduli(part, "weight")
            gaps.append(weighted[0] - weighted[2])
    return {
        "delta_r": slack(without_isolated(graph)),
        "imdb": sum(slacks) / len(slacks) if slacks else None,
        "iterative_spectral_gap": sum(gaps) / len(gaps) if gaps else None,
    }


@settings(max_examples=50)
@given(bipartite_matrices(max_side=25))
def test_metrics_are_as_defined(matrix):
    values = ramanujan.ramanujan_metrics(bipartite_graph(matrix))
    for column, expected in by_definition(matrix).items():
        if expected is None:
            assert values[column] is None, column
        else:
            assert values[column] == pytest.approx(expected, rel=1e-9, abs=1e-9), column


@settings(max_examples=10)
@given(networks())
def test_columns_of_every_layer(network):
    for encoding in ("rolled", "rolled-channel"):
        for graph in encode(network.module, encoding):
            values = ramanujan.ramanujan_metrics(graph)
            assert tuple(values) == ramanujan.COLUMNS and set(COLUMNS) <= set(values)
            weight = network.module.get_submodule(graph.layer_name).weight
            kept = int((weight != 0).sum())
            assert values["no_weights"] == kept
            assert values["no_params"] == weight.numel()
            assert values["layer_density"] == kept / weight.numel()
            assert values["nodes"] == sum(layer.size for layer in graph.layers)
            assert values["edges"] == sum(len(source) for source, _, _ in graph.edges())
            for column in ("delta_r", "imdb", "iterative_spectral_gap"):
                assert values[column] is None or type(values[column]) is float


def test_fano_plane():
    """Every two points share one line: eigenvalues 3 and sqrt(2), degree 3 everywhere."""
    fano = scipy.linalg.circulant([1, 1, 0, 1, 0, 0, 0]).astype(np.float32)
    values = ramanujan.ramanujan_metrics(bipartite_graph(2 * fano))
    assert values["delta_r"] == pytest.approx(0.5, rel=1e-12)
    assert values["imdb"] == pytest.approx(0.5, rel=1e-12)
    assert values["iterative_spectral_gap"] == pytest.approx(2 * (3 - math.sqrt(2)), rel=1e-12)


@pytest.mark.parametrize(
    ("matrix", "delta_r"),
    [
        pytest.param(np.zeros((5, 4)), None, id="no edges"),
        pytest.param(np.eye(6), None, id="edges apart: the bound is 0"),
        pytest.param(np.ones((1, 2)), None, id="three nodes"),
        pytest.param(np.pad(np.ones((1, 2)), (0, 9)), None, id="three nodes that have edges"),
        # A single left node: eigenvalues +-sqrt(3) and zeros.
        pytest.param(np.ones((1, 3)), 1.0, id="star"),
        pytest.param(np.ones((3, 1)), 1.0, id="star from the other side"),
        pytest.param(np.ones((50, 70)), 1.0, id="complete"),
    ],
)
def test_extreme_layers(matrix, delta_r):
    values = ramanujan.ramanujan_metrics(bipartite_graph(matrix.astype(np.float32)))
    assert values["delta_r"] == (delta_r and pytest.approx(delta_r, abs=1e-13))
    complete = matrix.all() and min(matrix.shape) >= 3
    assert values["imdb"] == (pytest.approx(1.0, abs=1e-13) if complete else None)
    gap = pytest.approx(math.sqrt(matrix.size), rel=1e-12) if complete else None
    assert values["iterative_spectral_gap"] == gap
