"""Functions of values whose elements are known: they run. What token ids look up is an input."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from models.inputs import STILL_TOKENS, replaced, tensors_in

from ..network import ONE_BY_ONE
from ..tensors import value_of, values_in
from ..values import IMAGES, Known, Tokens, Value
from .arguments import OF_INPUT
from .data import CONSTANT
from .registry import Call, handles


def all_known(call: Call) -> bool:
    """Whether all values that a function is given are constants whose elements are known."""
    values = values_in((call.args, call.kwargs))
    looks_up = call.name == "embedding" and any(isinstance(value, Tokens) for value in values)
    return all(isinstance(value, Known) for value in values) and bool(values) and not looks_up


def with_constants(call: Call) -> Call:
    """A call of values of which those that are known are constants.

    Unless it writes to one, or gives the first one with the type of another.
    """
    if call.in_place or call.name in ("embedding", "to", "type_as"):
        return call

    def data(tensor: torch.Tensor) -> torch.Tensor:
        value = value_of(tensor)
        return value.data if isinstance(value, Known) else tensor

    args, kwargs = replaced(call.args, data), replaced(call.kwargs, data)
    return Call(call.network, call.func, args, kwargs)


def of_known(call: Call) -> Any:
    """What a function makes of such constants: it runs on their elements."""

    def data(tensor: torch.Tensor) -> torch.Tensor:
        value = value_of(tensor)
        return tensor.detach().to("cpu") if value is None else value.data

    given = values_in((call.args, call.kwargs))
    is_given = any(value.is_given for value in given) and call.name not in CONSTANT
    if is_given and call.name.startswith(("conv", "linear", "addmm")):
        raise NotImplementedError(
            "it reads whole numbers of the example input, which are taken for a mask or for token "
            "ids; give them as floating-point numbers"
        )
    args, kwargs = replaced(call.args, data), replaced(call.kwargs, data)
    if call.in_place:
        args = (args[0].clone(), *args[1:])
    found = call.func(*args, **kwargs)
    are_tokens = call.name in STILL_TOKENS and any(isinstance(value, Tokens) for value in given)
    known = Tokens if are_tokens else partial(Known, is_given=is_given)
    if call.in_place:
        return known(args[0])
    if isinstance(found, torch.Tensor):
        return known(found)
    return [known(each) for each in found] if [*tensors_in(found)] else found


@handles("embedding")
def looked_up(call: Call, input: Any, weight: Any, *args: Any, **kwargs: Any) -> Value:
    """A layer of input nodes: a row of the table for each token, its features the channels."""
    if call.is_aten:  # the table comes first
        input, weight = weight, input
    tokens = value_of(input)
    if value_of(weight) is not None:
        raise NotImplementedError(OF_INPUT)
    if not isinstance(tokens, Tokens) or len(tokens.data) != IMAGES or tokens.data.dim() > 4:
        raise NotImplementedError(
            "embedding looks rows up by numbers that are data; let the example input have them as "
            f"whole numbers, images first, and look them up as they are, or {ONE_BY_ONE}"
        )
    (rows, features), sizes = weight.shape, tokens.data.shape[1:]
    outside = tokens.data[(tokens.data < 0) | (tokens.data >= rows)]
    if len(outside):
        raise NotImplementedError(
            f"embedding looks up row {int(outside[0])} of a table that has {rows}, counted from 0; "
            "give token ids in the example input that the network knows"
        )
    value = call.network.new_input(call.network.module, features, (1, 1, 1, *sizes)[-3:])
    return value.changed(lambda numbers: numbers.reshape(IMAGES, features, *sizes).movedim(1, -1))
