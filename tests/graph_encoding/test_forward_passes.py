"""What a forward pass may do to its tensors, against the network itself: positive weights and
inputs, no biases, so that activations change nothing and the flow of the graph is the output."""

import subprocess
import sys
from pathlib import Path

import flow
import numpy as np
import pytest
import torch
from networks import sparsify
from torch import nn
from torch.nn import functional as F

from graph_encoding import encode, load, save

ROOT = Path(__file__).resolve().parents[2]


class Net(nn.Module):
    """Layers by name, and a function of them and of the input as its forward."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def conv(inputs, outputs, kernel=3, **kwargs):
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **kwargs)


def layers():
    """Convolutions between four channels, from three, and to two."""
    return {"a": conv(3, 4), "b": conv(4, 4), "c": conv(4, 4), "d": conv(4, 4), "last": conv(4, 2)}


def positive(model):
    sparsify(model, 0, [0.6])
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.abs_()
    return model


def differs(model, shape, wiring="identity"):
    """Relative difference between the network's own output and the flow along its edges."""
    (graph,) = encode(model, "unrolled", shape, wiring)
    assert graph.is_regular
    assert graph.to_scipy().nnz == graph.num_edges
    pushed = np.random.default_rng(0).random(shape)
    with torch.no_grad():
        out = model.double()(torch.from_numpy(pushed)[None]).numpy().ravel()
    model.float()
    along, _ = flow.graph_flow(graph, pushed, out)
    assert out.any()
    return np.abs(along - out).max() / out.max()


def partial(s, x):
    x = s.a(x)
    x[:, :2] = s.narrow(x[:, :2])
    return s.last(x)


def shift(s, x):
    x = s.a(x)
    out = torch.zeros_like(x)
    out[:, :2], out[:, 2:, 1:] = x[:, 2:], x[:, :2, :-1]
    return s.last(x + out)


def accumulated(s, x):
    x = s.a(x)
    out = torch.zeros_like(x)
    out += s.b(x)
    out = F.relu(out)
    out.add_(s.c(x))
    return s.last(torch.cat([x, F.relu(out)], 1)[:, 2:6])


def inplace_activation(s, x):
    x = s.a(x)
    out = nn.ReLU(inplace=True)(x)
    out += s.b(out)
    return s.last(s.c(out) + x)  # x is what out is


def aliased_name(s, x):
    x = s.a(x)
    y = x
    y += s.b(y)
    return s.last(x)


def res2net(s, x):
    first, second = s.a(x).split(2, 1)
    out = s.narrow(first)
    return s.last(torch.cat([out, s.other(out + second)], 1))


def coupling(s, x):
    first, second = s.a(x).chunk(2, 1)
    first = first + s.narrow(second)
    second = second + s.other(first)
    return s.last(torch.cat([first, second], 1))


def pooled_branch(s, x):
    x = s.a(x)
    return s.last(s.b(x) + F.avg_pool2d(x, 3, 1, 1, divisor_override=1))


def grey(s, x):
    return s.last(s.a(x.repeat(1, 3, 1, 1)))


def expanded(s, x):
    return s.last(s.a(x.expand(-1, 3, -1, -1)))


def doubled(s, x):
    x = s.a(x)
    return s.wide(torch.cat([F.relu(x), F.relu(x)], 1))


def doubled_tokens(s, x):
    tokens = s.a(x).flatten(2).transpose(1, 2)
    return s.tokens(torch.cat([tokens, tokens], -1)).transpose(1, 2).unflatten(2, x.shape[2:])


def padded_split(s, x):
    x = s.a(x)
    short, _ = F.pad(x, (0, 0, 0, 0, 2, 2)).split([4, 4], 1)
    branch, _ = s.wider(x).split([4, 4], 1)
    return s.last(short + branch)


def constant_channels(s, x):
    x = s.a(x)
    empty = torch.zeros(x.shape[0], 2, *x.shape[2:])
    return s.last(torch.cat([s.narrow(x[:, :2]), empty], 1) + s.b(x))


def masked(s, x):
    return s.last(s.a(x) * torch.tensor([1.0, 0.0, 2.0 / 2, 0.0]).view(1, 4, 1, 1))


def rows_then_columns(s, x):
    return s.head(s.a(x).mean(3).mean(2) * 30)


def tokens_mean(s, x):
    return s.head(s.a(x).flatten(2).sum(-1))


def integer_channels(s, x):
    x = s.a(x)
    rows = torch.arange(x.shape[2]).view(1, 1, -1, 1).expand(x.shape[0], 1, -1, x.shape[3])
    return s.last(torch.cat([s.b(x)[:, :2], rows * 0, (rows * 0).bool()], 1) + s.c(x))


