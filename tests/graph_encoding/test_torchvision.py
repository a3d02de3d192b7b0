"""The networks that researchers bring, against torch's own forward and backward pass."""

import copy

import flow
import pytest
import torch
from networks import sparsify
from torch import nn
from torch.nn.utils import prune

from datasets.torchvision_import import import_torchvision
from graph_encoding import encode
from metrics.cliques import four_cliques

NETWORKS = {  # share of weights kept, and tolerance
    # Merged edges (kernels over overlapping windows) have weights rounded to float32.
    "resnet50": (0.1, 1e-6),
    "vgg11": (0.3, 1e-6),
    "mobilenet_v2": (0.3, 1e-10),
    "efficientnet_b0": (0.3, 1e-10),
    "densenet121": (0.3, 1e-10),
    "convnext_tiny": (0.3, 1e-10),
    "shufflenet_v2_x0_5": (0.3, 1e-6),
}


def resnet50(models):
    return models.ResNet(models.resnet.Bottleneck, [2, 1, 1, 2], num_classes=10, width_per_group=16)


def vgg11(models):
    sizes = [8, "M", 16, "M", 32, 32, "M", 32, 32, "M", 32, 32, "M"]
    model = models.VGG(models.vgg.make_layers(sizes), num_classes=10)
    model.classifier[0], model.classifier[3] = nn.Linear(32 * 49, 64), nn.Linear(64, 64)
    model.classifier[6] = nn.Linear(64, 10)
    return model


def densenet121(models):
    return models.DenseNet(16, (3, 2, 2, 2), 32, num_classes=10)


def convnext_tiny(models):
    blocks = [(24, 48, 1), (48, 96, 1), (96, 192, 2), (192, None, 1)]
    blocks = [models.convnext.CNBlockConfig(*each) for each in blocks]
    return models.ConvNeXt(blocks, num_classes=10)


def vit_b_32(models):
    return models.VisionTransformer(32, 16, 1, 2, 16, 16)


SMALL = {each.__name__: each for each in (resnet50, vgg11, densenet121, convnext_tiny, vit_b_32)}
"""The large ones are of the same parts, but have fewer of them, and narrower ones."""


def network(name: str, density: float = 0.03) -> nn.Module:
    """A network of torchvision with random sparse weights."""
    import_torchvision()
    from torchvision import models

    with torch.random.fork_rng(devices=[]), pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        for first in ("kaiming_uniform_", "kaiming_normal_", "trunc_normal_"):
            patch.setattr(nn.init, first, lambda weight, **_: weight)  # other weights come below
        model = SMALL[name](models) if name in SMALL else getattr(models, name)(weights=None)
    sparsify(model, seed=0, densities=[density])
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_linear_flow_in_both_directions(name):
    density, tolerance = NETWORKS[name]
    shape = (3, 64, 64) if name == "vgg11" else (3, 40, 40)  # one that pools 2 x 2 to 7 x 7
    model, images = network(name, density), torch.zeros(1, *shape)
    training = [module.training for module in model.modules()]
    (graph,) = encode(model, images)
    (full,) = encode(model, "unrolled", shape, "identity")
    assert [module.training for module in model.modules()] == training
    assert graph.is_regular
    assert graph.num_nodes == full.num_nodes
    assert graph.kept_weights == full.kept_weights
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert graph.total_weights == sum(weight.numel() for weight in weights)
    assert graph.kept_weights == sum(int(weight.count_nonzero()) for weight in weights)
    # The network as it is, shortcuts and all; and without identity shortcuts, as by default.
    bare = flow.without_identity_shortcuts(copy.deepcopy(model))
    assert flow.largest_difference(model, full, shape) < tolerance
    assert flow.largest_difference(bare, graph, shape) < tolerance


def test_multilayer_perceptron():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.GELU(), nn.Linear(8, 3))
    sparsify(model, 1, [0.5])
    (graph,) = encode(model, torch.zeros(5, 3, 2, 2))
    assert [layer.size for layer in graph.layers] == [12, 8, 3]
    assert flow.largest_difference(model, graph, (3, 2, 2)) < 1e-12
    (vector,) = encode(model[1:], torch.zeros(5, 12))
    assert abs(graph.to_scipy() - vector.to_scipy()).sum() == 0


@pytest.mark.parametrize("permanent", [False, True])
@pytest.mark.parametrize("encoding", ["unrolled", "rolled", "rolled-channel"])
def test_masks_of_torch_prune(permanent, encoding):
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    for layer in (model[0], model[3]):
        prune.random_unstructured(layer, "weight", 0.5)
        if permanent:
            prune.remove(layer, "weight")
    with torch.no_grad():  # a step of training, after which the mask has not been applied yet
        for parameter in model.parameters():
            parameter.mul_(2)
    graphs = encode(model, encoding, (2, 4, 4))
    kept = sum(
        int(getattr(m, "weight_mask", m.weight).count_nonzero()) for m in (model[0], model[3])
    )
    assert kept == 54 // 2 + 24 // 2
    total = sum(graph.kept_weights for graph in graphs)
    assert total == kept or encoding == "rolled-channel"
    model(torch.zeros(1, 2, 4, 4))  # applies the masks
    weights = torch.cat([m.weight.detach().flatten() for m in (model[0], model[3])])
    strength = sum(block.weight.sum() for graph in graphs for block in graph.blocks)
    if encoding != "rolled-channel":
        assert strength == pytest.approx(float(weights.abs().sum()), rel=1e-6)


def test_a_layer_that_reads_all_before_it_has_complete_subgraphs():
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3 * (i + 1), 3) for i in range(5))

        def forward(self, x):
            found = [x]
            for layer in self.layers:
                found.append(layer(torch.cat(found, 1)))
            return found[-1]

    model = Dense()
    sparsify(model, 3, [0.7])
    (graph,) = encode(model, torch.zeros(1, 3))
    plain = graph.to_igraph().as_undirected()
    count = len(plain.cliques(4, 4))
    assert count > 0
    assert four_cliques(graph) == count


