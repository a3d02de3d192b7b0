"""Functions that need data, which are refused, or no more than a shape, which give constants."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

from ..network import ONE_BY_ONE
from ..tensors import values_in
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


@handles("matmul mm bmm baddbmm einsum scaled_dot_product_attention multi_head_attention_forward")
def product(call: Call, *args: Any, **kwargs: Any) -> NoReturn:
    """A product of two values, as in attention, or of one with weights."""
    if len(values_in((args, kwargs))) > 1:
        why = "it multiplies two values, as attention does, so what it joins depends on the data"
        raise NotImplementedError(f"{call.name} has no multipartite graph: {why}; {ONE_BY_ONE}")
    raise NotImplementedError(
        f"{call.name} has no multipartite graph here; torch.nn.functional.linear has one"
    )


@handles("embedding embedding_bag")
def looked_up(call: Call, *args: Any, **kwargs: Any) -> NoReturn:
    """Rows of a table, by numbers that are the input."""
    raise NotImplementedError(
        f"{call.name} looks rows up by numbers that are data; leave it out, so that the input is "
        f"what it gives, or {ONE_BY_ONE}"
    )


@handles("zeros_like ones_like full_like empty_like rand_like randn_like")
def constant_like(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    """A constant of a value's shape."""
    return Value((torch.full(input.shape, -1),))


@handles("new_zeros new_ones new_full new_empty new_tensor new")
def constant(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    """A constant of a value's type."""
    return Value((torch.full(call.func(torch.empty(0), *args, **kwargs).shape, -1),))
