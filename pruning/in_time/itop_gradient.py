"""RigL with rare and large updates, which visit many weights in the course of a training.

Liu et al., Do We Actually Need Dense Over-Parameterization? In-Time Over-Parameterization in Sparse
Training, ICML 2021: RigL-ITOP, with its interval for CIFAR. As in its released code, updates go on
to the end, and follow the step whose gradients they use.
"""

from __future__ import annotations

from pruning.in_time.rigl import update
from pruning.in_time.schedule import GRADIENT, Schedule

__all__ = ["SCHEDULE", "update"]

SCHEDULE = Schedule(0.5, {0: 4000}, cosine=True, needs=GRADIENT)
