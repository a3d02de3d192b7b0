"""Several inputs and outputs, and token ids: the linear flow, and the graph written out."""

from collections import namedtuple
from dataclasses import dataclass

import flow
import numpy as np
import pytest
import torch
from networks import sparsify
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import metrics
from graph_encoding import encode, load, save
from metrics.extended.paths import paths
from metrics.reachability import reached_from_inputs, reaching_outputs

Pair = namedtuple("Pair", ["first", "second"])


@dataclass
class Found:
    logits: torch.Tensor
    hidden: tuple
    loss: object = None


class TwoBranches(nn.Module):
    """An image and numbers beside it, joined by a sum; three outputs, of which one is read on."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.image, self.more = nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.Linear(5, 4)
        self.conv, self.head, self.aux = nn.Conv2d(4, 4, 3), nn.Linear(4, 2), nn.Conv2d(4, 3, 1)

    def forward(self, pixels, numbers, scale=1.0):
        x = F.relu(self.image(pixels) + scale * self.more(numbers)[:, :, None, None])
        aux = self.aux(x)
        last = self.conv(x)
        logits = self.head(F.adaptive_avg_pool2d(last, 1).flatten(1))
        return self.kind(aux, last, logits)


class Body(nn.Module):
    """Two tables of a sequence's ids, one of positions, and a convolution over the sequence."""

    def __init__(self):
        super().__init__()
        self.words, self.kinds = nn.Embedding(11, 4), nn.Embedding(2, 4)
        self.places = nn.Embedding(9, 4)
        self.conv, self.head = nn.Conv1d(4, 6, 3, padding=1), nn.Linear(6, 3)

    def forward(self, ids, kinds, mask=None):
        places = (ids != 0).int().cumsum(1).long() * 0 + torch.arange(ids.shape[1])
        x = self.words(ids.view(-1, ids.size(1)).long()) + self.kinds(kinds) + self.places(places)
        if mask is not None:
            x = x * mask[:, :, None].to(x.dtype)
        return self.head(F.gelu(self.conv(x.transpose(1, 2))).transpose(1, 2).sum(1))


OUTPUTS = {
    "tuple": lambda aux, last, logits: (aux, last, logits),
    "named": lambda aux, last, logits: (aux, Pair(last, logits)),
    "dictionary": lambda aux, last, logits: {"aux": aux, "last": last, "out": [logits, None, 3]},
    "dataclass": lambda aux, last, logits: Found(logits, (last, aux)),
}
IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 0, 0]])
EXAMPLES = {
    **{
        name: (lambda kind=kind: TwoBranches(kind), (torch.zeros(1, 3, 6, 6), torch.zeros(1, 5)))
        for name, kind in OUTPUTS.items()
    },
    "keywords": (
        lambda: TwoBranches(OUTPUTS["tuple"]),
        {"numbers": torch.zeros(1, 5), "scale": 2.0, "pixels": torch.zeros(1, 3, 6, 6)},
    ),
    "tokens": (Body, {"ids": IDS, "kinds": IDS % 2}),
    "masked tokens": (Body, (IDS, IDS % 2, MASK)),
}


def built(name):
    make, example = EXAMPLES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make().double()
    sparsify(model, 0, [0.6])
    return model.eval().requires_grad_(False), example


class Masking(TorchFunctionMode):
    """What a mask multiplies by 0 does not flow, before everything else is made linear."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        is_product = func.__name__ == "mul" and isinstance(args[1], torch.Tensor)
        if is_product and args[0].requires_grad and not args[1].requires_grad:
            return args[0].masked_fill(args[1] == 0, 0)
        return func(*args, **(kwargs or {}))


def torch_flows(model, example, names):
    """What is pushed into each input, what arrives, what is pulled, and what arrives of it."""
    generator = torch.Generator().manual_seed(0)
    pushed = []

    def random(*shape):
        return torch.rand(shape, dtype=torch.float64, generator=generator)

    def looked_up(module, args, out):
        if module is not model.places:
            pushed.append(random(*out.shape).requires_grad_())
            return pushed[-1]

    keywords = example if isinstance(example, dict) else dict(zip(names, example, strict=False))
    given = {}
    for name, value in keywords.items():
        given[name] = value
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            given[name] = random(*value.shape).requires_grad_()
            pushed.append(given[name])
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.register_forward_hook(looked_up)
    with flow.LinearFlow(), Masking():
        out = leaves(model(**given))
    pulled = [random(*each.shape) for each in out]
    return pushed, out, pulled, torch.autograd.grad(out, pushed, pulled)


def leaves(out):
    """The outputs in the order of the graph's layers: those that are read on come first."""
    if isinstance(out, torch.Tensor):
        return [out]
    if isinstance(out, Found):
        return [out.hidden[0], out.hidden[1], out.logits]
    if isinstance(out, dict):
        return [out["last"], out["aux"], out["out"][0]]
    aux, *rest = out
    last, logits = rest[0] if isinstance(rest[0], Pair) else rest
    return [last, aux, logits]


