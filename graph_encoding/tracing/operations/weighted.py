"""Convolutions and linear layers: new node layers."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from .. import connections
from .. import linear as layers
from ..tensors import value_of
from ..values import MIXED, Value, is_mixed
from .arguments import OF_INPUT, as_volume, each, map_size, read, three
from .registry import Call, handles


@handles("conv1d conv2d conv3d")
def convolution(
    call: Call,
    input: Any,
    weight: torch.Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Value:
    """A node layer of a convolution's maps."""
    value, dims = _read_map(call, input, weight, weight.shape[1] * groups)
    kernel = torch.zeros(1, 1, *weight.shape[2:])
    geometry = {"stride": stride, "padding": padding, "dilation": dilation}
    size = map_size(getattr(F, call.name), value, weight=kernel, **geometry)
    stride, dilation = each(stride, dims), each(dilation, dims)
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        sides = [(total // 2, total - total // 2) for total in totals]
    elif padding == "valid":
        sides = [(0, 0)] * dims
    else:
        sides = [(p, p) for p in each(padding, dims)]
    layer = connections.convolution(
        call.network,
        connections.parts_of(call.network, as_volume(value)),
        weight.reshape(*weight.shape[:2], *three(weight.shape[2:], 1)),
        three(stride, 1),
        three(sides, (0, 0)),
        three(dilation, 1),
        groups,
        three(size, 1),
    )
    shape = (len(input), len(weight), *size)
    return layer.changed(lambda numbers: numbers.reshape(shape))


@handles("conv_transpose1d conv_transpose2d conv_transpose3d")
def transposed_convolution(
    call: Call,
    input: Any,
    weight: torch.Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Value:
    """A node layer of a transposed convolution's maps."""
    value, dims = _read_map(call, input, weight, len(weight))
    geometry = {
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
    }
    kernel = torch.zeros(1, 1, *weight.shape[2:])
    size = map_size(getattr(F, call.name), value, weight=kernel, **geometry)
    numbers = {name: each(of, dims) for name, of in geometry.items()}
    layer = connections.transposed_convolution(
        call.network,
        as_volume(value),
        weight.reshape(*weight.shape[:2], *three(weight.shape[2:], 1)),
        three(numbers["stride"], 1),
        three(numbers["padding"], 0),
        three(numbers["output_padding"], 0),
        three(numbers["dilation"], 1),
        groups,
        three(size, 1),
    )
    shape = (len(input), weight.shape[1] * groups, *size)
    return layer.changed(lambda numbers: numbers.reshape(shape))


def _read_map(call: Call, input: Any, weight: Any, channels: int) -> tuple[Value, int]:
    """The map that a convolution reads, and along how many axes."""
    if value_of(weight) is not None:
        raise NotImplementedError(OF_INPUT)
    value, dims = read(input), int(call.name[-2])
    if len(value.shape) != dims + 2:
        sizes = ("depth", "height", "width")[-dims:] if dims > 1 else ("positions",)
        raise NotImplementedError(
            f"this convolution reads inputs of ({', '.join(('channels', *sizes))}), here one has "
            f"shape {tuple(value.shape[1:])}: is the axis of images missing in the example input?"
        )
    if value.shape[1] != channels:
        raise NotImplementedError(f"a convolution of {channels} channels reads {value.shape[1]}")
    return value, dims


@handles("addmm")
def linear_of_transposed(
    call: Call, input: Any, mat1: Any, mat2: torch.Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Value:
    """A linear layer of the transposed weight, as GPT-2 has it, with its bias."""
    if value_of(input) is not None or alpha != 1:
        raise NotImplementedError("addmm of anything but a bias, a value and a weight")
    if value_of(mat2) is not None:
        raise NotImplementedError(OF_INPUT)
    return linear(call, mat1, mat2.T)


@handles("linear")
def linear(call: Call, input: Any, weight: torch.Tensor, bias: Any = None) -> Value:
    """A node layer of a linear layer's outputs."""
    if value_of(weight) is not None:
        raise NotImplementedError(OF_INPUT)
    value = read(input)
    if is_mixed(value):
        raise NotImplementedError(MIXED)
    if input.shape[-1] != weight.shape[1]:
        raise NotImplementedError(
            f"a linear layer of {weight.shape[1]} features reads {input.shape[-1]}"
        )
    return layers.linear(call.network, value, weight)
