"""The multipartite graph, block by block, against the same graph written out by loops."""

import flow
import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from networks import Residual, networks, sparsify
from pairs import unrolled
from reference import explicit_graph
from torch import nn

import models
from graph_encoding import Graph, encode


def written_out(graph: Graph, chunk_size: int = 1 << 20) -> np.ndarray:
    """Edges as a sorted array of (source, target, weight)."""
    chunks = [np.stack(chunk, axis=1) for chunk in graph.edges(chunk_size)]
    edges = np.concatenate([np.zeros((0, 3)), *chunks])
    return edges[np.lexsort(edges.T[::-1])]


def expected_edges(matrix) -> np.ndarray:
    coo = matrix.tocoo()
    edges = np.stack([coo.row, coo.col, coo.data], axis=1).astype(np.float64)
    return edges[np.lexsort(edges.T[::-1])]


@settings(max_examples=120)
@given(networks())
def test_edges_and_layers_are_those_of_the_written_out_graph(network):
    graph, explicit = unrolled(network)
    assert [layer.offset for layer in graph.layers] == explicit.offsets[:-1]
    assert graph.num_nodes == explicit.num_nodes
    assert graph.num_edges == explicit.matrix.nnz
    # Weights are float32 on both sides: equal to the last bit.
    assert np.array_equal(written_out(graph), expected_edges(explicit.matrix))
    assert graph.layer_name is None


@settings(max_examples=30)
@given(networks())
def test_weights_behind_the_edges(network):
    graph, _ = unrolled(network)
    weights = [layer.weight for layer in models.prunable(network.module).values()]
    assert graph.kept_weights == sum(int((w != 0).sum()) for w in weights)
    assert graph.total_weights == sum(w.numel() for w in weights)


@settings(max_examples=15)
@given(networks(max_nodes=300))
def test_interop_and_chunks_hold_the_same_edges(network):
    graph, explicit = unrolled(network)
    expected = expected_edges(explicit.matrix)
    assert np.array_equal(written_out(graph, chunk_size=7), expected)
    matrix = graph.to_scipy()
    assert matrix.dtype == np.float32
    assert np.array_equal(expected_edges(matrix), expected)
    in_networkx = graph.to_networkx()
    assert isinstance(in_networkx, networkx.DiGraph)
    assert sorted(in_networkx.nodes) == list(range(explicit.num_nodes))
    assert sorted(in_networkx.edges(data="weight")) == [tuple(edge) for edge in expected]
    in_igraph = graph.to_igraph()
    assert in_igraph.is_directed()
    assert in_igraph.vcount() == explicit.num_nodes
    edges = zip(in_igraph.get_edgelist(), in_igraph.es["weight"], strict=True)
    assert sorted((*ends, weight) for ends, weight in edges) == [tuple(edge) for edge in expected]


def test_node_ids_and_chunk_dtypes():
    layer = nn.Conv2d(2, 2, 1)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[1, 0, 0, 0] = -0.5
    (graph,) = encode(nn.Sequential(layer), "unrolled", (2, 3, 4))
    ((source, target, weight),) = graph.edges()
    assert (source.dtype, target.dtype, weight.dtype) == (np.int64, np.int64, np.float32)
    # Channel 0 of the input to channel 1 of the output, position by position; weight |w|.
    assert sorted(source) == list(range(12))
    assert all(target - source == 2 * 12 + 12)
    assert set(weight) == {0.5}
    assert [(n.channels, n.height, n.width) for n in graph.layers] == [(2, 3, 4), (2, 3, 4)]


@pytest.mark.parametrize(
    ("name", "classes", "nodes"),
    [
        ("Resnet-20", 10, 191_894),
        ("Resnet-32", 10, 306_582),
        ("Wide-Resnet-28-2", 10, 478_614),
        ("CONV-6", 10, 233_366),
        ("CONV-6", 100, 233_456),
        ("CONV-6", 200, 233_556),
    ],
)
def test_node_counts_of_the_papers_networks(name, classes, nodes):
    (graph,) = encode(models.build(name, classes))
    assert graph.num_nodes == nodes
    assert graph.layers[0].size == 3 * 34 * 34
    assert graph.layers[-1].size == classes


@pytest.mark.parametrize("name", ["Resnet-20", "Wide-Resnet-28-2"])
def test_a_papers_network_is_the_written_out_graph(name):
    model = models.build(name, 10)
    sparsify(model, seed=3, densities=[0.004, 0.01, 0.001])
    (graph,) = encode(model, "unrolled", (3, 12, 12))  # loops write it out: images are small
    explicit = explicit_graph(model, (3, 12, 12))
    assert [layer.offset for layer in graph.layers] == explicit.offsets[:-1]
    assert abs(graph.to_scipy().astype(np.float64) - explicit.matrix).max() == 0


