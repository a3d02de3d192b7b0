"""The bipartite encodings against their definitions, kernel by kernel."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from networks import networks, sparsify
from torch import nn

import models
from graph_encoding import UnsupportedNetwork, encode


def edges_of(graph) -> dict[tuple[int, int], float]:
    edges = {}
    for chunk in graph.edges():
        for source, target, weight in zip(*(part.tolist() for part in chunk), strict=True):
            assert (source, target) not in edges
            edges[source, target] = weight
    return edges


def kernels(layer) -> dict[tuple[int, int], np.ndarray]:
    """Kernel (float64, taps_y x taps_x) by output and input channel."""
    weight = layer.weight.detach().numpy().astype(np.float64)
    weight = weight.reshape(*weight.shape[:2], *(weight.shape[2:] or (1, 1)))
    return {(o, i): weight[o, i] for o in range(len(weight)) for i in range(weight.shape[1])}


@settings(max_examples=40)
@given(networks())
def test_rolled_has_a_left_node_for_every_input_channel_and_kernel_position(network):
    layers = models.prunable(network.module)
    graphs = encode(network.module, "rolled")
    assert [graph.layer_name for graph in graphs] == list(layers)
    for graph, layer in zip(graphs, layers.values(), strict=True):
        out, inp, *taps = layer.weight.shape
        left = inp * math.prod(taps)
        assert [node_layer.size for node_layer in graph.layers] == [left, out]
        expected = {
            ((i * kernel.shape[0] + y) * kernel.shape[1] + x, left + o): abs(kernel[y, x])
            for (o, i), kernel in kernels(layer).items()
            for y, x in np.argwhere(kernel)
        }
        assert edges_of(graph) == expected
        assert graph.num_edges == graph.kept_weights == len(expected)
        assert graph.total_weights == layer.weight.numel()
        assert graph.layer_density == len(expected) / layer.weight.numel()


@settings(max_examples=40)
@given(networks())
def test_rolled_channel_joins_channels_with_the_norm_of_their_kernel(network):
    layers = models.prunable(network.module)
    graphs = encode(network.module, "rolled-channel")
    assert [graph.layer_name for graph in graphs] == list(layers)
    for graph, layer in zip(graphs, layers.values(), strict=True):
        out, inp = layer.weight.shape[:2]
        assert [node_layer.size for node_layer in graph.layers] == [inp, out]
        expected = {
            (i, inp + o): math.sqrt((kernel**2).sum())
            for (o, i), kernel in kernels(layer).items()
            if kernel.any()
        }
        assert edges_of(graph) == pytest.approx(expected, rel=1e-6)
        assert graph.num_edges == len(expected)
        assert graph.kept_weights == int((layer.weight != 0).sum())
        assert graph.total_weights == layer.weight.numel()


@pytest.mark.parametrize("encoding", ["rolled", "rolled-channel"])
@pytest.mark.parametrize("name", list(models.MODELS))
def test_one_graph_a_layer_of_the_papers_networks(name, encoding):
    model = models.build(name, 10)
    sparsify(model, seed=1, densities=[0.02])
    graphs = encode(model, encoding)
    layers = models.prunable(model)
    assert [graph.layer_name for graph in graphs] == list(layers)
    assert sum(graph.kept_weights for graph in graphs) == sum(
        int((layer.weight != 0).sum()) for layer in layers.values()
    )
    for graph, layer in zip(graphs, layers.values(), strict=True):
        matrix = graph.to_scipy()
        assert matrix.shape == (graph.num_nodes, graph.num_nodes)
        assert matrix.nnz == graph.num_edges
        left = graph.layers[1].offset
        assert graph.num_nodes - left == len(layer.weight)
        # Every edge goes from the left to the right.
        assert matrix[:left, left:].nnz == matrix.nnz


@pytest.mark.parametrize("encoding", ["rolled", "rolled-channel"])
def test_a_kernel_too_small_to_square_is_still_an_edge(encoding):
    layer = nn.Conv2d(1, 1, 3)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 1, 1] = -1e-30
    (graph,) = encode(nn.Sequential(layer), encoding)
    assert graph.num_edges == 1
    assert list(edges_of(graph).values()) == pytest.approx([1e-30], rel=1e-6)


def test_a_norm_that_single_precision_cannot_hold_is_told_from_nan():
    """Of finite weights: the largest float32 is 3.4e38, and this norm is 3 times 3e38."""
    layer = nn.Conv2d(1, 1, 3)
    nn.init.constant_(layer.weight, 3e38)
    with pytest.raises(UnsupportedNetwork, match=r"layer 0: the norm of a kernel exceeds 3\.40e"):
        encode(nn.Sequential(layer), "rolled-channel")
    assert (
        encode(nn.Sequential(layer), "rolled")[0].blocks[0].weight.tolist()
        == [float(np.float32(3e38))] * 9
    )
    nn.init.constant_(layer.weight, 1e38)
    (graph,) = encode(nn.Sequential(layer), "rolled-channel")
    assert graph.blocks[0].weight[0] == pytest.approx(3e38, rel=1e-6)
    with torch.no_grad():
        layer.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(UnsupportedNetwork, match="found NaN or infinity"):
        encode(nn.Sequential(layer), "rolled-channel")


def test_edges_that_add_up_to_more_than_single_precision_are_refused():
    """A channel that is read twice: one edge, of the sum of both weights."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(8, 1, bias=False)

        def forward(self, x):
            return self.last(torch.cat([x, x], dim=1))

    model = Twice()
    nn.init.constant_(model.last.weight, 1e38)
    (graph,) = encode(model, input_shape=(4,))
    assert graph.blocks[0].weight.tolist() == pytest.approx([2e38] * 4, rel=1e-6)
    nn.init.constant_(model.last.weight, 2e38)
    with pytest.raises(UnsupportedNetwork, match=r"last.*add up to more than"):
        encode(model, input_shape=(4,))
