"""What functions of torch do to the nodes that values stand for, a family of functions a file."""

from __future__ import annotations

# Each registers its handlers.
from typing import Any

from . import (  # noqa: F401
    arithmetic,
    attention,
    data,
    einsum,
    elementwise,
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
    return data.of_known(call) if data.all_known(call) else registry.apply(call)
