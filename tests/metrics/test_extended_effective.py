"""What is effective, against networkx on the written-out graphs, weight by weight."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import networks, numbered
from pairs import Pair, bipartite, bipartite_graph, mixed_pairs, pairs, strided_networks, unrolled
from torch import nn

from graph_encoding import encode
from metrics.extended.effective import effective


def on_paths(pair: Pair) -> tuple[set[int], np.ndarray]:
    """Nodes on a path from the first to the last layer, and the weights of the edges on one."""
    plain = networkx.from_scipy_sparse_array(pair.explicit.matrix, create_using=networkx.DiGraph)
    offsets = pair.explicit.offsets
    sides = []
    for graph, start in (
        (plain, range(offsets[1])),
        (plain.reverse(), range(offsets[-2], offsets[-1])),
    ):
        found = set()
        for layer in networkx.bfs_layers(graph, start):
            found |= set(layer)
        sides.append(found)
    reached, reaching = sides
    weights = [w for u, v, w in plain.edges(data="weight") if u in reached and v in reaching]
    return reached & reaching, np.array(weights)


@settings(max_examples=25)
@given(pairs(max_nodes=250) | mixed_pairs())
def test_nodes_and_edges_on_paths(pair):
    nodes, weights = on_paths(pair)
    found = effective(pair.graph)
    assert (found["effective_nodes"], found["effective_edges"]) == (len(nodes), len(weights))


@settings(max_examples=25)
@given(
    st.one_of(
        networks(max_nodes=250).map(numbered).map(unrolled),
        strided_networks().map(numbered).map(lambda network: unrolled(network, "published")),
    )
)
def test_weights_with_an_edge_on_a_path(pair):
    _, weights = on_paths(pair)
    sparsity = effective(pair.graph)["effective_sparsity"]
    assert sparsity == pytest.approx(1 - len(set(weights)) / pair.graph.total_weights, abs=1e-15)


def test_a_bipartite_graph_is_effective_as_a_whole():
    matrix = np.array([[1, 0, 2], [0, 0, 3]], np.float32)
    expected = {"effective_nodes": 4, "effective_edges": 3, "effective_sparsity": 0.5}
    assert effective(bipartite_graph(matrix)) == expected
    assert on_paths(bipartite(matrix))[0] == {0, 1, 2, 4}


def test_one_cut_layer_makes_all_others_ineffective():
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    nn.init.zeros_(network[1].weight)
    (graph,) = encode(network, input_shape=(4,))
    expected = {"effective_nodes": 0, "effective_edges": 0, "effective_sparsity": 1.0}
    assert effective(graph) == expected