@pytest.mark.parametrize("name", list(models.MODELS))
def test_linear_flow_in_both_directions(name):
    model = models.build(name, 10)
    sparsify(model, seed=5, densities=[0.05, 0.1, 0.02])
    (graph,) = encode(model, "unrolled", (3, 32, 32), "identity")
    assert flow.largest_difference(model, graph, (3, 32, 32)) < 1e-10


@pytest.mark.parametrize("name", list(models.MODELS))
def test_identity_shortcuts_are_all_that_their_wiring_adds(name):
    model = models.build(name, 10)
    sparsify(model, seed=5, densities=[0.01])
    exact, identity = (encode(model, wiring=wiring)[0] for wiring in ("exact", "identity"))
    assert exact.layers == identity.layers
    shortcuts = [block for block in identity.blocks if block.name.endswith("shortcut")]
    assert all((block.weight == 1).all() for block in shortcuts)
    assert all(block.kept_weights == block.total_weights == 0 for block in shortcuts)
    rest = [block for block in identity.blocks if block not in shortcuts]
    assert len(exact.blocks) == len(rest)
    for one, other in zip(exact.blocks, rest, strict=True):
        assert (one.name, one.source, one.target) == (other.name, other.source, other.target)
        assert np.array_equal(one.weight, other.weight)
    expected = {"Resnet-20": 7, "Resnet-32": 13, "Wide-Resnet-28-2": 9, "MobileNetV2": 10}
    assert len(shortcuts) == expected.get(name, 0)


def test_a_fully_disconnected_network_keeps_its_nodes():
    model = models.build("Resnet-20", 10)
    sparsify(model, seed=0, densities=[0.0])
    (graph,) = encode(model)
    assert (graph.num_nodes, graph.num_edges) == (191_894, 0)
    assert list(graph.edges()) == []


def test_identity_shortcuts_add_no_edges():
    body = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1))
    first = nn.Conv2d(1, 2, 1)
    (with_shortcut,) = encode(
        nn.Sequential(first, Residual(body, nn.Identity())), "unrolled", (1, 4, 4)
    )
    (without,) = encode(nn.Sequential(first, body), "unrolled", (1, 4, 4))
    assert np.array_equal(written_out(with_shortcut), written_out(without))


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.ConvTranspose2d(2, 1, 2)), "of 2 channels reads 1"),
        (nn.Sequential(nn.Conv2d(1, 1, 9)), "[Kk]ernel size"),
        (nn.Sequential(nn.Linear(5, 2)), "of 5 features reads 4"),
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(2, 1, 0, 2)), "holes"),
    ],
)
def test_what_has_no_multipartite_graph_is_named(module, named):
    with pytest.raises(ValueError, match=named):
        encode(module, "unrolled", (1, 4, 4))


def test_a_layer_beside_another_is_one_edge_with_the_sum_of_their_weights():
    class Parallel(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(2, 2, 3, padding=1)
            self.shortcut = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return self.body(x) + self.shortcut(x)

    parallel = Parallel()
    model = nn.Sequential(nn.Conv2d(1, 2, 1), parallel)
    sparsify(model, seed=0, densities=[0.7])
    (graph,) = encode(model, "unrolled", (1, 4, 4))
    # One convolution with the sum of the absolute kernels has the same edges.
    with torch.no_grad():
        parallel.body.weight.abs_()[:, :, 1, 1] += parallel.shortcut.weight[:, :, 0, 0].abs()
    (summed,) = encode(nn.Sequential(model[0], parallel.body), "unrolled", (1, 4, 4))
    found, expected = written_out(graph), written_out(summed)
    assert np.array_equal(found[:, :2], expected[:, :2])
    assert np.allclose(found[:, 2], expected[:, 2], rtol=1e-6)
    assert graph.blocks[1].name == "1.body + 1.shortcut"
    assert graph.blocks[1].total_weights == 36 + 4


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("encoding", ["unrolled", "rolled", "rolled-channel"])
def test_weights_that_are_not_finite_are_refused(bad, encoding):
    module = nn.Sequential(nn.Conv2d(1, 2, 3))
    with torch.no_grad():
        module[0].weight[1, 0, 2, 2] = bad
    with pytest.raises(ValueError, match="layer 0"):
        encode(module, encoding, (1, 4, 4))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="rolled-channel"):
        encode(nn.Sequential(nn.Conv2d(1, 1, 1)), "unroled")
    with pytest.raises(ValueError, match="published"):
        encode(nn.Sequential(nn.Conv2d(1, 1, 1)), "unrolled", (1, 4, 4), "as released")
