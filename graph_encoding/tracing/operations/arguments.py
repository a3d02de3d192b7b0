"""What handlers ask of the arguments of a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from ..tensors import value_of
from ..values import Value

T = TypeVar("T")

OF_INPUT = "weights that depend on the input have no multipartite graph"


def read(tensor: Any) -> Value:
    """The value of an argument that must be one."""
    value = value_of(tensor)
    if value is None:
        raise NotImplementedError(OF_INPUT)
    return value


def each(value: Any, axes: int) -> tuple[int, ...]:
    """One number, or one for each axis, as one for each axis."""
    if isinstance(value, int):
        return (value,) * axes
    return tuple(value) * axes if len(value) == 1 else tuple(value)


def three(values: Sequence[T], other: T) -> tuple[T, ...]:
    """Something for each axis of a map, for depth, height and width: `other` if it has none."""
    return (*[other] * (3 - len(values)), *values)


def as_volume(value: Value) -> Value:
    """A value (images, channels, one to three sizes) with depth, height and width."""
    shape = (*value.shape[:2], *three(value.shape[2:], 1))
    return value.changed(lambda numbers: numbers.reshape(shape))


def map_size(func: Callable, value: Value, **kwargs: Any) -> tuple[int, ...]:
    """Sizes of a function's result, as torch has them: it runs on one channel."""
    try:
        return tuple(func(torch.zeros(1, 1, *value.shape[2:]), **kwargs).shape[2:])
    except (RuntimeError, ValueError, TypeError) as error:
        raise NotImplementedError(f"{func.__name__} fails: {error}") from error
