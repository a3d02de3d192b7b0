"""Paths, counted in whole numbers on the written-out graphs, and by torch's forward pass."""

import math
from fractions import Fraction

import networkx
import numpy as np
import pytest
import torch
from flow import torch_flow
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import networks
from pairs import bipartite_graph, mixed_pairs, pairs
from torch import nn

from graph_encoding import WITH_SHORTCUTS, encode
from metrics.extended.paths import paths


def sums(pair, value):
    """Sum over the paths from the first to the last layer of the product of their edges; exact."""
    plain = networkx.from_scipy_sparse_array(pair.explicit.matrix, create_using=networkx.DiGraph)
    offsets = pair.explicit.offsets
    at_node = dict.fromkeys(range(offsets[-1]), 0) | dict.fromkeys(range(offsets[1]), 1)
    for node in networkx.topological_sort(plain):
        for _, other, weight in plain.out_edges(node, data="weight"):
            at_node[other] += at_node[node] * value(weight)
    return sum(at_node[node] for node in range(offsets[-2], offsets[-1]))


def logarithm(number):
    """Of a fraction of any size; None of zero."""
    if number == 0:
        return None
    number = Fraction(number)
    return math.log(number.numerator) - math.log(number.denominator)


@settings(max_examples=25)
@given(pairs(max_nodes=250) | mixed_pairs())
def test_paths_and_their_norm_in_whole_numbers(pair):
    found = paths(pair.graph)
    count, norm = sums(pair, lambda weight: 1), sums(pair, Fraction)
    assert found["log_paths"] == pytest.approx(logarithm(count), abs=1e-12)
    # Weights that share an edge are added up in single precision.
    assert found["log_path_norm"] == pytest.approx(logarithm(norm), abs=1e-6)


@settings(max_examples=15)
@given(networks(max_nodes=250), st.sampled_from(["exact", WITH_SHORTCUTS]))
def test_the_norm_is_what_torch_makes_of_ones(network, wiring):
    module, (channels, height, width) = network.module, network.input_shape
    rows, columns = module[0].padding
    module[0].padding = (0, 0)  # its padding counts among the inputs
    shape = (channels, height + 2 * rows, width + 2 * columns)
    (graph,) = encode(module, input_shape=shape, wiring=wiring)
    if wiring == "exact":
        for block in module.modules():
            if isinstance(getattr(block, "shortcut", None), nn.Identity):
                block.shortcut = Nothing()
    flow, _, _ = torch_flow(module, np.ones(shape), seed=0)
    expected = math.log(flow.sum()) if flow.sum() else None
    assert paths(graph)["log_path_norm"] == pytest.approx(expected, abs=1e-9)


class Nothing(nn.Module):
    """A shortcut that carries nothing."""

    def forward(self, x):
        return 0 * x


def test_more_paths_than_a_float_can_hold():
    layers = [nn.Linear(40, 40, bias=False) for _ in range(200)]
    for layer in layers:
        nn.init.constant_(layer.weight, 2.0**-10)
    (graph,) = encode(nn.Sequential(*layers), input_shape=(40,))
    count = 201 * math.log(40)
    expected = {
        "log_paths": count,
        "log_path_norm": count - 2000 * math.log(2),
        "node_path_balance": math.log(201 * 40) / count,
    }
    assert paths(graph) == pytest.approx(expected, rel=1e-12)


def test_a_dead_end_of_many_paths_does_not_hide_the_others():
    """Where a wide part leads nowhere, its sums are not what the others are scaled by."""
    layers = [nn.Linear(41, 41, bias=False) for _ in range(200)]
    for layer in layers:
        weight = torch.ones(41, 41)
        weight[40] = weight[:, 40] = 0
        weight[40, 40] = 1
        layer.weight.data = weight
    last = nn.Linear(41, 1, bias=False)
    last.weight.data = torch.zeros(1, 41)
    last.weight.data[0, 40] = 0.5
    (graph,) = encode(nn.Sequential(*layers, last), input_shape=(41,))
    found = paths(graph)
    assert found["log_paths"] == 0 and found["node_path_balance"] is None
    assert found["log_path_norm"] == pytest.approx(math.log(0.5))


def test_paths_of_a_layer_are_its_edges():
    graph = bipartite_graph(np.array([[1, 0, 2], [0, 0, 3]], np.float32))
    found = paths(graph)
    assert found["log_paths"] == pytest.approx(math.log(3))
    assert found["log_path_norm"] == pytest.approx(math.log(6))
    assert found["node_path_balance"] == pytest.approx(math.log(4) / math.log(3))
    assert set(paths(bipartite_graph(np.zeros((2, 2), np.float32))).values()) == {None}
