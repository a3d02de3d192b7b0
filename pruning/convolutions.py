"""Convolutions in double precision that can be differentiated again and again.

On a CPU torch computes a convolution of doubles as a matrix product with a copy of the whole batch
in which every pixel is there once for each tap of the kernel: that is slow because it does not fit
any cache, and the second derivative, written as convolutions with kernels as large as images, is
slower still. Here a few images go at a time (`pruning.patches`), and derivatives are what they are:
convolution, its derivative by the input and its derivative by the weight are linear in either
argument, and the derivative of each is one of the other two. All this is of convolutions along two
axes: those along one axis or three, and transposed ones, run as torch has them, in double precision
too.

Threads share out the images. Partial sums are of the same images however many threads there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

from pruning.patches import LARGE, Patches, add_outer, products

PARTS = 16
"""Into how many parts a batch is cut, for threads to share."""

COPIES = 2.5e6
"""Bytes of copies, one after the other, behind what a thread takes at a time, or one image's."""


_backward = torch.ops.aten.convolution_backward


class Geometry(NamedTuple):
    """What torch's convolution is given besides the tensors."""

    stride: list[int]
    padding: list[int]
    dilation: list[int]
    transposed: bool
    output_padding: list[int]
    groups: int


class FewImages(TorchFunctionMode):
    """While it lasts, ``torch.conv2d`` of doubles on a CPU goes by a few images at a time.

    Parameters
    ----------
    in_vain : bool
        Whether derivatives by weights that are given, not computed, are to be differentiated (in
        ``create_graph=True``) and never looked at. They are then linear in what is differentiated
        next, so that their values, here zero, do not matter.
    """

    def __init__(self, in_vain: bool = False) -> None:
        super().__init__()
        self.in_vain = in_vain

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Compute one function."""
        if func is torch.conv2d:
            return _conv2d(self.in_vain, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _conv2d(
    in_vain: bool,
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> torch.Tensor:
    fits = input.dtype == weight.dtype == torch.float64 and input.device.type == "cpu"
    if not fits or input.dim() != 4 or isinstance(padding, str):
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    stride, padding, dilation = map(_pair, (stride, padding, dilation))
    geometry = Geometry(stride, padding, dilation, False, [0, 0], groups)
    out = _Convolution.apply(input, weight, geometry, in_vain and weight.is_leaf)
    return out if bias is None else out + bias[:, None, None]


def _pair(value: Any) -> list[int]:
    return list(value) * (2 // len(value)) if isinstance(value, tuple | list) else [value] * 2


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, geometry, in_vain=False):
        ctx.save_for_backward(images, weight)
        ctx.geometry, ctx.in_vain = geometry, in_vain
        size = _size(images, weight, geometry)
        out = images.new_empty((len(images), len(weight), *size))

        def some_images(patches: Patches | None, _: int, some: slice) -> None:
            if patches:
                products(out[some], images[some], weight, patches)
            else:
                out[some] = torch.ops.aten.convolution(images[some], weight, None, *geometry)

        _spread(some_images, len(images), weight, size, _reading(images, weight, size, geometry))
        return out

    @staticmethod
    def backward(ctx, gradient):
        images, weight = ctx.saved_tensors
        by_images = by_weight = None
        if ctx.needs_input_grad[0]:
            by_images = _ByImages.apply(gradient, weight, images.shape, ctx.geometry)
        if ctx.needs_input_grad[1]:
            in_vain = ctx.in_vain and torch.is_grad_enabled()
            by_weight = _ByWeight.apply(gradient, images, weight.shape, ctx.geometry, in_vain)
        return by_images, by_weight, None, None


class _ByImages(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gradient, weight, shape, geometry):
        ctx.save_for_backward(gradient, weight)
        ctx.geometry = geometry
        out = gradient.new_empty(shape)
        mask = [True, False, False]
        turned, back = _turned(weight, geometry)
        reading = _reading(gradient, turned, shape[2:], back) if back else None

        def some_images(patches: Patches | None, _: int, some: slice) -> None:
            if patches:
                products(out[some], gradient[some], turned, patches)
            else:
                out[some] = _backward(gradient[some], out[some], weight, None, *geometry, mask)[0]

        _spread(some_images, len(gradient), weight, gradient.shape[2:], reading)
        return out

    @staticmethod
    def backward(ctx, direction):
        gradient, weight = ctx.saved_tensors
        by_gradient = by_weight = None
        if ctx.needs_input_grad[0]:
            by_gradient = _Convolution.apply(direction, weight, ctx.geometry)
        if ctx.needs_input_grad[1]:
            by_weight = _ByWeight.apply(gradient, direction, weight.shape, ctx.geometry)
        return by_gradient, by_weight, None, None


class _ByWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gradient, images, shape, geometry, in_vain=False):
        ctx.save_for_backward(gradient, images)
        ctx.geometry = geometry
        if in_vain:
            return gradient.new_zeros(shape)
        sums = gradient.new_zeros((PARTS, *shape))
        mask = [False, True, False]
        size = gradient.shape[2:]

        def some_images(patches: Patches | None, part: int, some: slice) -> None:
            given = gradient[some], images[some]
            if patches:
                add_outer(sums[part], *given, patches)
            else:
                sums[part] += _backward(*given, sums[0], None, *geometry, mask)[1]

        reading = _reading(images, sums[0], size, geometry)
        _spread(some_images, len(gradient), sums[0], size, reading)
        return sums.sum(0)

    @staticmethod
    def backward(ctx, direction):
        gradient, images = ctx.saved_tensors
        by_gradient = by_images = None
        if ctx.needs_input_grad[0]:
            by_gradient = _Convolution.apply(images, direction, ctx.geometry)
        if ctx.needs_input_grad[1]:
            by_images = _ByImages.apply(gradient, direction, images.shape, ctx.geometry)
        return by_gradient, by_images, None, None, None


def _reading(
    images: torch.Tensor, weight: torch.Tensor, size: Sequence[int], geometry: Geometry
) -> Callable[[], Patches] | None:
    """What makes the patches of a convolution; None where torch's own way is as good."""
    taps = weight.shape[2:]
    of_an_image = weight[0].numel() * weight.itemsize * math.prod(size)
    if geometry.groups > 1 or math.prod(taps) == 1 or of_an_image < LARGE:
        return None
    return partial(Patches, images.shape[1:], taps, size, *geometry[:3])


