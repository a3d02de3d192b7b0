"""Effective weights, against networkx on the written-out graphs, and by hand."""

import copy

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import mixed_networks, networks, networks_along, numbered
from reference import CONVOLUTIONS, explicit_graph
from torch import nn

import models
import pruning
from graph_encoding import WITH_SHORTCUTS
from pruning.weights import prunable_weights


def on_paths(explicit, inputs):
    """The edges, as (start, end, weight), on a path from one of the inputs to the last layer."""
    plain = networkx.from_scipy_sparse_array(explicit.matrix, create_using=networkx.DiGraph)
    sides = []
    outputs = range(*explicit.offsets[-2:])
    for graph, start in ((plain, inputs), (plain.reverse(), outputs)):
        found = set()
        for layer in networkx.bfs_layers(graph, start):
            found |= set(layer)
        sides.append(found)
    edges = plain.edges(data="weight")
    return {edge for edge in edges if edge[0] in sides[0] and edge[1] in sides[1]}


def inner(module, shape):
    """Nodes of the first layer that are no padding."""
    first = next(m for m in module.modules() if isinstance(m, CONVOLUTIONS))
    channels, *sizes = shape
    axes = [*zip(sizes, first.padding, strict=True)]
    outer = channels, *(size + 2 * before for size, before in axes)
    maps = np.arange(np.prod(outer)).reshape(outer)
    inside = (slice(before, before + size) for size, before in axes)
    return maps[(slice(None), *inside)].ravel().tolist()


def without_the_rest(module, shape):
    twin = copy.deepcopy(module)
    pruning.apply_masks(twin, pruning.effective_masks(module, shape))
    return twin


@settings(max_examples=30)
@given(networks(max_nodes=300))
def test_a_weight_is_effective_if_an_edge_of_it_is(network):
    network = numbered(network)
    module, shape = network.module, network.input_shape
    explicit = explicit_graph(module, shape, WITH_SHORTCUTS)
    expected = {weight for *_, weight in on_paths(explicit, inner(module, shape))}
    masks = pruning.effective_masks(module, shape)
    weights = dict(module.named_parameters())
    found = {w for name, mask in masks.items() for w in weights[name][mask].tolist()}
    assert found == expected - {1.0}  # of identity shortcuts


@settings(max_examples=20)
@given(st.one_of(mixed_networks(), *map(networks_along, (1, 2, 3))))
def test_what_is_removed_lies_on_no_path_and_what_is_left_does(network):
    module, shape = network.module, network.input_shape
    twin = without_the_rest(module, shape)
    inputs = inner(module, shape)
    before, after = (explicit_graph(m, shape, WITH_SHORTCUTS) for m in (module, twin))
    assert on_paths(before, inputs) == on_paths(after, inputs)
    left = [
        (weight, place)
        for weight in prunable_weights(twin).values()
        for place in weight.nonzero().tolist()
    ]
    draw = np.random.default_rng(len(left))
    for number in draw.permutation(len(left))[:6]:
        weight, place = left[number]
        value = weight.data[tuple(place)].clone()
        weight.data[tuple(place)] = 0
        without = explicit_graph(twin, shape, WITH_SHORTCUTS)
        assert on_paths(without, inputs) != on_paths(after, inputs)
        weight.data[tuple(place)] = value


def test_the_network_is_left_as_it_is_and_all_of_a_dense_one_is_effective():
    model = models.build("Resnet-20", 10)
    before = copy.deepcopy(model.state_dict())
    masks = pruning.effective_masks(model, (3, 32, 32))
    assert all(bool(mask.all()) for mask in masks.values())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(parameter.grad is not None for parameter in model.parameters())


class Maxima(nn.Module):
    """The larger of two layers, then the largest position."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1)
        self.last = nn.Linear(2, 1)

    def forward(self, x):
        return self.last(torch.maximum(self.one(x), self.other(x)).amax((2, 3)))


def test_all_that_a_maximum_compares_counts():
    model = Maxima()
    model.one.weight.data[1] = 0
    model.last.weight.data[0, 0] = 0
    masks = pruning.effective_masks(model, (1, 2, 2))
    found = {name: mask.flatten().tolist() for name, mask in masks.items()}
    assert found == {
        "one.weight": [False, False],
        "other.weight": [False, True],
        "last.weight": [False, True],
    }


def test_a_cut_network_has_none():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    nn.init.zeros_(model[1].weight)
    masks = pruning.effective_masks(model, (3,))
    assert not any(bool(mask.any()) for mask in masks.values())


def test_what_has_no_fixed_paths_is_refused_in_one_line():
    model = nn.TransformerEncoderLayer(8, 2, batch_first=True)
    with pytest.raises(pruning.PruningError, match="linear") as error:
        pruning.effective_masks(model, (4, 8))
    assert "\n" not in str(error.value)