def differences(model, example, graph, names, channels_last=False):
    pushed, out, pulled, back = torch_flows(model, example, names)

    def laid(of):
        maps = (each[0].detach().numpy() for each in of)
        return [np.moveaxis(each, -1, 0) if channels_last else each for each in maps]

    found, against = flow.graph_flows(
        graph, laid(pushed), [each.numpy().ravel() for each in pulled]
    )
    expected = [each.detach().numpy().ravel() for each in out]
    for one, other in [*zip(found, expected, strict=True), *zip(against, laid(back), strict=True)]:
        assert other.any()
        yield np.abs(one - other).max() / other.max()


@pytest.mark.parametrize("name", EXAMPLES)
def test_linear_flow(name):
    model, example = built(name)
    (graph,) = encode(model, example)
    assert graph.is_regular
    if isinstance(model, Body):
        found = differences(model, example, graph, ("ids", "kinds", "mask"), channels_last=True)
    else:
        found = differences(model, example, graph, ("pixels", "numbers"))
    assert max(found) < 1e-8


@pytest.mark.parametrize(
    ("name", "outputs"), [("tuple", ("aux", "conv", "head")), ("tokens", ("head",))]
)
def test_what_is_no_input_and_no_output_is_a_source_or_a_sink(name, outputs, tmp_path):
    model, example = built(name)
    sparsify(model, 1, [0.15])
    save(tmp_path / "several", encode(model, example))
    (graph,) = load(tmp_path / "several")
    joined = (graph.to_scipy() > 0).toarray().astype(float)
    is_input, is_output = np.zeros((2, len(joined)), bool)
    for layer in graph.layers:
        nodes = slice(layer.offset, layer.stop)
        is_input[nodes] = layer.name in ("pixels", "numbers", "words", "kinds")
        is_output[nodes] = layer.name in outputs
    fed, feeds = joined.any(0), joined.any(1)
    found = metrics.topometrics(graph)
    assert found["sink_nodes"] == (fed & ~feeds & ~is_output).sum() > 0
    assert found["source_nodes"] == (feeds & ~fed & ~is_input).sum()
    ways = np.linalg.inv(np.eye(len(joined)) - joined)  # of any length, none included
    assert np.array_equal(reached_from_inputs(graph), ways[is_input].sum(0) > 0.5)
    assert np.array_equal(reaching_outputs(graph), ways[:, is_output].sum(1) > 0.5)
    count = ways[np.ix_(is_input, is_output)].sum()
    assert paths(graph)["log_paths"] == pytest.approx(np.log(count))


def test_the_parts_of_an_input_that_nothing_reads_are_no_layer():
    model = TwoBranches(OUTPUTS["tuple"])
    model.more.requires_grad_(False).weight.zero_()
    (graph,) = encode(model, (torch.zeros(1, 3, 6, 6), torch.zeros(1, 5)))
    assert [layer.name for layer in graph.input_layers] == ["pixels", "numbers"]  # pruned, but read
    model.forward = lambda pixels, numbers: model.aux(model.image(pixels))
    (graph,) = encode(model, (torch.zeros(1, 3, 6, 6), torch.zeros(1, 5)))
    assert [layer.name for layer in graph.layers] == ["pixels", "image", "aux"]
    assert len(graph.input_layers) == 1


def test_a_mask_is_a_constant_and_numbers_are_an_input():
    """Of one network: whole numbers that multiply, true or false, and numbers."""

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x, mask, time):
            return self.layer(x * mask + time[:, None])

    model = Masked()
    x, time = torch.zeros(1, 4), torch.zeros(1)
    for mask in (torch.tensor([[1, 0, 1, 1]]), torch.tensor([[True, False, True, True]])):
        (graph,) = encode(model, (x, mask, time))
        assert [layer.size for layer in graph.layers] == [4, 1, 2]
        assert graph.num_edges == 2 * 3 + 2
    with pytest.raises(ValueError, match=r"layer \(Linear\): it reads whole numbers.*line \d+ of"):
        encode(Masked(), (torch.ones(1, 4).long(), torch.ones(1, 4).long(), torch.ones(1).long()))


class Boxed(nn.Linear):
    def forward(self, x, y):
        return iter([super().forward(x + y)])


def test_what_is_no_batch_and_what_holds_no_tensors_is_refused():
    with pytest.raises(ValueError, match="y of the example input has 2 images"):
        encode(Boxed(3, 2), (torch.zeros(1, 3), torch.zeros(2, 3)))
    with pytest.raises(ValueError, match="Boxed: its output, of type list_iterator, has no tensor"):
        encode(Boxed(3, 2), (torch.zeros(1, 3), torch.zeros(1, 3)))


def test_computed_numbers_look_nothing_up():
    model = nn.ModuleDict({"table": nn.Embedding(9, 4), "layer": nn.Linear(4, 2)})
    model.forward = lambda x: model["layer"](model["table"](x))
    (graph,) = encode(model, torch.zeros(1, 5).long())
    assert [layer.shape for layer in graph.layers] == [(4, 1, 5), (2, 1, 5)]
    with pytest.raises(ValueError, match=r"table \(Embedding\): embedding looks rows up by"):
        encode(model, torch.zeros(1, 5))


@pytest.mark.parametrize("number", [9, -1])
def test_token_ids_beyond_the_table_are_refused(number):
    model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))
    encode(model, torch.tensor([[8, 0]]))
    with pytest.raises(ValueError, match=f"looks up row {number} of a table that has 9") as caught:
        encode(model, torch.tensor([[8, number]]))
    assert len(str(caught.value).splitlines()) == 1
