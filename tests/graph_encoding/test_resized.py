"""Decoders: transposed convolutions, resized and shuffled maps, against torch's own passes."""

import flow
import numpy as np
import pytest
import torch
from networks import WEIGHTED, sparsify
from torch import nn
from torch.nn import functional as F

import models
import pruning
from datasets.torchvision_import import import_torchvision
from graph_encoding import encode


class One(nn.Module):
    """A gate that leaves all as it is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(x.shape[0], 128, 1, 1)


class UNet(nn.Module):
    """Two levels down and up again, as Ronneberger et al. (2015); `up` makes a map larger."""

    def __init__(self, up) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.deep = nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.up_again = up(8, 4), up(4, 3)
        self.mixed, self.last = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(6, 2, 3, padding=1)

    def forward(self, x):
        one = F.relu(self.one(x))
        two = F.relu(self.two(F.max_pool2d(one, 2)))
        deep = F.relu(self.deep(F.max_pool2d(two, 2)))
        x = F.relu(self.mixed(torch.cat([self.up(deep), two], 1)))
        return self.last(torch.cat([self.up_again(x), one], 1))


def transposed(inputs, outputs):
    return nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1)


def shuffled(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2))


def resized(mode, align_corners=None):
    def up(inputs, outputs):
        layer = nn.Conv2d(inputs, outputs, 1)
        return nn.Sequential(nn.Upsample(None, 2, mode, align_corners), layer)

    return up


UPS = {
    "transposed": transposed,
    "shuffled": shuffled,
    "nearest": resized("nearest"),
    "bilinear": resized("bilinear", False),
    "aligned": resized("bilinear", True),
    "bicubic": resized("bicubic", False),
    "area": resized("area"),
}


@pytest.mark.parametrize("up", UPS)
def test_linear_flow_of_a_u_net(up):
    model, shape = UNet(UPS[up]), (2, 8, 12)
    sparsify(model, 0, [0.6])
    (graph,) = encode(model, "unrolled", shape)
    assert graph.is_regular
    assert graph.num_edges == graph.to_scipy().nnz
    assert flow.largest_difference(model, graph, shape) < 1e-6  # float32 sums of merged weights
    weights = [m.weight for m in model.modules() if isinstance(m, WEIGHTED)]
    assert graph.kept_weights == sum(int(weight.count_nonzero()) for weight in weights)
    assert graph.total_weights == sum(weight.numel() for weight in weights)
    masks = pruning.effective_masks(model, shape)
    assert set(masks) == {
        f"{name}.weight" for name, m in model.named_modules() if isinstance(m, WEIGHTED)
    }


def autoencoder():
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 3, 3, 2, 1), nn.Flatten()),
        *(nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 24), nn.ReLU(), nn.Unflatten(1, (6, 2, 2))),
        *(nn.ConvTranspose2d(6, 4, 4, 2, 1, groups=2), nn.BatchNorm2d(4), nn.ReLU()),
        nn.ConvTranspose2d(4, 1, 4, 2, 1),
    )


def generator():
    return nn.Sequential(
        *(nn.ConvTranspose2d(5, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
        nn.ConvTranspose2d(4, 2, 3, 3, 2, dilation=2, output_padding=2),
    )


def super_resolution():
    return nn.Sequential(
        *(nn.Conv2d(2, 9, 3, padding=1), nn.PixelShuffle(3), nn.Conv2d(1, 2, 3, padding=1)),
        *(nn.PixelUnshuffle(3), nn.Conv2d(18, 2, 3, 2, 1)),
    )


def sound():
    return nn.Sequential(
        *(nn.Conv1d(2, 4, 4, 2, 1), nn.ReLU(), nn.Upsample(11, mode="linear"), nn.Conv1d(4, 4, 3)),
        nn.ConvTranspose1d(4, 2, 5, 3, 2, output_padding=1, groups=2),
    )


def volume():
    return nn.Sequential(
        *(nn.Conv3d(1, 3, 2, 2), nn.ReLU(), nn.ConvTranspose3d(3, 2, (1, 2, 3), (2, 2, 1))),
        *(nn.Upsample(None, (2, 1, 1.5), "trilinear"), nn.Conv3d(2, 1, 3, padding=1)),
    )


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (autoencoder, (1, 8, 8)),
        (generator, (5, 1, 2)),
        (super_resolution, (2, 4, 5)),
        (sound, (2, 12)),
        (volume, (1, 4, 6, 4)),
    ],
)
def test_linear_flow(make, shape):
    model = make()
    sparsify(model, 1, [0.7])
    (graph,) = encode(model, "unrolled", shape)
    assert graph.num_edges == graph.to_scipy().nnz
    assert flow.largest_difference(model, graph, shape) < 1e-6
    weights = [m.weight for m in model.modules() if isinstance(m, WEIGHTED)]
    assert graph.kept_weights == sum(int(weight.count_nonzero()) for weight in weights)


@pytest.mark.parametrize("name", ["deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_linear_flow_of_segmentation(name):
    import_torchvision()
    from torchvision.models import segmentation

    class BeforeItIsResized(nn.Module):
        """An output that is resized stands for several nodes each; the flow needs the nodes."""

        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            features = self.net.backbone(x)
            return self.net.classifier(features if "lraspp" in name else features["out"])

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(segmentation, name)(weights=None, weights_backbone=None)
    if "lraspp" in name:  # a gate that is resized is met many times and counts once, unlike a flow
        model.classifier.scale = One()
    sparsify(model, 0, [0.3])
    (whole,) = encode(model, torch.zeros(1, 3, 32, 32))
    (graph,) = encode(BeforeItIsResized(model), "unrolled", (3, 32, 32), "identity")
    assert [layer.shape for layer in whole.layers] == [layer.shape for layer in graph.layers]
    assert graph.is_regular
    assert flow.largest_difference(BeforeItIsResized(model), graph, (3, 32, 32)) < 1e-6


def test_bipartite_graphs_of_a_transposed_convolution_lead_from_its_inputs_to_its_outputs():
    layer = nn.ConvTranspose2d(6, 4, (1, 3), groups=2)
    sparsify(layer, 0, [0.6])
    weight = models.weight_of(layer)
    assert weight.shape == (4, 3, 1, 3)
    unit = torch.zeros(1, 6, 1, 1)
    for channel in range(6):  # what one input gives is its column of kernels
        with torch.no_grad():
            given = layer(unit.index_fill(1, torch.tensor(channel), 1)) - layer(unit)
        group, place = divmod(channel, 3)
        outputs = slice(2 * group, 2 * group + 2)
        assert torch.allclose(given[0, outputs], weight[outputs, place], atol=1e-6)
    (rolled,), (channels,) = (encode(layer, name) for name in ("rolled", "rolled-channel"))
    assert [part.size for part in rolled.layers] == [9, 4]
    assert [part.size for part in channels.layers] == [3, 4]
    assert rolled.num_edges == int(weight.count_nonzero())
    assert channels.num_edges == int(weight.abs().sum((2, 3)).count_nonzero())


def test_bicubic_shares_count_by_their_moduli_in_synflow():
    """One weight before and one behind: the flow through them is that through the shares."""
    model = nn.Sequential(
        nn.Conv2d(1, 1, 1, bias=False), nn.Upsample((7, 6), mode="bicubic"), nn.Conv2d(1, 1, 1)
    ).double()
    flow_of = pruning.linear.outputs(
        pruning.linear.linearised(model), torch.ones(1, 1, 4, 3).double()
    )
    shares = F.interpolate(torch.eye(12).double().view(1, 12, 4, 3), (7, 6), mode="bicubic").abs()
    weights = model[0].weight.abs().item() * model[2].weight.abs().item()
    np.testing.assert_allclose(flow_of.detach()[0, 0], weights * shares[0].sum(0), rtol=1e-12)
