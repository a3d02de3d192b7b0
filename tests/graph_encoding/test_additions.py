"""An operation that is followed costs a decorated handler, an encoding a file and a line."""

import numpy as np
import pytest
import torch
from torch import nn

import graph_encoding
from graph_encoding import Encoding, UnsupportedNetwork, encode
from graph_encoding.rolled import bipartite
from graph_encoding.tracing.operations import registry
from graph_encoding.tracing.operations.elementwise import same


class Net(nn.Module):
    """Two layers with a function between them."""

    def __init__(self, between):
        super().__init__()
        self.first, self.last, self.between = nn.Linear(3, 4), nn.Linear(4, 2), between

    def forward(self, x):
        return self.last(self.between(self.first(x)))


def test_a_handler(monkeypatch):
    model = Net(torch.cosh)
    with pytest.raises(UnsupportedNetwork, match="cosh has no multipartite graph"):
        encode(model, torch.zeros(1, 3))
    monkeypatch.setattr(registry, "HANDLERS", dict(registry.HANDLERS))
    registry.handles("cosh")(same)
    (graph,) = encode(model, torch.zeros(1, 3))
    model.between = nn.Identity()
    (expected,) = encode(model, torch.zeros(1, 3))
    assert (graph.to_scipy() != expected.to_scipy()).nnz == 0


def largest(name, weight):
    """Graph of the largest weight of a layer."""
    size = np.abs(weight)
    return bipartite(name, np.where(size == size.max(), size, 0), weight)


def test_an_encoding(monkeypatch):
    encoding = Encoding(f"{__name__}:largest", bipartite=True)
    monkeypatch.setitem(graph_encoding.ENCODINGS, "largest", encoding)
    model = Net(nn.Identity())
    graphs = encode(model, "largest", wiring="identity")
    assert [(g.encoding, g.wiring, g.layer_name, g.num_edges) for g in graphs] == [
        ("largest", "exact", "first", 1),
        ("largest", "exact", "last", 1),
    ]
    for graph, layer in zip(graphs, (model.first, model.last), strict=True):
        assert graph.to_scipy().max() == layer.weight.abs().max().item()
