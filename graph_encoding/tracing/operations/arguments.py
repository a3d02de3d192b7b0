"""What handlers ask of the arguments of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..tensors import value_of
from ..values import Value

OF_INPUT = "weights that depend on the input have no multipartite graph"


def read(tensor: Any) -> Value:
    """The value of an argument that must be one."""
    value = value_of(tensor)
    if value is None:
        raise NotImplementedError(OF_INPUT)
    return value


def pair(value: Any) -> tuple[int, int]:
    """One number, or one for each axis, as two."""
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else tuple(value)


def map_size(func: Callable, value: Value, **kwargs: Any) -> tuple[int, ...]:
    """Height and width of a function's result, as torch has them: it runs on one channel."""
    try:
        return tuple(func(torch.zeros(1, 1, *value.shape[2:]), **kwargs).shape[2:])
    except (RuntimeError, ValueError, TypeError) as error:
        raise NotImplementedError(f"{func.__name__} fails: {error}") from error
