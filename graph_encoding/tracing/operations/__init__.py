"""What functions of torch do to the nodes that values stand for, a family of functions a file."""

from __future__ import annotations

# Each registers its handlers.
from typing import Any

from . import (  # noqa: F401
    arithmetic,
    aten,
    attention,
    data,
    einsum,
    elementwise,
    known,
    layout,
    pooling,
    registry,
    resizing,
    weighted,
)
from .registry import Call

__all__ = ["Call", "apply"]


def apply(call: Call) -> Any:
    """What a function makes of the values among its arguments: see `registry.apply`."""
    if attention.has_scores(call):
        return attention.of_scores(call)
    if known.all_known(call):
        return known.of_known(call)
    return registry.apply(known.with_constants(call))
