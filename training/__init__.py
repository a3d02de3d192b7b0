"""Weights that move under a mask, which may change: schedules, checkpoints and the loop.

Importing this room imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.later import later

from .schedules import paper_schedule, schedule

if TYPE_CHECKING:
    from .loop import TrainingError, evaluate, train
    from .rounds import train_in_rounds

__all__ = ["TrainingError", "evaluate", "paper_schedule", "schedule", "train", "train_in_rounds"]


__getattr__ = later(
    __name__,
    dict.fromkeys(("TrainingError", "evaluate", "train"), "training.loop")
    | {"train_in_rounds": "training.rounds"},
)
