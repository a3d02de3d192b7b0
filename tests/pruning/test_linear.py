"""The linear network behind a network: against the same network, written down linear by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import graph_encoding
import models
from metrics.reachability import reached_from_inputs
from pruning import apply_masks, prune, synflow
from pruning.linear import NotLinear, linearised, outputs, reached
from tests.pruning.small_nets import data, small_plain, small_residual

SHAPE = (3, 8, 8)


def group_norm():
    layers, channels = [], 3
    for _ in range(6):
        layers += [nn.Conv2d(channels, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU()]
        channels = 16
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def lenet():
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


def seeded(build):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return build()


def by_hand(model, shape):
    """Scores of a sequence in which only layers with weights and pooling are left."""
    kept = nn.Conv2d, nn.Linear, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.MaxPool2d, nn.Flatten
    x = torch.ones(1, *shape, dtype=torch.float64)
    weights = {}
    for name, module in model.named_children():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight.detach().double().abs().requires_grad_()
            weights[f"{name}.weight"] = weight
            if isinstance(module, nn.Linear):
                x = x @ weight.T
            else:
                x = F.conv2d(x, weight, None, module.stride, module.padding)
        elif isinstance(module, kept):
            x = module(x)
    x.sum().backward()
    return {name: weight.detach() * weight.grad for name, weight in weights.items()}


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, score in found.items():
        assert bool((score >= 0).all())
        torch.testing.assert_close(score, expected[name], rtol=1e-10, atol=0.0)


@pytest.mark.parametrize(("build", "shape"), [(group_norm, (3, 32, 32)), (lenet, (1, 28, 28))])
def test_no_layer_of_other_networks_is_emptied(build, shape):
    model = seeded(build)
    assert_same(synflow.scores(linearised(model), shape), by_hand(model.eval(), shape))
    masks = prune("synflow", model, 0.9, input_shape=shape)
    assert all(bool(mask.any()) for mask in masks.values())


class Around(nn.Module):
    """Two convolutions and a linear layer, and something between them."""

    def __init__(self, between, channels=8):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, 8, 3, padding=1)
        self.linear = nn.Linear(8, 5)
        self.between = between

    def forward(self, x):
        x = self.between(self.conv2(self.between(self.conv1(x))))
        return F.softmax(self.linear(x.mean(dim=(2, 3))), dim=1)


class Plain(nn.Module):
    """`Around`, linear, with nothing between."""

    def __init__(self, of):
        super().__init__()
        self.of = of

    def forward(self, x):
        def weight(layer):
            return layer.weight

        x = F.conv2d(x, weight(self.of.conv1), padding=1)
        x = F.conv2d(x, weight(self.of.conv2), padding=1)
        return x.mean(dim=(2, 3)) @ weight(self.of.linear).T


def channels_last(norm):
    return lambda x: norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def in_place(x):
    x -= 0.5
    x += 3
    return torch.tanh_(F.relu(x, inplace=True))


def swish(x):
    return x * torch.sigmoid(x)


NOTHING = {
    **{
        f"nn.{kind.__name__}": kind()
        for kind in (
            *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU),
            *(nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Hardtanh),
            *(nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Softsign, nn.Tanhshrink),
            *(nn.Softshrink, nn.Hardshrink, nn.Dropout, nn.Dropout2d, nn.AlphaDropout),
        )
    },
    "nn.BatchNorm2d without statistics": nn.BatchNorm2d(8, track_running_stats=False),
    "nn.GroupNorm": nn.GroupNorm(2, 8),
    "nn.InstanceNorm2d": nn.InstanceNorm2d(8, affine=True),
    "nn.LayerNorm": nn.LayerNorm((8, 8, 8)),
    "nn.LayerNorm, channels last": channels_last(nn.LayerNorm(8)),
    "nn.RMSNorm": nn.RMSNorm((8, 8, 8)),
    "nn.LocalResponseNorm": nn.LocalResponseNorm(3),
    "group_norm": lambda x: F.group_norm(x, 2),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "instance_norm": F.instance_norm,
    "normalize": F.normalize,
    "divided by its norm": lambda x: x / x.norm(dim=1, keepdim=True),
    "root mean square": lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6),
    **{
        f"{name} of torch": getattr(torch, name)
        for name in ("tanh", "sigmoid", "relu", "selu", "celu", "erf")
    },
    **{
        f"{name} of F": getattr(F, name)
        for name in ("gelu", "silu", "mish", "hardswish", "hardsigmoid", "elu", "softplus")
    },
    "dropout of F, always on": F.dropout,
    "a method": lambda x: x.tanh().clamp(-1, 1),
    "in place": in_place,
    "x * sigmoid(x)": swish,
    "x * relu6(x + 3)": lambda x: x * F.relu6(x + 3),
    "shifted": lambda x: 7 - (torch.full((8, 1, 1), 3.0) - x),
    "a type": lambda x: x.float().to(torch.float64),
    "with a test of its shape": lambda x: x if x.dim() == 4 and len(x) == 1 else None,
}


@pytest.mark.parametrize("between", NOTHING.values(), ids=NOTHING.keys())
def test_what_is_the_identity(between):
    model = seeded(lambda: Around(between))
    expected = synflow.scores(linearised(Plain(model)), SHAPE)
    expected = {n.removeprefix("of."): s for n, s in expected.items()}
    found = synflow.scores(linearised(model), SHAPE)
    assert_same(found, {name: expected[name] for name in found})


def test_factors_of_norms_count_by_their_moduli():
    norm = nn.GroupNorm(2, 8)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-2, 1.5, 8))
        norm.bias.fill_(-3.0)
    layer = nn.LayerNorm(8)
    layer.load_state_dict(norm.state_dict())
    factors = norm.weight.detach().double().abs()[:, None, None]
    expected = seeded(lambda: Around(lambda x: x * factors))
    expected = synflow.scores(linearised(expected), SHAPE)
    scaled = norm, channels_last(layer), lambda x: x * norm.weight[:, None, None] - 1
    for between in scaled:
        found = synflow.scores(linearised(own(between)), SHAPE)
        assert_same(found, expected)


def test_a_network_may_write_to_what_an_activation_gave():
    """Replaced by the identity, it is still another tensor."""

    def between(x):
        y = torch.tanh(x)
        y += x
        return x + y

    expected = synflow.scores(linearised(seeded(lambda: Around(lambda x: x * 3))), SHAPE)
    assert_same(synflow.scores(linearised(seeded(lambda: Around(between))), SHAPE), expected)


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)

    def forward(self, x):
        scale = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.up(F.silu(self.down(scale))))


def test_gates_add():
    model = seeded(lambda: Around(Gate()))
    whole = float(outputs(linearised(model), torch.ones(1, *SHAPE).double()).detach().sum())
    found = synflow.scores(linearised(model), SHAPE)
    sums = {name: float(score.sum()) for name, score in found.items()}
    assert sums["conv1.weight"] == pytest.approx(whole, rel=1e-9)
    assert sums["linear.weight"] == pytest.approx(whole, rel=1e-9)
    assert sums["between.up.weight"] == pytest.approx(sums["between.down.weight"], rel=1e-9)
    assert 0 < sums["between.up.weight"] < 2 * whole  # both of its times together
    with torch.no_grad():  # what goes past the gate, and what through it
        x = torch.ones(1, *SHAPE).double()
        for conv in (model.conv1, model.conv2):
            x = F.conv2d(x, conv.weight.double().abs(), padding=1)
            inner = x.mean(dim=(2, 3), keepdim=True)
            for layer in (model.between.down, model.between.up):
                inner = F.conv2d(inner, layer.weight.double().abs())
            x = x + inner
        expected = x.mean(dim=(2, 3)) @ model.linear.weight.double().abs().T
    assert whole == pytest.approx(float(expected.sum()), rel=1e-9)


class Attention(nn.Module):
    def __init__(self, attend):
        super().__init__()
        self.embed, self.head = nn.Conv2d(3, 8, 4, stride=4), nn.Linear(8, 5)
        self.attend = attend

    def forward(self, x):
        x = self.embed(x).flatten(2).mT
        return self.head(self.attend(x).mean(1))


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.heads(x, x, x)[0]


class Standardised(nn.Conv2d):
    def forward(self, x):
        w = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        return F.conv2d(x, w, self.bias, padding=1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Attention(Heads()), r"attend\.heads \(MultiheadAttention\): softmax attention"),
        (lambda: Attention(lambda x: (x @ x.mT).softmax(-1) @ x), "matmul cannot be made linear"),
        (lambda: Attention(lambda x: nn.GRU(8, 8).double()(x)[0]), "gru cannot be made linear"),
        (lambda: Around(lambda x: x / (1 + (-x).exp()).reciprocal()), "reciprocal"),
        (lambda: Around(lambda x: x if float(x.sum()) > 0 else -x), "depends on the data"),
        (lambda: Around(lambda x: F.pad(x, (1, 1), value=1.0)), "pad cannot be made linear"),
        (lambda: Around(lambda x: x[:, :7]), r"conv2 \(Conv2d\) fails on an input of shape"),
        (lambda: nn.Sequential(Standardised(3, 8, 3), nn.Flatten(), nn.Linear(512, 5)), "weights"),
        (lambda: Around(lambda x: x * 0), "every score is zero"),
    ],
)
def test_what_is_refused_in_one_line(build, message):
    with pytest.raises(ValueError, match=message) as refusal:
        prune("synflow", seeded(build), 0.5, input_shape=SHAPE)
    assert "\n" not in str(refusal.value) and str(refusal.value).startswith("synflow")


@pytest.mark.parametrize("pruner", ["snip", "grasp", "prospr"])
def test_scores_that_are_all_zero_are_refused(pruner):
    model = small_plain()
    with torch.no_grad():
        model[-1].weight.zero_()
        model[-3].weight.zero_()
    with pytest.raises(ValueError, match=f"{pruner}: every score is zero"):
        prune(pruner, model, 0.5, data(600, 50), input_shape=SHAPE)


def own(between):
    """A network as `graph_encoding` follows it, too."""
    return seeded(lambda: Around(between))


@pytest.mark.parametrize(
    ("build", "shape", "pruner", "sparsity"),
    [
        (lambda: models.build("Resnet-20", 10), (3, 32, 32), "uniform", 0.999),
        (lambda: models.build("Resnet-20", 10), (3, 32, 32), "erk", 0.999),
        (lambda: models.build("CONV-6", 10), (3, 32, 32), "er", 0.9999),
        (small_residual, SHAPE, "uniform", 0.95),
        (lambda: seeded(group_norm), (3, 32, 32), "uniform", 0.98),
        (lambda: seeded(lenet), (1, 28, 28), "erk", 0.998),
        (lambda: own(nn.GELU()), SHAPE, "uniform", 0.97),
        (lambda: own(Gate()), SHAPE, "uniform", 0.97),
    ],
)
def test_outputs_that_no_input_reaches_are_those_of_the_graph(build, shape, pruner, sparsity):
    model = build()
    partly = 0
    for seed in range(3):
        twin = build()
        apply_masks(twin, prune(pruner, model, sparsity, input_shape=shape, seed=seed))
        (graph,) = graph_encoding.encode(twin, "unrolled", shape, "identity")
        last = graph.layers[-1]
        expected = reached_from_inputs(graph)[last.offset : last.stop]
        assert reached(twin, shape).tolist() == expected.tolist()
        partly += not expected.all()
    assert partly


def test_outputs_without_a_path_say_the_same_of_every_image():
    model = small_residual()
    apply_masks(model, prune("uniform", model, 0.9, seed=3))
    arrives = reached(model, SHAPE)
    images = torch.rand(20, *SHAPE)
    constant = (model.eval()(images).detach().std(dim=0) == 0).tolist()
    assert (~arrives).tolist() == constant
    assert any(constant) and not all(constant)


def test_maps_and_numbers_of_outputs():
    maps = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        maps.weight[2] = 0
    assert reached(maps, SHAPE).tolist() == [True, True, False, True]
    one = nn.Sequential(nn.Flatten(), nn.Linear(192, 1), nn.Flatten(0))
    assert reached(one, SHAPE).tolist() == [True]
    norm = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3), nn.GroupNorm(1, 2)
    )
    for layer in (norm[1], norm[3]):
        nn.init.zeros_(layer.weight)  # training may change it
    assert reached(norm, SHAPE).tolist() == [True, True]
    with pytest.raises(NotLinear, match="its output is no tensor"):
        reached(own(lambda x: x.detach().new_ones(1, 8, 8, 8)), SHAPE)
