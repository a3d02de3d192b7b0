"""Local connectivity against counting node by node."""

import numpy as np
import oracle
from hypothesis import given, settings
from pairs import bipartite, pairs

from metrics.degrees import local_connectivity


@settings(max_examples=40)
@given(pairs())
def test_local_connectivity(pair):
    assert local_connectivity(pair.graph) == oracle.local_connectivity(pair.explicit)


@settings(max_examples=25)
@given(pairs())
def test_degrees_and_strengths_of_every_node(pair):
    graph, matrix = pair
    matrix = matrix.matrix
    assert np.array_equal(graph.out_degree, np.diff(matrix.indptr))
    assert np.array_equal(
        graph.in_degree, np.bincount(matrix.indices, minlength=len(matrix.indptr) - 1)
    )
    sums = matrix.sum(axis=0) + matrix.sum(axis=1)
    # Weights that share an edge are added up in single precision.
    np.testing.assert_allclose(graph.node_strength, sums, rtol=1e-6, atol=1e-12)


def test_inputs_are_no_source_nodes_and_outputs_no_sink_nodes():
    # Left 0 feeds right 0; left 1 and right 1 have no edge.
    graph = bipartite(np.array([[1, 0], [0, 0]], np.float32)).graph
    assert local_connectivity(graph) == {
        "sink_nodes": 0,
        "source_nodes": 0,
        "disconnected_nodes": 2,
        "removable_out": 0,
        "removable_in": 0,
    }
