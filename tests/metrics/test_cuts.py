"""Bridges, articulation points and components against igraph."""

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import networks, sparsify
from pairs import bipartite, pairs, unrolled
from torch import nn, no_grad

from graph_encoding import encode
from metrics.cuts import global_connectivity


def equals_oracle(pair) -> bool:
    return global_connectivity(pair.graph) == oracle.global_connectivity(pair.explicit)


@settings(max_examples=25)
@given(pairs())
def test_global_connectivity(pair):
    assert equals_oracle(pair)


@settings(max_examples=25)
@given(networks(), st.floats(0.02, 0.3), st.integers(0, 2**32 - 1))
def test_global_connectivity_of_very_sparse_networks(network, density, seed):
    """Few edges, many bridges."""
    sparsify(network.module, seed, [density])
    assert equals_oracle(unrolled(network))


@settings(max_examples=25)
@given(st.integers(2, 60), st.integers(2, 60), st.floats(0.5, 4), st.integers(0, 2**32 - 1))
def test_global_connectivity_of_random_bipartite_graphs(left, right, mean_degree, seed):
    rng = np.random.default_rng(seed)
    kept = rng.random((left, right)) < mean_degree / max(left, right)
    assert equals_oracle(bipartite(kept.astype(np.float32)))


@pytest.mark.parametrize(
    ("edges", "bridges", "cut_nodes", "components"),
    [
        ([(0, 0), (0, 1), (1, 0), (1, 1)], 0, 0, 1),  # a cycle
        ([(0, 0), (0, 1), (1, 1)], 3, 2, 1),  # a path
        ([(0, 0), (1, 1)], 2, 0, 2),  # two edges
        ([], 0, 0, 4),
    ],
)
def test_by_hand(edges, bridges, cut_nodes, components):
    matrix = np.zeros((2, 2), np.float32)
    for left, right in edges:
        matrix[left, right] = 1
    assert global_connectivity(bipartite(matrix).graph) == {
        "cut-edges": bridges,
        "cut-nodes": cut_nodes,
        "connected_components": components,
        "avg_connected_components": 4 / components,
    }


def test_a_long_path_does_not_recurse():
    size = 20_000
    # Output t reads the inputs t and t + 1.
    layer = nn.Conv2d(1, 1, (1, 2))
    with no_grad():
        layer.weight.fill_(1)
    (graph,) = encode(nn.Sequential(layer), "unrolled", (1, 1, size))
    nodes = 2 * size - 1
    assert global_connectivity(graph) == {
        "cut-edges": nodes - 1,
        "cut-nodes": nodes - 2,
        "connected_components": 1,
        "avg_connected_components": nodes,
    }