def test_a_branch_that_is_also_read_without_its_sum():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 3), nn.Linear(4, 3)
            self.of_sum, self.of_first, self.last = (nn.Linear(3, 3) for _ in range(3))

        def forward(self, x):
            first, second = self.first(x), self.second(x)
            return self.last(torch.cat([self.of_sum(first + second), self.of_first(first)], 0))

    class Both(Branches):
        def forward(self, x):
            first, second = self.first(x), self.second(x)
            return self.last(self.of_sum(first + second) + self.of_first(first))

    model = Both()
    sparsify(model, 0, [0.8])
    (graph,) = encode(model, torch.zeros(1, 4))
    # The two stay apart; the sum of the two that read them is one layer.
    assert [layer.size for layer in graph.layers] == [4, 3, 3, 3, 3]
    assert flow.largest_difference(model, graph, (4,)) < 1e-6
    (graph,) = encode(Branches(), torch.zeros(1, 4))  # every image twice, as at two positions
    assert [layer.size for layer in graph.layers] == [4, 3, 3, 3, 3, 6]


def test_one_layer_that_runs_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.last = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.last(self.layer(self.layer(x)))

    model = Twice()
    (graph,) = encode(model, torch.zeros(1, 4))
    assert [layer.size for layer in graph.layers] == [4, 4, 4, 2]
    assert flow.largest_difference(model, graph, (4,)) < 1e-12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_types(dtype):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    sparsify(model, 0, [0.5])
    (graph,) = encode(model.to(dtype), torch.zeros(1, 1, 4, 4))
    found = torch.from_numpy(graph.blocks[0].weight)
    weight = model[0].weight.detach().float().abs().flatten()
    assert torch.equal(found, weight[weight > 0])


def test_what_a_forward_may_ask():
    """Shapes, types and devices are told; in-place functions, constants and views are followed."""

    class Asking(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.last = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 3)
            self.scale = nn.Parameter(torch.ones(1, 4, 1, 1))
            self.register_buffer("grid", torch.rand(1, 1, 4, 5))

        def forward(self, x):
            assert not torch.is_grad_enabled()
            assert not x.requires_grad and not self.training
            assert x.is_floating_point() and x.device == self.scale.device
            count, channels, height, width = x.shape
            assert (x.size(1), x.dim(), len(x)) == (channels, 4, count)
            x = torch.cat([x[..., :2, :], x[:, :, 2:]], dim=-2)
            x = self.conv(x).mul_(self.scale) + self.grid
            x += torch.zeros_like(x)
            x = x.relu_().permute(0, 2, 3, 1).reshape(count, height * width, -1)
            x = x.mT.unflatten(2, (height, width)).roll(1, 1).flip(1)
            return self.last(x.mean(dim=[-2, -1]).to(self.scale))

    model = Asking()
    sparsify(model, 0, [0.7])
    (graph,) = encode(model, torch.zeros(1, 2, 4, 5))
    plain = nn.Sequential(
        model.conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), copy.deepcopy(model.last)
    )
    with torch.no_grad():  # the linear layer reads the channels in another order
        plain[3].weight.copy_(model.last.weight.flip(1).roll(-1, 1))
    (expected,) = encode(plain, torch.zeros(1, 2, 4, 5))
    assert abs(graph.to_scipy() - expected.to_scipy()).sum() == 0


class Net(nn.Module):
    """A convolution, and what a test puts behind it."""

    def __init__(self, behind=None):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.behind = behind

    def forward(self, x):
        return self.conv(x)


class OnData(Net):
    def forward(self, x):
        x = self.conv(x)
        if x.sum(dim=(2, 3)).max() > 0:
            return x
        return -x


class Attention(Net):
    def forward(self, x):
        tokens = self.conv(x).flatten(2).transpose(1, 2)
        return torch.softmax(tokens @ tokens.transpose(1, 2), -1) @ tokens


class Recurrent(Net):
    def forward(self, x):
        return self.behind(self.conv(x).flatten(2))[0]


class Tokens(Net):
    def forward(self, x):
        tokens = self.conv(x).flatten(2).transpose(1, 2)
        return self.behind(tokens, tokens, tokens)[0]


class Dynamic(Net):
    def forward(self, x):
        return nn.functional.conv2d(x, self.conv(x).mean((0, 2, 3), keepdim=True))


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (OnData(), r"OnData: max depends on the data.*line \d+ of test_torchvision.py: if x.sum"),
        (
            Attention(),
            r"Attention: matmul of two values: .*--attention tokens.*torch.softmax\(tokens",
        ),
        (Recurrent(nn.LSTM(16, 3, batch_first=True)), r"behind \(LSTM\).*self.behind\("),
        (Tokens(nn.MultiheadAttention(2, 1)), r"behind \(MultiheadAttention\).*--attention tokens"),
        (Dynamic(), "Dynamic"),
        (nn.Sequential(nn.ReLU()), "does not come from its input"),
        (nn.Sequential(nn.Conv2d(3, 1, 1)), r"0 \(Conv2d\): a convolution of 3 channels reads 1"),
    ],
)
def test_what_cannot_be_a_graph_is_named(model, named):
    with pytest.raises(ValueError, match=named):
        encode(model, torch.zeros(1, 1, 4, 4))


def test_refusals_of_torchvision():
    with pytest.raises(ValueError, match=r"encoder_layer_0.self_attention \(MultiheadAttention\)"):
        encode(network("vit_b_32"), torch.zeros(1, 3, 32, 32))
