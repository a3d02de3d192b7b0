"""How long and how fast networks are trained on a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Schedule:
    """Settings of one training run. The defaults are the paper's for CIFAR.

    Attributes
    ----------
    epochs : int
        Passes over the training data.
    batch_size : int
        Images a step.
    lr : float
        Learning rate at the start.
    milestones : tuple of int
        After that many epochs the learning rate is divided by ten.
    weight_decay : float
        L2 penalty.
    """

    epochs: int = 160
    batch_size: int = 128
    lr: float = 0.1
    milestones: tuple[int, ...] = (80, 120)
    weight_decay: float = 1e-4

    def over(self, epochs: int) -> Schedule:
        """Return the same schedule stretched or shrunk to `epochs`, milestones in proportion.

        They are rounded up: the first epoch always has the full learning rate.
        """
        milestones = tuple(math.ceil(m * epochs / self.epochs) for m in self.milestones)
        return replace(self, epochs=epochs, milestones=milestones)
