"""Pooling, means and sums over positions: an element stands for a window of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from .. import sums
from ..connections import as_maps
from ..network import Network
from ..values import IMAGES, Value, of_one_image, pooled
from ..windows import adaptive_windows, is_identity, pooling_windows
from .arguments import as_volume, each, map_size, read, three
from .registry import Call, handles

NO_IMAGES = "pooling needs a batch of images"


@handles("max_pool1d max_pool2d max_pool3d")
def max_pooled(
    call: Call,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Value:
    """Every position stands for its window."""
    if return_indices:
        raise NotImplementedError("max pooling that gives its indices depends on the data")
    value, dims = read(input), int(call.name[-2])
    if len(value.shape) != dims + 2:
        raise NotImplementedError(NO_IMAGES)
    geometry = {"kernel_size": kernel_size, "stride": stride or None, "padding": padding}
    pool = getattr(F, f"max_pool{dims}d")
    sizes = map_size(pool, value, dilation=dilation, ceil_mode=ceil_mode, **geometry)
    given = kernel_size, stride or kernel_size, padding, dilation
    axes = zip(value.shape[2:], *(each(of, dims) for of in given), sizes, strict=True)
    return with_windows(call.network, value, [pooling_windows(*axis) for axis in axes])


@handles("avg_pool1d avg_pool2d avg_pool3d")
def average_pooled(
    call: Call,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    *rest: Any,
    **kwargs: Any,
) -> Value:
    """As `max_pooled`."""
    return max_pooled(call, input, kernel_size, stride, padding, 1, ceil_mode)


@handles(
    """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
    """
)
def adaptively_pooled(
    call: Call, input: Any, output_size: Any, return_indices: bool = False
) -> Value:
    """Every position stands for its share of the map."""
    dims = int(call.name[-2])
    if input.dim() != dims + 2:
        raise NotImplementedError(NO_IMAGES)
    windows = [
        adaptive_windows(size, size if new is None else new)
        for size, new in zip(input.shape[2:], each(output_size, dims), strict=True)
    ]
    return with_windows(call.network, read(input), windows)


def with_windows(network: Network, value: Value, windows: list[np.ndarray]) -> Value:
    """A map of which every position stands for a window, given along each axis."""
    sizes, new = value.shape[2:], tuple(map(len, windows))
    if all(is_identity(w, size) for w, size in zip(windows, sizes, strict=True)):
        return value
    axes = three(windows, adaptive_windows(1, 1))

    return Value(
        tuple(
            found.reshape(*found.shape[:2], *new)
            for numbers in as_volume(value).alternatives
            for found in pooled(of_one_image(numbers), network.spaces, axes)
        )
    )


@handles("mean sum amax")
def over_axes(
    call: Call,
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    *,
    axis: Any = None,
    keepdims: bool = False,
    dtype: torch.dtype | None = None,
) -> Value:
    """Over positions, every channel stands for its whole map, rows or columns.

    Over an axis along which values were stacked it is a sum of them, or their maximum. A norm that
    is written out takes a mean along one axis from its value, or divides by it, which adds nothing.
    """
    value, dims = read(input), input.dim()
    dim, keepdim = axis if dim is None else dim, keepdim or keepdims  # both have NumPy's names too
    over = sorted(d % dims for d in ((dim,) if isinstance(dim, int) else dim or range(dims)))
    left = [d for d in range(1, dims) if d not in over]
    shape = [
        1 if d in over else size for d, size in enumerate(input.shape) if keepdim or d not in over
    ]
    stacked = _is_of_all_images(value) if over == [0] else dims >= 5 and len(over) == 1
    if stacked:
        slices = zip(*(numbers.unbind(over[0]) for numbers in value.alternatives), strict=True)
        terms = [Value(tuple(numbers.reshape(shape) for numbers in each)) for each in slices]
        return (sums.beside if call.name == "amax" else sums.summed)(call.network, terms)
    if 0 in over or not 3 <= dims <= 5 or not left:
        raise NotImplementedError("a mean that is not over positions of images")
    if call.name == "mean" and keepdim and len(over) == 1:
        mean = partial(_windows_over, call.network, value, over, left, shape)
        return sums.Moment(value, torch.Size(shape), mean)
    return _windows_over(call.network, value, over, left, shape)


@handles("norm")
def norm_over_axes(
    call: Call, input: Any, p: Any = 2, dim: Any = None, keepdim: bool = False, **kwargs: Any
) -> Value:
    """The same for what a gate or a norm computes of positions."""
    return over_axes(call, input, dim, keepdim)


def _windows_over(
    network: Network, value: Value, over: list[int], left: list[int], shape: list[int]
) -> Value:
    if 1 in over and len(left) > 1:
        raise NotImplementedError("a mean or a sum over axis 1 of 4 cannot be followed")
    if len(left) == 1:  # all positions of a map, or of a row of them
        rows = value.changed(lambda numbers: numbers.movedim(left[0], 1).flatten(2))
        maps = as_maps(network, rows)
        windows = [adaptive_windows(size, 1) for size in maps.shape[2:]]
    else:
        maps = value
        windows = [
            adaptive_windows(size, 1 if d in over else size) for d, size in enumerate(value.shape)
        ][2:]
    found = with_windows(network, maps, windows)
    return found.changed(lambda numbers: numbers.reshape(shape))


def _is_of_all_images(value: Value) -> bool:
    """Whether the first axis is not that of the images: what stands there first is of all."""
    numbers = value.alternatives[0][0]
    return len((numbers[numbers >= 0] & 1).unique()) == IMAGES
