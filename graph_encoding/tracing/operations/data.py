"""Functions that need data, which are refused, or no more than a shape, which give constants."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

from ..network import BY_LINEAR, ONE_BY_ONE
from ..tensors import values_in
from ..values import Known, Value
from .registry import Call, handles

CONSTANT = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
"""Functions that give constants whose elements are known."""


@handles(
    """
    bool int index item tolist numpy nonzero any all argmax argmin max min gt lt ge le eq ne
    where masked_fill masked_select topk sort equal allclose isnan unique
    """
)
def refused(call: Call, *args: Any, **kwargs: Any) -> NoReturn:
    """Control flow and selection that depend on the data."""
    raise NotImplementedError(f"{call.name} depends on the data, so it is no fixed graph")


@handles("baddbmm")
def product(call: Call, *args: Any, **kwargs: Any) -> NoReturn:
    """A product of two values, as in attention, or of one with weights."""
    if len(values_in((args, kwargs))) > 1:
        why = "it multiplies two values, as attention does, so what it joins depends on the data"
        raise NotImplementedError(f"{call.name} has no multipartite graph: {why}; {ONE_BY_ONE}")
    raise NotImplementedError(f"{call.name} {BY_LINEAR}")


@handles("zeros_like ones_like full_like empty_like rand_like randn_like")
def constant_like(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    """A constant of a value's shape."""
    return _constant(call, torch.empty(input.shape), *args, **kwargs)


@handles("new_zeros new_ones new_full new_empty new_tensor new")
def constant(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    """A constant of a value's type."""
    return _constant(call, torch.empty(0), *args, **kwargs)


def _constant(call: Call, like: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    kwargs = {name: of for name, of in kwargs.items() if name != "device"}
    found = call.func(like, *args, **kwargs)
    return Known(found) if call.name in CONSTANT else Value((torch.full(found.shape, -1),))
