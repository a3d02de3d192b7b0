"""The multipartite graph, block by block, against the same graph written out by loops."""

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


@settings(max_examples=200)
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
    (graph,) = encode(model)
    explicit = explicit_graph(model, (3, 32, 32))
    assert [layer.offset for layer in graph.layers] == explicit.offsets[:-1]
    assert abs(graph.to_scipy().astype(np.float64) - explicit.matrix).max() == 0


class Nothing(nn.Module):
    """In place of an identity shortcut, which adds no edges."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


class SumPool(nn.Module):
    """In place of global average pooling: the sum over all positions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=(2, 3), keepdim=True)


def flow_network(model: nn.Module) -> nn.Module:
    """The network as a linear flow: |w|, sums for pooling, and nothing but edges."""
    replacements = {
        nn.BatchNorm1d: lambda m: nn.Identity(),
        nn.BatchNorm2d: lambda m: nn.Identity(),
        nn.MaxPool2d: lambda m: nn.AvgPool2d(m.kernel_size, divisor_override=1),
        nn.AdaptiveAvgPool2d: lambda m: SumPool(),
    }
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in replacements:
                setattr(parent, name, replacements[type(child)](child))
            elif name == "shortcut" and isinstance(child, nn.Identity):
                setattr(parent, name, Nothing())
        if getattr(parent, "convShortcut", parent) is None:
            parent.convShortcut = Nothing()
    with torch.no_grad():
        for layer in models.prunable(model).values():
            layer.weight.abs_()
    next(iter(models.prunable(model).values())).padding = (0, 0)
    return model.double()


@pytest.mark.parametrize("name", list(models.MODELS))
def test_linear_flow_in_both_directions(name):
    model = models.build(name, 10)
    sparsify(model, seed=5, densities=[0.05, 0.1, 0.02])
    (graph,) = encode(model)
    flow = flow_network(model)
    inputs, outputs = graph.layers[0], graph.layers[-1]
    generator = torch.Generator().manual_seed(0)
    ones = torch.ones(1, inputs.channels, inputs.height, inputs.width, dtype=torch.float64)
    for pushed in (ones, torch.rand(ones.shape, dtype=torch.float64, generator=generator)):
        pushed.requires_grad_()
        out = flow(pushed)
        pulled = torch.rand(out.shape, dtype=torch.float64, generator=generator)
        (back,) = torch.autograd.grad(out, pushed, pulled)

        along = np.zeros(graph.num_nodes)
        along[: inputs.stop] = pushed.detach().numpy().ravel()
        against = np.zeros(graph.num_nodes)
        against[outputs.offset :] = pulled.numpy().ravel()
        # A layer is final once all layers before (or behind) it are.
        for block in graph.product.blocks:
            block.forward(along, along)
        for block in graph.product.blocks[::-1]:
            block.backward(against, against)
        assert along[outputs.offset :] == pytest.approx(out.detach().numpy().ravel(), rel=1e-10)
        assert against[: inputs.stop] == pytest.approx(back.numpy().ravel(), rel=1e-10)
        assert along[outputs.offset :].min() > 0


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
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.ConvTranspose2d(1, 1, 2)), "ConvTranspose2d"),
        (nn.Sequential(nn.Conv2d(1, 1, 9)), "kernel"),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")), "circular"),
        (nn.Sequential(nn.Linear(4, 2)), "0"),
        (
            nn.Sequential(nn.Conv2d(1, 1, 1), nn.MaxPool2d(3, 1), nn.Conv2d(1, 1, 2)),
            "overlapping",
        ),
    ],
)
def test_what_has_no_multipartite_graph_is_named(module, named):
    with pytest.raises(ValueError, match=named):
        encode(module, "unrolled", (1, 4, 4))


def test_a_layer_beside_another_between_the_same_nodes_is_refused():
    class Parallel(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(2, 2, 3, padding=1)
            self.shortcut = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return self.body(x) + self.shortcut(x)

    with pytest.raises(ValueError, match="body: runs beside another layer"):
        encode(nn.Sequential(nn.Conv2d(1, 2, 1), Parallel()), "unrolled", (1, 4, 4))


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
