"""SET with rare and large updates, which visit many weights in the course of a training.

Liu et al., Do We Actually Need Dense Over-Parameterization? In-Time Over-Parameterization in Sparse
Training, ICML 2021: SET-ITOP, with its interval for CIFAR.
"""

from __future__ import annotations

from pruning.in_time.schedule import Schedule
from pruning.in_time.set import update

__all__ = ["SCHEDULE", "update"]

SCHEDULE = Schedule(0.5, {0: 1500}, cosine=True)
