"""Layers whose weights are matrices, whatever their network does, against torch's passes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

import graph_encoding
import models


def matrix(graph):
    """Written out: outputs by inputs, of moduli."""
    left, right = (layer.size for layer in graph.layers)
    found = np.zeros((right, left), np.float32)
    for sources, targets, weights in graph.edges():
        found[targets - left, sources] = weights
    return torch.from_numpy(found)


def rolled(module, encoding="rolled"):
    return {graph.layer_name: graph for graph in graph_encoding.encode(module, encoding)}


def sparse(module):
    """Let about half of all weights be zero."""
    with torch.no_grad():
        for weight in module.parameters():
            weight *= torch.rand(weight.shape) < 0.5
    return module


@pytest.mark.parametrize("sizes", [{}, {"kdim": 3, "vdim": 5}])
def test_projections_of_attention_are_those_that_torch_computes(sizes):
    torch.manual_seed(0)
    module = sparse(nn.MultiheadAttention(4, 2, bias=False, **sizes))
    graphs = rolled(nn.ModuleDict({"heads": module}))
    assert list(graphs) == ["heads.q", "heads.k", "heads.v", "heads.out_proj"]
    kdim, vdim = sizes.get("kdim", 4), sizes.get("vdim", 4)
    if sizes:
        given = torch.eye(4), torch.eye(kdim), torch.eye(vdim)
        weights = module.q_proj_weight, module.k_proj_weight, module.v_proj_weight
        wanted = F._in_projection(*given, *weights)
    else:
        wanted = F._in_projection_packed(*[torch.eye(4)] * 3, module.in_proj_weight)
    for part, of_each_input in zip("qkv", wanted, strict=True):
        assert torch.equal(matrix(graphs[f"heads.{part}"]), of_each_input.T.detach().abs())


@pytest.mark.parametrize("gate", range(4))
def test_gates_of_an_lstm_are_called_by_what_they_do(gate):
    cell = nn.LSTMCell(2, 3, bias=False)
    for weight in cell.parameters():
        nn.init.zeros_(weight)
    cell.weight_ih.data[3 * gate : 3 * gate + 3] = 1

    def changes(state):
        """Whether an input changes the output, and the state, that begins as this."""
        before = torch.zeros(1, 3), torch.full((1, 3), state)
        nothing, something = (cell(torch.full((1, 2), x), before) for x in (0.0, 1.0))
        return [not torch.equal(*pair) for pair in zip(nothing, something, strict=True)]

    # c' = f c + i g; h = o tanh(c'). With g = 0 the input gate lets nothing in.
    if changes(0.0) == [True, True]:
        acts = "g"
    elif changes(1.0) == [True, True]:
        acts = "f"
    else:
        acts = "o" if changes(1.0) == [True, False] else "i"
    edges = {name: graph.num_edges for name, graph in rolled(cell).items()}
    assert edges.pop(f"weight_ih.{acts}") == 6
    assert len(edges) == 7
    assert not any(edges.values())


def test_every_direction_layer_and_projection_of_a_recurrent_network_is_there():
    torch.manual_seed(0)
    network = sparse(nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2))
    graphs = rolled(network)
    assert len(graphs) == 2 * 2 * (4 + 4 + 1)
    weights = [p for name, p in network.named_parameters() if name.startswith("weight")]
    assert sum(graph.num_edges for graph in graphs.values()) == sum(
        map(torch.count_nonzero, weights)
    )
    assert sum(graph.total_weights for graph in graphs.values()) == sum(p.numel() for p in weights)
    assert graphs["weight_hr_l1_reverse"].layers[0].size == 4
    assert len(rolled(nn.GRU(3, 4))) == 6
    assert list(rolled(nn.RNN(3, 4))) == ["weight_ih_l0", "weight_hh_l0"]


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_an_embedding_has_its_rows_as_inputs(kind):
    torch.manual_seed(0)
    table = sparse(kind(7, 4))
    graph = rolled(nn.Sequential(table))["0"]
    looked_up = table(torch.arange(7)[:, None])
    assert torch.equal(matrix(graph), looked_up.reshape(7, 4).T.detach().abs())
    channels = rolled(nn.Sequential(table), "rolled-channel")["0"]
    assert torch.equal(matrix(channels), matrix(graph))


def test_masks_of_torch_count_before_a_forward_pass():
    network = nn.ModuleDict({"heads": nn.MultiheadAttention(4, 2), "lstm": nn.LSTM(3, 2)})
    prune.l1_unstructured(network["heads"], "in_proj_weight", amount=30)
    prune.l1_unstructured(network["lstm"], "weight_ih_l0", amount=20)
    with torch.no_grad():  # as an optimiser moves what is masked
        network["heads"].in_proj_weight_orig += 1
        network["lstm"].weight_ih_l0_orig += 1
    graphs = rolled(network)
    assert sum(graphs[f"heads.{part}"].num_edges for part in "qkv") == 48 - 30
    assert sum(graphs[f"lstm.weight_ih_l0.{gate}"].num_edges for gate in "ifgo") == 24 - 20


def test_a_transformer_in_the_order_of_its_modules():
    network = nn.Sequential(
        nn.Embedding(5, 4), nn.TransformerEncoderLayer(4, 2, 6), nn.Linear(4, 5)
    )
    assert [name for name, _ in models.matrices(network)] == [
        "0",
        *(f"1.self_attn.{part}" for part in ("q", "k", "v", "out_proj")),
        *("1.linear1", "1.linear2", "2"),
    ]
