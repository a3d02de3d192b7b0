"""Tensors of other forms in a file of weights, made without trusting it: sparse and quantised."""

from __future__ import annotations

import math
from typing import Any

import torch

from system.errors import Fault

LAYOUTS = {
    f"torch.{name}": getattr(torch, name)
    for name in ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
}
INTEGERS = {"QInt8": torch.int8, "QUInt8": torch.uint8, "QInt32": torch.int32}
PER_TENSOR, PER_CHANNEL = "per_tensor_affine", "per_channel_affine"
PACKED, THEIR_TYPE = "._packed_params._packed_params", "._packed_params.dtype"
"""What names of quantised linear layers end with, whose values are weights and biases."""


def layout(name: Any) -> torch.layout:
    """What stands for ``torch.serialization._get_layout``."""
    if name not in LAYOUTS:
        raise Fault("a tensor has an unknown layout")
    return LAYOUTS[name]


def size(numbers: Any) -> tuple:
    """What stands for ``torch.Size``."""
    if type(numbers) is not tuple:
        raise Fault("a size is no tuple")
    return numbers


def sparse(kind: Any, parts: Any) -> torch.Tensor:
    """What stands for ``torch._utils._rebuild_sparse_tensor``: its indices are checked."""
    coordinates = kind is torch.sparse_coo
    *tensors, size = parts[: 3 if coordinates else 4]
    if not all(type(each) is torch.Tensor and each.is_contiguous() for each in tensors):
        raise Fault("a sparse tensor is not made of lists of numbers")
    if coordinates:
        return torch.sparse_coo_tensor(*tensors, size, check_invariants=True)
    return torch.sparse_compressed_tensor(*tensors, size, layout=kind, check_invariants=True)


def quantised(
    values: torch.Tensor, offset: int, shape: Any, strides: Any, scheme: Any, *_: Any
) -> torch.Tensor:
    """What stands for ``torch._utils._rebuild_qtensor``: its numbers, dequantised."""
    if math.prod(shape) > len(values):
        raise Fault("a quantised tensor is larger than its record")
    kind, scale, zero, *axis = scheme
    numbers = torch.as_strided(values, shape, strides, offset).int()  # checks the bounds
    if kind == PER_TENSOR:
        return (numbers - int(zero)).float() * torch.tensor(float(scale))
    if kind != PER_CHANNEL:
        raise Fault("a tensor is quantised in an unknown way")
    along = [1] * numbers.dim()
    along[axis[0]] = numbers.shape[axis[0]]
    scale, zero = (_one_each(each, numbers, along) for each in (scale, zero))
    return ((numbers - zero) * scale.double()).float()  # as torch rounds


def _one_each(of: torch.Tensor, numbers: torch.Tensor, along: list[int]) -> torch.Tensor:
    """Scales or zeros of channels."""
    if not of.is_contiguous() or of.numel() > numbers.numel():
        raise Fault("a quantised tensor has not one scale a channel")
    return of.reshape(along)


def unpacked(state: dict[Any, Any]) -> dict[Any, Any]:
    """A state in which the layers of quantised networks name their weights as plain ones do."""
    found: dict[Any, Any] = {}
    for name, value in state.items():
        if type(name) is str and name.endswith(PACKED) and type(value) is tuple and value:
            weight, *bias = value
            found[name.removesuffix(PACKED) + ".weight"] = weight
            if bias and isinstance(bias[0], torch.Tensor):
                found[name.removesuffix(PACKED) + ".bias"] = bias[0]
        elif type(name) is not str or not name.endswith(THEIR_TYPE):
            found[name] = value
    return found


def made_plain(
    state: dict[str, torch.Tensor], own: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """A state of dense numbers, without what rounded the outputs of quantised layers.

    A sparse tensor becomes dense only if the network has a weight of its shape.
    """
    from .dense import dense_of

    shapes = {tensor.shape for tensor in own.values()}
    return {
        name: dense_of(tensor)
        if tensor.is_quantized or (tensor.layout in LAYOUTS.values() and tensor.shape in shapes)
        else tensor
        for name, tensor in state.items()
        if name in own or not _rounds(name, state)
    }


def _rounds(name: str, state: dict[str, torch.Tensor]) -> bool:
    start, _, last = name.rpartition(".")
    pair = [f"{start}.scale".lstrip("."), f"{start}.zero_point".lstrip(".")]
    return last in ("scale", "zero_point") and all(
        each in state and state[each].numel() == 1 for each in pair
    )
