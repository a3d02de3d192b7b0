"""When masks change while a network is trained, and how much: plain data. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

GRADIENT, AVERAGE = "gradient", "average"

MOST = 20
"""Updates that even a short training has room for: intervals that the sources give in steps, for
trainings of 60,000 and more, are shortened in one proportion until the first is at most this part
of a training."""


@dataclass(frozen=True)
class Schedule:
    """When masks change, and what it takes to change them.

    Attributes
    ----------
    fraction : float
        Of the kept weights, at the start.
    steps : mapping of float to int
        Steps between two updates from a share of the training on, of which the first is 0. If
        there are none, masks change after each epoch.
    until : float
        Share of the training after which masks stay as they are. They do not change after the last
        step in any case: what would grow then would never be trained.
    cosine : bool
        Whether the fraction falls to zero along half a cosine until then; otherwise it is constant.
    needs : str
        `GRADIENT`, if an update looks at the gradients of all weights, the removed ones too, or
        `AVERAGE`, if at their average over past steps; otherwise empty.
    in_place_of_step : bool
        Whether an update takes the place of the optimizer's step; otherwise it follows it.
    carried : float
        What the first update is given of the one before.
    """

    fraction: float
    steps: Mapping[float, int] = field(default_factory=dict)
    until: float = 1.0
    cosine: bool = False
    needs: str = ""
    in_place_of_step: bool = False
    carried: float = 0.0

    def interval(self, step: int, total: int, epoch: int) -> int:
        """Steps since the last update after which there is one.

        Parameters
        ----------
        step : int
            The step that is taken, from 1.
        total : int
            Steps of the training.
        epoch : int
            Steps of an epoch.

        Returns
        -------
        int
        """
        if not self.steps:
            return epoch
        given = self.steps[max(share for share in self.steps if share * total <= step)]
        first = self.steps[min(self.steps)]
        return max(min(2, given), int(given * min(1, total / MOST / first)))

    def is_due(self, step: int, last: int, total: int, epoch: int) -> bool:
        """Whether masks change at a step.

        Parameters
        ----------
        step, total, epoch : int
            As for `interval`.
        last : int
            The step at which they have changed last; 0 if they have not.

        Returns
        -------
        bool
        """
        if step >= total or step > self.until * total:
            return False
        return step - last >= self.interval(step, total, epoch)

    def at(self, step: int, total: int) -> float:
        """The fraction at a step.

        Parameters
        ----------
        step, total : int
            As for `interval`.

        Returns
        -------
        float
        """
        if not self.cosine:
            return self.fraction
        return self.fraction / 2 * (1 + math.cos(math.pi * step / (self.until * total)))

    def updates(self, total: int, epoch: int) -> list[int]:
        """All steps at which masks change.

        Parameters
        ----------
        total, epoch : int
            As for `interval`.

        Returns
        -------
        list of int
        """
        found = [0]
        for step in range(1, total):
            if self.is_due(step, found[-1], total, epoch):
                found.append(step)
        return found[1:]
