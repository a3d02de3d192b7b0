"""Programs of torch.export and TorchScript have the graphs of the modules they were made of."""

import contextlib

import pytest
import torch
from networks import sparsify
from torch import nn
from torch.nn import functional as F

from graph_encoding import UnsupportedNetwork, encode

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        return F.relu_(self.norm(self.conv(x))) + x


class Maps(nn.Module):
    """Functions that have other names, or other arguments, in a program."""

    def __init__(self):
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 4, 3, stride=2, padding=1), Block()
        self.up, self.head = nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2), nn.Linear(8, 2)

    def forward(self, x):
        x = self.block(F.max_pool2d(self.stem(x), 2))
        x = self.resized(self.up(x))[:, :, 1:]
        x = torch.cat((F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)), 1)
        return self.head(x.view(x.size(0), -1))

    def resized(self, x):
        return x


class Resized(Maps):
    """TorchScript of it has control flow, which torch does not read back."""

    def resized(self, x):
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.qkv, self.head = nn.Embedding(9, 4), nn.Linear(4, 12), nn.Linear(4, 2)

    def forward(self, ids):
        q, k, v = self.qkv(self.table(ids)).chunk(3, -1)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.head(x.mean(1)), x


MAPS, IDS = torch.zeros(2, 3, 16, 16), torch.ones(2, 5, dtype=torch.long)


def built(kind):
    model = kind().eval()
    sparsify(model, 0, [0.6])
    return model


def exported(model, example, **how):
    free = {0: torch.export.Dim("images")}
    return torch.export.export(model, (example,), dynamic_shapes=(free,), **how)


FORMS = {
    "exported": exported,
    "scripted": lambda model, example: torch.jit.script(model),
    "traced": torch.jit.trace,
}


@pytest.mark.parametrize(
    ("form", "kind", "example"),
    [
        *((form, *of) for form in FORMS for of in ((Maps, MAPS), (Tokens, IDS))),
        ("exported", Resized, MAPS),
        ("traced", Resized, MAPS),
    ],
)
def test_multipartite_graphs_are_those_of_the_module(form, kind, example):
    model = built(kind)
    (expected,) = encode(model, example, attention="tokens")
    (graph,) = encode(FORMS[form](model, example), example, attention="tokens")
    assert [layer.name for layer in graph.layers] == [layer.name for layer in expected.layers]
    assert (graph.inputs, graph.outputs) == (expected.inputs, expected.outputs)
    assert (graph.to_scipy() != expected.to_scipy()).nnz == 0
    assert graph.kept_weights == expected.kept_weights


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["rolled", "rolled-channel"])
@pytest.mark.parametrize(("kind", "example"), [(Maps, MAPS), (Tokens, IDS)])
def test_bipartite_graphs_are_those_of_the_module(form, encoding, kind, example):
    model = built(kind)
    if form == "traced" and kind is Maps:
        with pytest.raises(ValueError, match="does not tell its groups"):
            encode(FORMS[form](model, example), encoding)
        return
    expected = {graph.layer_name: graph.to_scipy() for graph in encode(model, encoding)}
    found = {g.layer_name: g.to_scipy() for g in encode(FORMS[form](model, example), encoding)}
    assert found.keys() == expected.keys()
    assert all((found[name] != expected[name]).nnz == 0 for name in found)


@pytest.mark.parametrize("inside", [False, True])
def test_a_frozen_script_has_no_layers_and_is_refused(inside):
    model = built(Tokens)
    frozen = torch.jit.freeze(torch.jit.script(model))
    network = nn.Sequential(frozen, nn.Linear(2, 2)) if inside else frozen
    for encoding in ("rolled", "rolled-channel"):
        with pytest.raises(ValueError, match=r"is frozen, .* before torch\.jit\.freeze") as caught:
            encode(network, encoding)
        assert len(str(caught.value).splitlines()) == 1
    if not inside:
        (expected,) = encode(model, IDS, attention="tokens")
        (graph,) = encode(frozen, IDS, attention="tokens")
        assert (graph.to_scipy() != expected.to_scipy()).nnz == 0


def test_a_frozen_script_without_weights_is_no_layer():
    activation = torch.jit.freeze(torch.jit.script(nn.ReLU().eval()))
    (graph,) = encode(nn.Sequential(nn.Linear(3, 2), activation), "rolled")
    assert graph.num_edges == 6


def test_recurrent_layers_and_attention_of_scripts():
    for layer in (nn.LSTM(3, 4, 2, bidirectional=True), nn.GRUCell(3, 4), nn.Embedding(5, 2)):
        expected = {g.layer_name: g.to_scipy() for g in encode(layer, "rolled")}
        found = {g.layer_name: g.to_scipy() for g in encode(torch.jit.script(layer), "rolled")}
        assert found.keys() == expected.keys()
        assert all((found[name] != expected[name]).nnz == 0 for name in found)


def gate(x):
    return x * torch.sigmoid(x)


@pytest.mark.parametrize("function", [gate, torch.jit.script(gate)])
def test_a_function_of_torchscript_in_a_module(function):
    model = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 3), "last": nn.Conv2d(4, 2, 1)})
    model.forward = lambda x: model["last"](function(model["conv"](x)))
    (graph,) = encode(model, torch.zeros(1, 3, 5, 5))
    assert graph.num_edges == 9 * 4 * 27 + 9 * 8
    assert graph.num_nodes == 3 * 25 + 9 * 4 + 9 * 2


def test_a_program_of_one_image_is_told_to_leave_their_number_free():
    program = torch.export.export(built(Maps), (MAPS[:1],))
    with pytest.raises(UnsupportedNetwork, match=r"head \(linear\): .*dynamic_shapes") as caught:
        encode(program, MAPS)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("kind", "fails"), [(Maps, False), (Resized, True)])
def test_scripts_stay_in_the_modes_that_they_were_in(kind, fails):
    model = torch.jit.script(built(kind).train())
    model.block.eval()
    modes = {name: module.training for name, module in model.named_modules()}
    with pytest.raises(UnsupportedNetwork) if fails else contextlib.nullcontext():
        encode(model, MAPS)
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert {*modes.values()} == {True, False}


def test_scripts_that_cannot_be_read_are_refused_in_one_line():
    for model in (torch.jit.script(built(Resized)), nn.Sequential(torch.jit.script(built(Maps)))):
        with pytest.raises(UnsupportedNetwork, match=r"TorchScript .*give the") as caught:
            encode(model, MAPS)
        assert len(str(caught.value).splitlines()) == 1
