"""What may be given as the input, and networks that are not ready to be read."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from graph_encoding import UnsupportedNetwork, encode


def network():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "a tuple of the network's arguments .* and not tuple"),
        ({"y": torch.zeros(1, 3, 8, 8)}, r"takes 1 inputs \(input\), and here it is given y"),
        (torch.Size((1, 3, 8, 8)), "a tuple of the network's arguments .* and not Size"),
        (3, "a tensor of numbers, images first, .* and not int"),
        ((3,), "holds no tensor"),
        (torch.zeros(1, 3, 8, 8).long(), "whole numbers .* as floating-point numbers"),
        (torch.zeros(3, 8, 8), "is the axis of images missing in the example input?"),
        ({1: torch.zeros(1, 3, 8, 8)}, "names of arguments, and not 1"),
        (np.array(["a", "b"]), "a tensor of numbers, .* and not ndarray"),
        (network, "a tensor of numbers, .* and not function"),
        (torch.zeros(3), "no axis of images"),
        (torch.zeros(0, 3, 0, 8), "neither an image"),
    ],
)
def test_an_example_that_is_no_batch_is_refused(given, said):
    with pytest.raises(UnsupportedNetwork, match=said.replace("input?", r"input\?")):
        encode(network(), given)


def ragged(**how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of torch: a prototype
        return torch.nested.nested_tensor([torch.zeros(n, 3, 8, 8) for n in (1, 2)], **how)


def holding_itself(tensor):
    found = {"tensor": tensor, "list": []}
    found["list"].append(found)
    return found


def deep(tensor):
    for _ in range(3000):
        tensor = [tensor]
    return tensor


class Inside(nn.Module):
    """A network that is given its tensor in something, or gives it in something."""

    def __init__(self, around=lambda value: value, inside=lambda value: value):
        super().__init__()
        self.body, self.around, self.inside = network(), around, inside

    def forward(self, input):
        return self.around(self.body(self.inside(input)))


ENDLESS = "dictionaries or dataclasses in it hold themselves, or one another more than 64 deep"
JAGGED = {"layout": torch.jagged}


@pytest.mark.parametrize("how", [{}, JAGGED])
@pytest.mark.parametrize("around", [lambda x: x, lambda x: (x,), lambda x: {"input": x}])
def test_a_nested_tensor_as_input_is_refused(how, around):
    with pytest.raises(UnsupportedNetwork, match=r"the example input: nested tensors .* pad them"):
        encode(network(), around(ragged(**how)))


@pytest.mark.parametrize("how", [{}, JAGGED])
def test_a_nested_tensor_as_output_is_refused(how):
    net = Inside(lambda x: torch.nested.as_nested_tensor([x[0], x[0]], **how))
    with pytest.raises(UnsupportedNetwork, match=r"Inside: nested tensors .* pad them"):
        encode(net, torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("endless", [holding_itself, deep])
def test_what_holds_itself_is_refused(endless):
    one = torch.zeros(1, 3, 8, 8)
    for example in ((endless(one),), {"input": endless(one)}):
        with pytest.raises(UnsupportedNetwork, match=f"the example input: .*{ENDLESS}"):
            encode(Inside(inside=lambda given: one), example)
    with pytest.raises(UnsupportedNetwork, match=f"Inside: its output: .*{ENDLESS}"):
        encode(Inside(endless), one)


def test_what_is_nested_as_it_may_be_is_read():
    def around(tensor, times=60):
        return around([tensor], times - 1) if times else tensor

    def inside(given):
        return given if isinstance(given, torch.Tensor) else inside(given[0])

    one = torch.zeros(1, 3, 8, 8)
    (plain,), (wrapped,) = encode(network(), one), encode(Inside(around, inside), (around(one),))
    assert (wrapped.num_nodes, wrapped.num_edges) == (plain.num_nodes, plain.num_edges)


@pytest.mark.parametrize("shape", [4, (3, 8.0, 8), "388", (3, -8, 8), (3, 0, 8), ()])
def test_a_shape_that_is_none_is_refused(shape):
    with pytest.raises(ValueError, match=r"input_shape is|neither an image"):
        encode(network(), "unrolled", shape)


BATCH = torch.zeros(5, 3, 8, 8)


@pytest.mark.parametrize(
    "given", [np.zeros((1, 3, 8, 8)), BATCH, BATCH.byte(), (BATCH,), {"input": BATCH}]
)
def test_any_batch_will_do(given):
    model = network()
    (graph,) = encode(model, given)
    assert graph.num_edges == encode(model, "unrolled", [3, 8, 8])[0].num_edges


@pytest.mark.parametrize("encoding", ["unrolled", "rolled"])
@pytest.mark.parametrize(
    "model", [nn.Sequential(nn.LazyConv2d(2, 3)), nn.Sequential(nn.Conv2d(3, 2, 3, device="meta"))]
)
def test_weights_without_values_are_refused(model, encoding):
    kind = type(model[0])
    with pytest.raises(ValueError, match=r"0\.weight has no values"):
        encode(model, encoding, (3, 8, 8))
    assert type(model[0]) is kind


def test_compiled_networks_are_read_as_they_are_written():
    model = network()
    expected = encode(model, "unrolled", (3, 8, 8))[0]
    (graph,) = encode(torch.compile(model, backend="eager"), "unrolled", (3, 8, 8))
    assert [layer.name for layer in graph.layers] == [layer.name for layer in expected.layers]
    model[0] = torch.compile(model[0], backend="eager")
    (graph,) = encode(model, "unrolled", (3, 8, 8))
    assert graph.num_edges == expected.num_edges


@pytest.mark.parametrize("encoding", ["unrolled", "rolled"])
@pytest.mark.parametrize("value", [1e-60, 1e60, np.nan])
def test_weights_that_no_graph_can_hold_are_refused(encoding, value):
    model = network().double()
    encode(model, encoding, (3, 8, 8))
    model[0].weight.data[0, 0, 0, 0] = value
    with pytest.raises(UnsupportedNetwork, match="layer 0: weights"):
        encode(model, encoding, (3, 8, 8))
