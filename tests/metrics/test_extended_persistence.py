"""Neural persistence beside spanning forests of networkx on the written-out weights."""

from math import sqrt

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from networks import Network, Residual, bipartite_matrices, sparsify
from pairs import bipartite_graph, pairs, unrolled
from torch import nn

from metrics.extended.persistence import layer_persistence, neural_persistence


def of_edges(nodes, edges, largest) -> float:
    """Persistence of a graph, each edge (one, other, weight); what is left joins at zero."""
    graph = networkx.Graph()
    graph.add_nodes_from(nodes)
    graph.add_weighted_edges_from(edges)
    forest = networkx.maximum_spanning_edges(graph, data=True)
    points = [1 - edge["weight"] / largest for _, _, edge in forest]
    points += [1.0] * (len(nodes) - 1 - len(points))
    return float(np.linalg.norm(points)) / sqrt(len(nodes) - 1)


@settings(max_examples=50)
@given(bipartite_matrices())
def test_a_weight_matrix(matrix):
    """As the paper has it: every weight is an edge, also one of zero."""
    found = neural_persistence(bipartite_graph(matrix))
    if not matrix.any():
        assert set(found.values()) == {None}
        return
    weights = np.abs(matrix.astype(float))
    left, right = matrix.shape
    edges = [(i, left + j, weights[i, j]) for i in range(left) for j in range(right)]
    expected = of_edges(range(left + right), edges, weights.max())
    assert found["neural_persistence"] == pytest.approx(expected, abs=1e-12)
    assert found["neural_persistence_whole"] == pytest.approx(expected, abs=1e-12)


def edges_of(blocks) -> list[tuple]:
    return [
        edge
        for block in blocks
        for chunk in block.edges(1 << 20)
        for edge in zip(*(column.tolist() for column in chunk), strict=True)
    ]


def nodes_of(blocks) -> list[int]:
    runs = [(side.offset, side.stop) for block in blocks for side in (block.source, block.target)]
    return sorted({node for run in runs for node in range(*run)})


@settings(max_examples=25)
@given(pairs(max_nodes=150))
def test_layers_and_the_whole(pair):
    graph = pair.graph
    edges = edges_of(graph.blocks)
    found = neural_persistence(graph)
    # Also of a weight that reads nothing but padding, and so is no edge.
    largest = max((float(block.weight.max(initial=0)) for block in graph.blocks), default=0.0)
    if not largest:
        assert set(found.values()) == {None}
        return
    whole = of_edges(range(graph.num_nodes), edges, largest)
    assert found["neural_persistence_whole"] == pytest.approx(whole, abs=1e-12)
    expected = [
        (block.name, of_edges(nodes_of([block]), edges_of([block]), largest))
        for block in graph.blocks
    ]
    layers = layer_persistence(graph)
    assert [name for name, _ in layers] == [name for name, _ in expected]
    values = [value for _, value in layers]
    assert values == pytest.approx([value for _, value in expected], abs=1e-12)
    assert found["neural_persistence"] == pytest.approx(np.mean(values))


def test_identity_shortcuts_are_no_layers():
    body = nn.Sequential(*(nn.Conv2d(2, 2, 3, padding=1, bias=False) for _ in range(2)))
    module = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), Residual(body, nn.Identity()))
    sparsify(module, 0, [0.5])
    network = Network(module, (1, 4, 4))
    plain, joined = (unrolled(network, wiring).graph for wiring in ("exact", "identity"))
    assert joined.num_edges > plain.num_edges
    assert layer_persistence(plain) == layer_persistence(joined)


def test_by_hand():
    """Edges 1, 0.5 and 0.25 make a tree of four nodes; a fifth node joins at zero."""
    matrix = np.array([[2.0, 1.0], [0.0, 0.5], [0.0, 0.0]], np.float32)
    expected = sqrt((0.5**2 + 0.75**2 + 1) / 4)
    graph = bipartite_graph(matrix)
    assert neural_persistence(graph)["neural_persistence"] == pytest.approx(expected)
    ((_, value),) = layer_persistence(graph, largest=4.0)
    assert value == pytest.approx(sqrt((0.5**2 + 0.75**2 + 0.875**2 + 1) / 4))
