"""Convolutions in double precision against torch's own, to the third derivative."""

import pytest
import torch
from torch import nn

from pruning.convolutions import FewImages

GEOMETRIES = [
    {"padding": 1},
    {"padding": (0, 2), "stride": (2, 1), "dilation": 2, "bias": False},
    {"groups": 2, "stride": 2},
    {"groups": 4, "padding": 1},
    {"padding": "same"},
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_values_and_derivatives_are_those_of_torch(geometry, threads):
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