def constant_of_its_type(s, x):
    x = s.a(x)
    gate = torch.tensor([1, 0, 1, 0]).view(1, 4, 1, 1)
    return s.last(x * gate.to(x) * gate.type_as(x)).type_as(x)


def partly_added(s, x):
    x = s.a(x)
    x[:, :2] += s.narrow(x[:, :2])
    x[:, 1:3] += s.other(x[:, 2:])
    return s.last(x)


def names_of_numpy(s, x):
    x = s.a(x)
    return s.head(s.b(x.sum(axis=(2, 3), keepdims=True)).sum(axis=(2, 3)))


def stack_summed(s, x):
    return s.last(torch.stack([s.a(x), s.e(x)]).sum(0) + torch.stack([s.f(x), s.g(x)], 1).sum(1))


def features_as_positions(s, x):
    return s.last(s.head(s.a(x).mean((2, 3)) * 30).view(-1, 1, 1, 3).expand(-1, 4, -1, -1))


FORWARD = [
    features_as_positions,
    partial,
    shift,
    accumulated,
    inplace_activation,
    aliased_name,
    res2net,
    coupling,
    pooled_branch,
    doubled,
    doubled_tokens,
    padded_split,
    constant_channels,
    masked,
    rows_then_columns,
    tokens_mean,
    integer_channels,
    constant_of_its_type,
    partly_added,
    names_of_numpy,
    stack_summed,
]


def network(function):
    more = {
        "narrow": conv(2, 2),
        "other": conv(2, 2),
        "wide": conv(8, 2),
        "wider": conv(4, 8),
        "tokens": nn.Linear(8, 2, bias=False),
        "head": nn.Linear(4, 3, bias=False),
        "drop": nn.Dropout(),
        **{name: conv(3, 4) for name in "efg"},
    }
    used = function.__code__.co_names
    return positive(
        Net(function, **{n: layer for n, layer in (layers() | more).items() if n in used})
    )


@pytest.mark.parametrize("function", FORWARD, ids=lambda function: function.__name__)
def test_the_networks_own_output(function):
    model = network(function)
    assert differs(model, (3, 5, 6)) < 1e-6
    (graph,) = encode(model, "unrolled", (3, 5, 6))
    counts = [int(m.weight.count_nonzero()) for m in model.children()]
    if function not in (masked, constant_of_its_type):  # weights that read nothing are not counted
        assert graph.kept_weights == sum(counts)


@pytest.mark.parametrize("function", [res2net, pooled_branch, constant_channels])
def test_what_is_no_identity_shortcut_is_never_dropped(function):
    assert differs(network(function), (3, 5, 6), "exact") < 1e-6


@pytest.mark.parametrize("function", [grey, expanded])
def test_a_grey_image_for_a_network_of_colours(function, tmp_path):
    model = network(function)
    assert differs(model, (1, 5, 6)) < 1e-6
    (graph,) = encode(model, "unrolled", (1, 5, 6))
    save(tmp_path / "file", [graph])
    assert load(tmp_path / "file")[0].num_edges == graph.num_edges


def test_the_order_of_summands_does_not_matter():
    def forward(s, x, order):
        u = s.a(x)
        x = s.b(u)
        terms = {"x": x, "a": s.c(x), "b": s.d(u)}
        first, *rest = (terms[name] for name in order)
        for term in rest:
            first = first + term
        return s.last(first)

    found = set()
    model = positive(Net(None, **layers()))
    for order in ("xab", "xba", "axb", "bxa", "abx", "bax"):
        model.function = lambda s, x, order=order: forward(s, x, order)
        assert differs(model, (3, 4, 4)) < 1e-6
        (graph,) = encode(model, "unrolled", (3, 4, 4))
        found.add((graph.num_nodes, graph.num_edges))
    assert len(found) == 1


def test_a_gate_and_a_sum_share_what_they_can():
    def forward(s, x, swap):
        u = s.a(x)
        gate, one, other = s.b(u).mean((2, 3), keepdim=True), s.c(u), s.d(u)
        return s.last(gate + one + other if swap else one + other + gate)

    sizes = set()
    for swap in (False, True):
        model = positive(Net(lambda s, x, swap=swap: forward(s, x, swap), **layers()))
        sizes.add(encode(model, "unrolled", (3, 4, 4))[0].num_nodes)
    assert len(sizes) == 1


def write_view(s, x):
    x = s.a(x)
    first, second = x.chunk(2, 1)
    first += s.narrow(second)
    return s.last(x)


