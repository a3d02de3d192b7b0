"""Functions that need data, which are refused, or no more than a shape, which give constants."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

from ..network import BY_LINEAR, ONE_BY_ONE
from ..tensors import replaced, tensors_in, value_of, values_in
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
    return _constant(call, torch.empty(input.shape), *args, **kwargs)


@handles("new_zeros new_ones new_full new_empty new_tensor new")
def constant(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    """A constant of a value's type."""
    return _constant(call, torch.empty(0), *args, **kwargs)


def _constant(call: Call, like: torch.Tensor, *args: Any, **kwargs: Any) -> Value:
    kwargs = {name: of for name, of in kwargs.items() if name != "device"}
    found = call.func(like, *args, **kwargs)
    return Known(found) if call.name in CONSTANT else Value((torch.full(found.shape, -1),))


def all_known(call: Call) -> bool:
    """Whether all values that a function is given are constants whose elements are known."""
    values = values_in((call.args, call.kwargs))
    return all(isinstance(value, Known) for value in values) and bool(values)


def of_known(call: Call) -> Any:
    """What a function makes of such constants: it runs on their elements."""

    def data(tensor: torch.Tensor) -> torch.Tensor:
        value = value_of(tensor)
        return tensor.detach().to("cpu") if value is None else value.data

    args, kwargs = replaced(call.args, data), replaced(call.kwargs, data)
    if call.in_place:
        args = (args[0].clone(), *args[1:])
    found = call.func(*args, **kwargs)
    if call.in_place:
        return Known(args[0])
    if isinstance(found, torch.Tensor):
        return Known(found)
    return [Known(each) for each in found] if [*tensors_in(found)] else found
