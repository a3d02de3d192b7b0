"""Functions that need data, which are refused, or no more than a shape, which give constants."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

from ..values import Value
from .registry import Call, handles


@handles(
    """
    bool int index item tolist numpy nonzero any all argmax argmin max min gt lt ge le eq ne
    where masked_fill masked_select topk sort equal allclose isnan unique
    """
)
def refused(call: Call, *args: Any, **kwargs: Any) -> NoReturn:
    """Control flow and selection that depend on the data."""
    raise NotImplementedError(f"{call.name} depends on the data, so it is no fixed graph")


@handles("zeros_like ones_like full_like empty_like rand_like randn_like")
def constant_like(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    """A constant of a value's shape."""
    return Value((torch.full(input.shape, -1),))


@handles("new_zeros new_ones new_full new_empty new_tensor new")
def constant(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    """A constant of a value's type."""
    return Value((torch.full(call.func(torch.empty(0), *args, **kwargs).shape, -1),))
