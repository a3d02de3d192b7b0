"""Functions that rearrange elements: torch does the same with the numbers of nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from models.inputs import replaced

from ..tensors import value_of, values_in
from ..values import Value
from .arguments import read
from .registry import Call, handles


@handles(
    """
    index_select cat concat concatenate stack hstack vstack dstack flip fliplr flipud roll rot90
    repeat tile repeat_interleave pixel_shuffle pixel_unshuffle channel_shuffle
    """
)
@handles(
    """
    reshape flatten unflatten permute transpose swapaxes swapdims movedim moveaxis squeeze unsqueeze
    expand expand_as view_as reshape_as .T .mT t adjoint getitem narrow select chunk split
    split_with_sizes tensor_split hsplit vsplit unbind broadcast_to ravel unsafe_chunk unsafe_split
    """,
    aliases=True,
)
def rearranged(call: Call, *args: Any, **kwargs: Any) -> Value | list[Value]:
    """Elements in another order, of the first argument or of a list of tensors in its place."""
    if call.name == "getitem" and isinstance(args[1], str):
        raise NotImplementedError(
            f"it reads its input by the name {args[1]!r}, and the input is one tensor; give it as "
            f"example_input=({{{args[1]!r}: tensor}},)"
        )
    return _on_numbers(call, call.func, 1)


@handles("view", aliases=True)
def viewed(call: Call, *args: Any, **kwargs: Any) -> Value | list[Value]:
    """As `rearranged`; numbers may lie in memory in another order than what they stand for."""
    return _on_numbers(call, torch.Tensor.reshape, 1)


@handles("broadcast_tensors", aliases=True)
def broadcast(call: Call, *tensors: torch.Tensor) -> Value | list[Value]:
    """As `rearranged`, of all arguments."""
    return _on_numbers(call, call.func, len(tensors))


def _on_numbers(call: Call, func: Callable, read: int) -> Value | list[Value]:
    """Run a function on the numbers of what it reads, its first arguments; others are indices.

    What is no value stands for no node.
    """
    if call.in_place:
        raise NotImplementedError(f"{call.name} in place cannot be followed")
    rounds = []
    for number in range(max(len(v.alternatives) for v in values_in((call.args, call.kwargs)))):

        def numbers(tensor: torch.Tensor, number: int = number) -> torch.Tensor:
            value = value_of(tensor)
            if value is not None and number < len(value.alternatives):
                return value.alternatives[number]
            return torch.full(tensor.shape, -1)

        args = (*replaced(call.args[:read], numbers), *call.args[read:])
        named = {
            name: replaced(item, numbers) if name in ("input", "tensors") else item
            for name, item in call.kwargs.items()
        }
        try:
            rounds.append(func(*args, **named))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise NotImplementedError(f"{func.__name__} fails: {error}") from error
    if isinstance(rounds[0], torch.Tensor):
        return Value(tuple(rounds))
    return [Value(alternatives) for alternatives in zip(*rounds, strict=True)]


@handles("setitem")
def assigned(call: Call, tensor: torch.Tensor, index: Any, source: Any) -> Value:
    """A value after ``value[index] = source``."""
    target, value = value_of(tensor), value_of(source)
    found = value.alternatives if value is not None else ()
    alternatives = []
    for number in range(max(len(target.alternatives), len(found))):
        if number < len(target.alternatives):
            numbers = target.alternatives[number].clone()
        else:
            numbers = torch.full(target.shape, -1)
        numbers[index] = found[number] if number < len(found) else -1
        alternatives.append(numbers)
    return Value(tuple(alternatives))


@handles("pad")
def padded(call: Call, input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Value:
    """A map with elements around it that stand for no node, or for those that they repeat."""
    if mode == "constant":
        return read(input).changed(lambda numbers: F.pad(numbers, pad, value=-1))
    return read(input).changed(lambda numbers: F.pad(numbers.double(), pad, mode).long())
