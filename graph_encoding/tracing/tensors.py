"""Tensors without data (torch's ``meta`` device), each with a note of the value it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from models.inputs import tensors_in

from .values import Value


class Memory:
    """What tensors share that may be views of each other: how often it has been written to."""

    def __init__(self) -> None:
        self.version = 0


@dataclass(eq=False)
class Handle:
    """What a tensor without data stands for, kept on it as an attribute.

    Attributes
    ----------
    owner : object
        What made the tensor: one run of a network.
    value : Value
    memory : Memory
    version : int
        Of the memory, when `value` was known to be in it.
    taken : tuple, optional
        Of what is part of another tensor: that one's handle, the index, and the version then.
    """

    owner: object
    value: Value
    memory: Memory
    version: int
    taken: tuple[Handle, object, int] | None = None


def stand_in(owner: object, value: Value, memory: Memory | None = None) -> torch.Tensor:
    """A tensor without data that stands for a value, in a memory of its own unless one is given."""
    memory = memory or Memory()
    tensor = torch.empty(value.shape, device="meta")
    tensor._topology = Handle(owner, value, memory, memory.version)
    return tensor


def handle_of(tensor: object) -> Handle | None:
    """What is known of a tensor, if anything."""
    return getattr(tensor, "_topology", None)


def value_of(tensor: object) -> Value | None:
    """What a tensor stands for, if anything."""
    handle = handle_of(tensor)
    return handle.value if handle is not None else None


def write(tensor: torch.Tensor, value: Value) -> None:
    """Write to a tensor; others that may lie in the same memory are out of date."""
    handle = handle_of(tensor)
    if value.shape != handle.value.shape:
        raise NotImplementedError("a sum in place that changes the shape")
    handle.value = value
    handle.memory.version += 1
    handle.version = handle.memory.version


def put_back(tensor: object, index: object, source: object) -> None:
    """Let ``x[index] += y`` put back what it took from x: only that has been written to since."""
    whole, part = handle_of(tensor), handle_of(source)
    if whole and part and part.taken:
        of, at, version = part.taken
        if of is whole and at is index and version == whole.version:
            whole.version = part.version


def values_in(of: Any) -> list[Value]:
    """The values that nested tensors stand for."""
    return [value for tensor in tensors_in(of) if (value := value_of(tensor)) is not None]
