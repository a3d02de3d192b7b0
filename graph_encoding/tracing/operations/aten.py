"""Functions that programs of ``torch.export`` call by other names or with other arguments."""

from __future__ import annotations

from typing import Any

from ..values import Value
from . import pooling, resizing, weighted
from .registry import Call, handles

MODES = {"linear1d": "linear", "bilinear2d": "bilinear", "bicubic2d": "bicubic"}
MODES |= {"trilinear3d": "trilinear"}


@handles("convolution")
def convolution(
    call: Call,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Value:
    """One of any number of axes, transposed or not."""
    call.name = f"conv_transpose{weight.dim() - 2}d" if transposed else f"conv{weight.dim() - 2}d"
    if transposed:
        return weighted.transposed_convolution(
            call, input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    return weighted.convolution(call, input, weight, bias, stride, padding, dilation, groups)


@handles(" ".join(f"upsample_{name}" for name in MODES))
def resized(
    call: Call, input: Any, output_size: Any, align_corners: bool, scale_factors: Any = None
) -> Value:
    """`F.interpolate` between positions."""
    mode = MODES[call.name.removeprefix("upsample_")]
    sizes = {"size": output_size, "scale_factor": scale_factors}
    return resizing.interpolated(call, input, mode=mode, align_corners=align_corners, **sizes)


@handles("upsample_nearest1d upsample_nearest2d upsample_nearest3d")
def repeated(call: Call, input: Any, output_size: Any, scale_factors: Any = None) -> Value:
    """`F.interpolate` of nearest positions."""
    return resizing.interpolated(call, input, size=output_size, scale_factor=scale_factors)


@handles(
    """
    max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool1d_with_indices
    adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices
    """
)
def with_indices(call: Call, *args: Any, **kwargs: Any) -> list[Value | None]:
    """A pooled map; where its maxima are depends on the data."""
    call.name = call.name.removesuffix("_with_indices")
    adaptive = call.name.startswith("adaptive")
    pool = pooling.adaptively_pooled if adaptive else pooling.max_pooled
    return [pool(call, *args, **kwargs), None]


@handles("assert_tensor_metadata")
def checked(call: Call, *args: Any, **kwargs: Any) -> None:
    """Nothing: types of values are not known."""
