"""Convolutions in double precision, image by image, that can be differentiated again and again.

On a CPU torch computes a convolution of doubles as a matrix product with a copy of the whole batch
in which every pixel is there once for each tap of the kernel: that is slow because it does not fit
any cache, and the second derivative, written as convolutions with kernels as large as images, is
slower still. Here images go one after the other, and derivatives are what they are: convolution,
its derivative by the input and its derivative by the weight are linear in either argument, and the
derivative of each is one of the other two.

Threads share out the images. Partial sums are of the same images however many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

PARTS = 16
"""Into how many parts a batch is cut."""


class Geometry(NamedTuple):
    """What torch's convolution is given besides the tensors."""

    stride: list[int]
    padding: list[int]
    dilation: list[int]
    transposed: bool
    output_padding: list[int]
    groups: int


class ByImage(TorchFunctionMode):
    """While it lasts, ``torch.conv2d`` of doubles on a CPU goes image by image."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Compute one function."""
        if func is torch.conv2d:
            return _conv2d(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _conv2d(
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
    out = _Convolution.apply(input, weight, geometry)
    return out if bias is None else out + bias[:, None, None]


def _pair(value: Any) -> list[int]:
    return list(value) * (2 // len(value)) if isinstance(value, tuple | list) else [value] * 2


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, geometry):
        ctx.save_for_backward(images, weight)
        ctx.geometry = geometry

        def each(image: torch.Tensor) -> torch.Tensor:
            return torch.ops.aten.convolution(image, weight, None, *geometry)

        return torch.cat([piece for part in _spread(_mapped, each, images) for piece in part])

    @staticmethod
    def backward(ctx, gradient):
        images, weight = ctx.saved_tensors
        by_images = by_weight = None
        if ctx.needs_input_grad[0]:
            by_images = _ByImages.apply(gradient, weight, images.shape, ctx.geometry)
        if ctx.needs_input_grad[1]:
            by_weight = _ByWeight.apply(gradient, images, weight.shape, ctx.geometry)
        return by_images, by_weight, None


class _ByImages(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gradient, weight, shape, geometry):
        ctx.save_for_backward(gradient, weight)
        ctx.geometry = geometry
        like = gradient.new_empty(1).expand(1, *shape[1:])

        def each(piece: torch.Tensor) -> torch.Tensor:
            return _derivatives(piece, like, weight, geometry, [True, False, False])[0]

        return torch.cat([piece for part in _spread(_mapped, each, gradient) for piece in part])

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
    def forward(ctx, gradient, images, shape, geometry):
        ctx.save_for_backward(gradient, images)
        ctx.geometry = geometry
        like = gradient.new_empty(1).expand(shape)

        def each(piece: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
            return _derivatives(piece, image, like, geometry, [False, True, False])[1]

        total = gradient.new_zeros(shape)
        for part in _spread(_summed, each, gradient, images):
            total += part
        return total

    @staticmethod
    def backward(ctx, direction):
        gradient, images = ctx.saved_tensors
        by_gradient = by_images = None
        if ctx.needs_input_grad[0]:
            by_gradient = _Convolution.apply(images, direction, ctx.geometry)
        if ctx.needs_input_grad[1]:
            by_images = _ByImages.apply(gradient, direction, images.shape, ctx.geometry)
        return by_gradient, by_images, None, None


def _derivatives(
    gradient: torch.Tensor,
    images: torch.Tensor,
    weight: torch.Tensor,
    geometry: Geometry,
    wanted: list[bool],
) -> tuple[torch.Tensor | None, ...]:
    backward = torch.ops.aten.convolution_backward
    return backward(gradient, images, weight, None, *geometry, wanted)


def _mapped(each: Callable[..., torch.Tensor], *batches: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return [each(*images) for images in zip(*(batch.split(1) for batch in batches))]


def _summed(each: Callable[..., torch.Tensor], *batches: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return sum(each(*images) for images in zip(*(batch.split(1) for batch in batches)))


def _spread(
    work: Callable[..., Any], each: Callable[..., torch.Tensor], *batches: torch.Tensor
) -> Iterator[Any]:
    """Do the work on every part of the batches, in threads that have one thread each."""
    size = -(-len(batches[0]) // PARTS)
    parts = [batch.split(size) for batch in batches]
    threads = min(torch.get_num_threads(), len(parts[0]))
    work = partial(work, each)
    if threads == 1:
        yield from map(work, *parts)
        return
    before = torch.get_num_threads()
    alone = partial(torch.set_num_threads, 1)
    try:
        with ThreadPoolExecutor(threads, initializer=alone) as pool:
            yield from pool.map(work, *parts)
    finally:
        torch.set_num_threads(before)
