"""Weights that move under a mask: schedules, checkpoints and the loop.

Importing this room imports no torch.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from .schedules import paper_schedule, schedule

if TYPE_CHECKING:
    from .loop import TrainingError, evaluate, train

__all__ = ["TrainingError", "evaluate", "paper_schedule", "schedule", "train"]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(f"training.loop:{name}")