def write_flat(s, x):
    x = s.a(x)
    flat = x.flatten(2)
    flat += s.b(x).flatten(2)
    return s.last(x)


def write_buffer(s, x):
    s.buffer += s.a(x)
    return s.last(s.buffer)


def write_idle_dropout(s, x):
    x = s.a(x)
    out = s.drop(x)
    out += s.b(out)
    return s.last(out + s.c(x))  # x is what out is, as the network is evaluated


def write_same_device(s, x):
    x = s.a(x)
    out = x.cpu()
    out += s.b(out)
    return s.last(out + s.c(x))


def write_torch_dropout(s, x):
    x = s.a(x)
    out = torch.dropout(x, 0.5, True)
    out += s.b(out)
    return s.last(out + s.c(x))


def write_data(s, x):
    x = s.a(x)
    x.data = s.b(x)
    return s.last(x)


def write_out(s, x):
    x = s.a(x)
    y = torch.empty_like(x)
    torch.add(x, s.b(x), out=y)
    return s.last(y)


def squeezed_in_place(s, x):
    x = s.a(x)
    x.unsqueeze_(1)
    return s.last(x.squeeze(1))


def other_part_put_back(s, x):
    x = s.a(x)
    part = x[:, :2]
    part += s.narrow(part)
    x[:, 2:] = part
    return s.last(x)


def channel_mean(s, x):
    return s.last(s.a(x).mean(1, keepdim=True).expand(-1, 4, -1, -1))


def batch_sum(s, x):
    return s.last(s.a(x).sum(0, keepdim=True))


def modulated(s, x):
    x = s.a(x)
    return s.last(torch.pow(x, s.b(x)))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (write_view, "conv2d reads a tensor that was written to in place"),
        (write_flat, "conv2d reads a tensor that was written to in place"),
        (write_idle_dropout, "conv2d reads a tensor that was written to in place"),
        (write_same_device, "conv2d reads a tensor that was written to in place"),
        (write_torch_dropout, "conv2d reads a tensor that was written to in place"),
        (write_buffer, "writes into a tensor that is no value"),
        (write_data, "set writes where it cannot be followed"),
        (write_out, "add writes where it cannot be followed"),
        (squeezed_in_place, "unsqueeze in place"),
        (other_part_put_back, "setitem reads a tensor that was written to in place"),
        (channel_mean, "a mean or a sum over axis 1 of 4 cannot be followed"),
        (batch_sum, "a mean that is not over positions of images"),
        (modulated, "pow by a value that depends on the input"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_followed_is_refused(function, said):
    model = network(function)
    model.register_buffer("buffer", torch.zeros(2, 4, 4, 5))
    with pytest.raises(ValueError, match=said):
        encode(model, "unrolled", (3, 4, 5))
    assert not model.buffer.any()
    assert not hasattr(model.buffer, "_topology")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda s, x: s.head(torch.flatten(s.a(x))), "mixed; keep .* as torch.flatten"),
        (lambda s, x: s.head(s.a(x).view(1, -1)), "mixed; keep"),
        (lambda s, x: s.head(s.a(x).mean((2, 3)).flatten()), "mixed; keep"),
        (lambda s, x: s.head(s.a(x).reshape(8, -1).t()), "mixed; keep"),
        (
            lambda s, x: s.head(torch.cat([s.a(x).flatten(1), s.b(x).flatten(1).flip(0)], 1)),
            "mixed",
        ),
        (lambda s, x: s.last(s.a(x).reshape(1, -1, 4, 5)), "mixed; keep"),
        (lambda s, x: s.last(s.a(x).transpose(0, 1).reshape(2, 4, 4, 5)), "mixed; keep"),
        (lambda s, x: s.head(s.a(x)[0].flatten()), "one image of a batch without the others"),
    ],
)
def test_images_that_a_forward_pass_mixes(function, said):
    """It works on batches of one image only; the layer that reads them and the cause are named."""
    layers = {"a": conv(3, 4), "b": conv(3, 4), "last": conv(8, 2), "head": nn.Linear(80, 3)}
    with pytest.raises(ValueError, match=rf"^(head \(Linear\)|last \(Conv2d\)): .*{said}"):
        encode(Net(function, **layers), "unrolled", (3, 4, 5))


def test_images_that_are_apart_again_before_they_are_read():
    model = positive(
        Net(
            lambda s, x: s.head(torch.flatten(s.a(x)).reshape(len(x), -1)),
            a=conv(3, 4),
            head=nn.Linear(80, 3, bias=False),
        )
    )
    assert differs(model, (3, 4, 5)) < 1e-12


