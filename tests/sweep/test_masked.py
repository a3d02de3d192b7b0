"""The graph of a network under masks is that of the pruned network, however it uses its weights."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import graph_encoding
import models
import pruning
from metrics import walks
from sweep import masked

SHAPE = (3, 8, 8)


class Small(nn.Module):
    """Two convolutions and a linear layer; how the second is used is for its kinds."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=2)
        self.last = nn.Linear(6 * 16, 5)

    def forward(self, x):
        return self.last(self.middle(self.first(x)).flatten(1))

    def middle(self, x):
        return self.second(x)


class Beside(Small):
    """A sum of layers at different depths, which the next layer reads beside each other."""

    def middle(self, x):
        return self.second(x + torch.roll(x, 1, 1))


class Pooled(Small):
    """Windows that overlap, so that an edge stands for several weights."""

    def middle(self, x):
        return self.second(F.max_pool2d(x, 3, 1, 1))


class Twice(Small):
    """A layer that is used twice, its weights doubled once."""

    def middle(self, x):
        again = F.conv2d(x, 2 * self.second.weight, None, 1, 1, groups=2)
        return self.second(again)


class Centred(Small):
    """Weights that are computed from all others: none is zero where a mask is."""

    def middle(self, x):
        weight = self.second.weight
        return F.conv2d(x, weight - weight.mean(), None, 2, 1, groups=2)


def assert_same(found, model, masks):
    """The graph of the model under masks, by encoding it."""
    pruning.apply_masks(model, masks)
    (graph,) = graph_encoding.encode(model, input_shape=SHAPE)
    assert (found.num_nodes, found.num_edges) == (graph.num_nodes, graph.num_edges)
    assert found.kept_weights == graph.kept_weights
    assert found.total_weights == graph.total_weights
    for name in ("in_degree", "out_degree"):
        assert np.array_equal(getattr(found, name), getattr(graph, name))
    assert walks.cost(found) == walks.cost(graph)


@pytest.mark.parametrize("kind", [Small, Beside, Pooled, Twice, Centred])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_cut_is_encoded_under_masks(kind, dtype):
    torch.manual_seed(0)
    model = kind().to(dtype)
    with torch.no_grad():
        model.first.weight[0, :, 1] = 0  # a network that comes pruned
    before = {name: value.clone() for name, value in model.state_dict().items()}
    graph_of = masked.graphs(model, SHAPE)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for sparsity in (0.3, 0.9):
        model.load_state_dict(before)
        masks = pruning.prune("uniform", model, sparsity, input_shape=SHAPE)
        assert_same(graph_of(masks), model, masks)
    model.load_state_dict(before)
    assert_same(graph_of({}), model, {})


@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_the_projects_networks_use_their_weights_as_they_are(name):
    """So the numbers need no proof."""
    model = models.build(name, 4, 3, (32, 32))
    weights = pruning.weights.prunable_weights(model)
    graph, parts = masked._numbered(model, weights, (3, 32, 32), False)
    assert sum(len(part.place) for part in parts) >= graph.total_weights
