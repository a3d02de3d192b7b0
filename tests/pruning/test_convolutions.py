"""Convolutions in double precision against torch's own, to the third derivative."""

import contextlib

import pytest
import torch
from torch import nn

from pruning import convolutions, patches
from pruning.convolutions import FewImages

GEOMETRIES = [
    {"padding": 1},
    {"padding": (0, 2), "stride": (2, 1), "dilation": 2, "bias": False},
    {"groups": 2, "stride": 2},
    {"groups": 4, "padding": 1},
    {"padding": "same"},
]


@pytest.fixture(params=["as it comes", "all by patches", "a row at a time"])
def large(request, monkeypatch):
    """Images this small are left to torch, unless all are large."""
    if request.param != "as it comes":
        monkeypatch.setattr(convolutions, "LARGE", 0)
    if request.param == "a row at a time":
        monkeypatch.setattr(patches, "COPIES", 1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_values_and_derivatives_are_those_of_torch(geometry, threads, large):
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3, **geometry).double()
    images = torch.randn(35, 4, 9, 8, dtype=torch.float64, requires_grad=True)
    points = [images, *layer.parameters()]
    vectors = [[torch.randn_like(point) for point in points] for _ in range(2)]

    def values():
        found = [layer(images)]
        scalar = found[0].sin().sum()
        for vector in (*vectors, None):
            slopes = torch.autograd.grad(scalar, points, create_graph=True)
            found += slopes
            if vector:
                scalar = sum((slope * v).sum() for slope, v in zip(slopes, vector))
        return found

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        expected = values()
        with FewImages():
            got = values()
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for one, other in zip(got, expected, strict=True):
        scale = float(other.detach().abs().max())
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13 * scale)


def test_single_precision_is_left_alone():
    layer, images = nn.Conv2d(3, 2, 3), torch.randn(3, 5, 5)
    with FewImages():
        assert torch.equal(layer(images), layer.forward(images))
        assert layer(images).dtype == torch.float32


class Standardised(nn.Conv2d):
    """Its kernel is computed from its parameter, so that its second derivative matters, too."""

    def forward(self, images):
        deviation = self.weight.std((1, 2, 3), keepdim=True)
        return torch.conv2d(images, self.weight / deviation, self.bias, padding=1)


@pytest.mark.parametrize("kind", [nn.Conv2d, Standardised])
def test_products_with_the_hessian_need_no_values_of_gradients(kind, large):
    """Of weights that are given none is computed; of one that is computed it counts."""
    torch.manual_seed(0)
    network = nn.Sequential(
        kind(3, 4, 3, padding=1), nn.Tanh(), kind(4, 5, 3, padding=1), nn.Flatten()
    ).double()
    images = torch.randn(6, 3, 5, 4, dtype=torch.float64)
    vectors = [torch.randn_like(weight) for weight in network.parameters()]

    def product(mode):
        weights = list(network.parameters())
        with mode:
            loss = network(images).sin().sum()
        slopes = torch.autograd.grad(loss, weights, create_graph=True)
        along = sum((slope * vector).sum() for slope, vector in zip(slopes, vectors, strict=True))
        return slopes, torch.autograd.grad(along, weights)

    _, expected = product(contextlib.nullcontext())
    slopes, found = product(FewImages(in_vain=True))
    assert bool(slopes[0].any()) is (kind is Standardised)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
