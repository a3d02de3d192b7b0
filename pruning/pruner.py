"""What the registry says of a pruner. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from importlib import import_module
from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import nn

    from pruning.in_time.schedule import Schedule
    from pruning.masks import Masks
    from pruning.settings import Settings


class Cost(NamedTuple):
    """What pruning takes, as measured (tests/benchmarks).

    Attributes
    ----------
    seconds, bytes : float
        For each node of the network's unrolled graph.
    bytes_a_class : float
        More of them, for each node and each class of the images.
    once : bool
        Whether a sweep takes the seconds once for all sparsities (`Settings.once`).
    """

    seconds: float
    bytes: float
    bytes_a_class: float = 0
    once: bool = False


AVERAGE = Cost(1e-5, 2000)
CHEAP = Cost(0, 0)
"""Well below a second, so that an estimate of edges can prune."""


class Released(NamedTuple):
    """A pruner as the paper's released code has it, where that departs from the pruner's paper.

    Attributes
    ----------
    module : str
        Name of the module that holds its ``prune(model, sparsity, settings) -> masks``.
    cost : Cost, optional
        By default that of the pruner.
    """

    module: str
    cost: Cost | None = None


class Change(NamedTuple):
    """What changes masks while a network is trained.

    Attributes
    ----------
    name : str
        Of its module.
    schedule : schedule.Schedule
        When masks change, and how much.
    update : callable
        See `pruning.in_time`.
    """

    name: str
    schedule: Schedule
    update: Callable


@dataclass(frozen=True)
class Pruner:
    """A pruner and what is to be known of it.

    Attributes
    ----------
    module : str
        Name of the module that holds its ``prune(model, sparsity, settings) -> masks``.
    needs_data : bool
        Whether it reads `Settings.loader`.
    is_baseline : bool
        Whether it removes nothing: what it leaves is what the others are compared with.
    chooses : str
        How it chooses, in one line.
    source : str
        Where the method was published.
    cost : Cost
        For the estimates of ``--dry-run``.
    colour, marker : str, optional
        In all plots: a colour of `figures.style.PALETTE` and a marker of matplotlib. By default
        the next that are free.
    as_released : Released, optional
        What takes its place under ``--as-released``; by default nothing does.
    in_time : str
        Name of the module that holds what changes the masks while the network is trained; empty if
        nothing does.
    after_training : bool
        Whether it prunes a network that has been trained whole.
    """

    module: str
    _: KW_ONLY
    needs_data: bool = False
    is_baseline: bool = False
    chooses: str = ""
    source: str = ""
    cost: Cost = AVERAGE
    colour: str | None = None
    marker: str | None = None
    as_released: Released | None = None
    in_time: str = ""
    after_training: bool = False

    @property
    def trains(self) -> bool:
        """Whether there is no network of it that is not trained."""
        return bool(self.in_time) or self.after_training

    @property
    def change(self) -> Change | None:
        """What changes its masks while the network is trained, if anything does."""
        if not self.in_time:
            return None
        module = import_module(self.in_time)
        return Change(self.in_time, module.SCHEDULE, module.update)

    @property
    def function(self) -> Callable[[nn.Module, float, Settings], Masks]:
        """The pruning function; its module is imported when it is first asked for."""
        return resolve_name(f"{self.module}:prune")

    def version(self, as_released: bool) -> Pruner:
        """The pruner, or what takes its place under ``--as-released``."""
        if not (as_released and self.as_released):
            return self
        module, cost = self.as_released
        return replace(self, module=module, cost=cost or self.cost)