def test_numbers_at_the_edges_of_channels():
    def forward(s, x):
        return s.last(s.first(x).view(-1, 1, 1, 2))

    model = Net(forward, first=nn.Linear(5, 2), last=nn.Conv2d(1, 3, 3, padding=1))
    sparsify(model, 0, [0.8])
    (graph,) = encode(model, torch.zeros(1, 5))
    assert flow.largest_difference(model, graph, (5,)) < 1e-12
    with pytest.raises(ValueError, match="positions in a row"):
        encode(nn.Sequential(nn.Flatten(), nn.Linear(33_000, 2)), torch.zeros(1, 1, 33_000))


def test_the_network_is_left_as_it_was():
    def forward(s, x):
        s.memory = x = s.a(x)
        s.register_buffer("late", torch.zeros(1))
        return s.last(x)

    model = positive(Net(forward, **layers()))
    model.memory = None
    attributes = {name: dict(m.__dict__) for name, m in model.named_modules()}
    encode(model, "unrolled", (3, 4, 4))
    encode(model, "unrolled", (3, 4, 4))
    assert model.memory is None
    assert {name: dict(m.__dict__) for name, m in model.named_modules()} == attributes
    assert not hasattr(model, "late")


def test_what_a_forward_pass_changes_is_put_back():
    """Buffers, weights, random state and lists, which the network writes to as it runs."""

    def forward(s, x):
        s.calls += 1
        s.rows[0].add_(1)
        s.a.weight.data = s.a.weight.data.clamp(max=0.5)
        s.b.weight.data.mul_(2)
        torch.add(s.rows, 1, out=s.rows)
        x = s.a(x)
        s.seen.append(x)
        s.kept["x"] = x
        return s.last(s.b(x + torch.randn(x.shape)))

    model = positive(Net(forward, a=conv(3, 4), b=conv(4, 4), last=conv(4, 2)))
    model.seen, model.kept = [], {}
    model.register_buffer("calls", torch.tensor(0))
    model.register_buffer("rows", torch.zeros(2, 2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    places = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    (graph,) = encode(model, "unrolled", (3, 4, 4))
    assert torch.equal(torch.get_rng_state(), torch.manual_seed(3).get_state())
    assert (model.seen, model.kept) == ([], {})
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert places == {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    weight = {block.name: block.weight for block in graph.blocks}
    assert weight["a"].max() == 0.5  # as the forward pass uses it
    assert weight["b"].max() == 2 * before["b.weight"].max()


class Merging(nn.Linear):
    """Adds to its weights when it is told to evaluate, as LoRA does."""

    def train(self, mode=True):
        if not mode:
            self.weight.data += 1
        return super().train(mode)


def test_evaluation_mode_is_not_announced():
    model = nn.Sequential(Merging(3, 2), nn.Dropout())
    before = model[0].weight.detach().clone()
    encode(model, torch.zeros(1, 3))
    assert torch.equal(model[0].weight, before)
    assert all(module.training for module in model.modules())


def test_a_function_that_takes_true_is_not_in_place():
    def forward(s, x, copied):
        x = s.a(x)
        out = copied(x)
        out += s.b(out)
        return s.last(torch.cat([s.c(x), out], 1)[:, 2:6])

    graphs = []
    for copied in (
        lambda x: torch.instance_norm(x, None, None, None, None, True, 0.1, 1e-5, True),
        torch.clone,
    ):
        model = positive(Net(lambda s, x, copied=copied: forward(s, x, copied), **layers()))
        graphs += encode(model, "unrolled", (3, 4, 4), "identity")
    one, other = (graph.to_scipy() for graph in graphs)
    assert (one != other).nnz == 0


def test_encoding_imports_no_compiler():
    """Torch imports sympy or its compiler, for a second or more, where it reasons about shapes."""
    code = (
        "import sys, graph_encoding, models\n"
        "for name in models.MODELS:\n"
        "    graph_encoding.encode(models.build(name, 10))\n"
        "sys.exit(bool({'sympy', 'torch._dynamo'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=600).returncode == 0


def test_many_sums_that_are_also_read_alone():
    class Blocks(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3, bias=False) for _ in range(3 * 60))

        def forward(self, x):
            for a, b, c in zip(self.layers[::3], self.layers[1::3], self.layers[2::3], strict=True):
                first = a(x)
                x = c(F.relu(first + b(x))) + first
            return c(x)

    model = Blocks()
    sparsify(model, 0, [0.9])
    (graph,) = encode(model, "unrolled", (3,), "identity")
    assert flow.largest_difference(model, graph, (3,)) < 1e-5
