"""What functions of torch do to the nodes that values stand for, a family of functions a file."""

from __future__ import annotations

# Each registers its handlers.
from . import arithmetic, data, elementwise, layout, pooling, resizing, weighted  # noqa: F401
from .registry import Call, apply

__all__ = ["Call", "apply"]