def _turned(
    weight: torch.Tensor, geometry: Geometry
) -> tuple[torch.Tensor, Geometry] | tuple[None, None]:
    """The convolution that is the derivative of another by its images; None if it is none."""
    padding = [
        gap * (taps - 1) - pad
        for taps, pad, gap in zip(weight.shape[2:], geometry.padding, geometry.dilation)
    ]
    if geometry.groups > 1 or max(geometry.stride) > 1 or min(padding) < 0:
        return None, None
    return weight.transpose(0, 1).flip(2, 3), geometry._replace(padding=padding)


def _size(images: torch.Tensor, weight: torch.Tensor, geometry: Geometry) -> list[int]:
    """Height and width of what a convolution gives."""
    sides = zip(images.shape[2:], weight.shape[2:], *geometry[:3])
    return [
        (side + 2 * pad - gap * (taps - 1) - 1) // step + 1 for side, taps, step, pad, gap in sides
    ]


def _spread(
    work: Callable[[Patches | None, int, slice], None],
    count: int,
    weight: torch.Tensor,
    size: Sequence[int],
    reading: Callable[[], Patches] | None,
) -> None:
    """Do the work on a few images at a time, in threads that have one thread each."""
    copies = weight[0].numel() * weight.itemsize * math.prod(size)
    step = max(1, int(COPIES // copies))
    steps = -(-count // step)
    some = [slice(start, start + step) for start in range(0, count, step)]
    parts = [some[number::PARTS] for number in range(min(PARTS, steps))]

    def each(number: int) -> None:
        with torch.no_grad():
            patches = reading() if reading else None
            for images in parts[number]:
                work(patches, number, images)

    threads = torch.get_num_threads()
    if min(threads, len(parts)) == 1:
        for number in range(len(parts)):
            each(number)
        return
    alone = partial(torch.set_num_threads, 1)
    try:
        with ThreadPoolExecutor(min(threads, len(parts)), initializer=alone) as pool:
            list(pool.map(each, range(len(parts))))
    finally:
        torch.set_num_threads(threads)
