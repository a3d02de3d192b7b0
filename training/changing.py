"""Masks that change while a network is trained: when, by what, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import nn

from pruning import Change
from pruning.in_time.layers import Layer
from pruning.in_time.schedule import AVERAGE, GRADIENT
from system import draws

from .error import TrainingError
from .step import INTEGERS, bits, zero_removed

VISIBLE = 2.0**-60
"""What stands for zero in a weight that is kept: graphs have an edge where a weight is not zero.
Its square is still a number of single precision."""


class Changing:
    """The steps of a training whose masks change between them.

    Weights that are removed, and their momentum, are zero after every step. What grows begins at
    zero, with no momentum. The gradients of removed weights are at hand, since nothing but the
    weights themselves is masked. A random draw depends on seed, step and layer, so that a training
    that goes on draws the same.

    Parameters
    ----------
    change : pruning.Change
    model : torch.nn.Module
        On the device where it is trained. Layers that are frozen keep their masks.
    masks : mapping of str to torch.Tensor
        What the training starts with.
    optimizer : torch.optim.SGD
        With a momentum buffer for each parameter.
    scaler : torch.amp.GradScaler
    total, epoch : int
        Steps of the training and of an epoch.
    seed : int
        Of random growth.

    Raises
    ------
    TrainingError
        If no mask would change: the training is too short, or all layers are frozen.
    """

    def __init__(
        self,
        change: Change,
        model: nn.Module,
        masks: Mapping[str, torch.Tensor],
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        total: int,
        epoch: int,
        seed: int,
    ) -> None:
        if total and not change.schedule.updates(total, epoch):
            raise TrainingError(
                f"a training of {total} steps, {epoch} an epoch, is too short for its masks to "
                "change: give more --epochs"
            )
        self.change, self.optimizer, self.scaler = change, optimizer, scaler
        self.total, self.epoch, self.seed = total, epoch, seed
        weights = {name: model.get_parameter(name) for name in masks}
        self.weights = {name: weight for name, weight in weights.items() if weight.requires_grad}
        if not self.weights:
            raise TrainingError(
                "all layers that are pruned are frozen, so that no mask can change: take a pruner "
                "at initialisation"
            )
        self.masks = {
            name: masks[name].to(weight.device, torch.bool, copy=True)
            for name, weight in weights.items()
        }
        self.ever = {name: mask.clone() for name, mask in self.masks.items()}
        averaged = self.weights if change.schedule.needs == AVERAGE else {}
        self.averages = {name: torch.zeros_like(weight) for name, weight in averaged.items()}
        self.steps, self.last, self.carried = 0, 0, change.schedule.carried
        self.moved = 0
        self.values: list[torch.Tensor] = []
        self.kept: list[torch.Tensor] = []
        self.by_layer: dict[str, list[torch.Tensor]] = {}
        self.model = model

    def begin(self) -> Callable[[], None]:
        """Return what takes a step, as `step.stepping`; after all states are loaded."""
        self.values, self.kept = [], []
        for name, mask in self.masks.items():
            values, self.by_layer[name] = bits(
                [(self.model.get_parameter(name), ~mask)], self.optimizer
            )
            self.values += values
            self.kept += self.by_layer[name]
        zero_removed(self.values, self.kept)
        return self.step

    def step(self) -> None:
        """Take a step with the gradients that have been computed, and change masks if it is due."""
        self.steps += 1
        plan = self.change.schedule
        due = plan.is_due(self.steps, self.last, self.total, self.epoch)
        finite = None
        if plan.needs == AVERAGE or (due and plan.needs == GRADIENT):
            self.scaler.unscale_(self.optimizer)
            finite = self._finite()
        if plan.needs == AVERAGE:
            self._average(finite)
        elif due and finite is not None:
            due = bool(finite)  # the scale was too large: the next step will do
        if not (due and plan.in_place_of_step):
            self.scaler.step(self.optimizer)
        self.scaler.update()
        zero_removed(self.values, self.kept)
        if due:
            self._update()
            zero_removed(self.values, self.kept)

    @torch.no_grad()
    def _update(self) -> None:
        """Put new masks in the place of the old ones."""
        plan = self.change.schedule
        slopes = self.averages
        if plan.needs == GRADIENT:
            slopes = {
                name: torch.zeros_like(weight) if weight.grad is None else weight.grad
                for name, weight in self.weights.items()
            }
        layers = [
            Layer(name, self.masks[name], weight.detach(), slopes.get(name))
            for name, weight in self.weights.items()
        ]
        draw = partial(draws.stream, self.seed, "growth", self.steps)
        fraction = plan.at(self.steps, self.total)
        found, self.carried = self.change.update(layers, fraction, draw, self.carried)
        for layer, mask in zip(layers, found, strict=True):
            self.moved += int((mask & ~layer.mask).sum())
            layer.mask.copy_(mask)
            self.ever[layer.name] |= mask
            for kept in self.by_layer[layer.name]:
                kept.copy_(mask)
        self.last = self.steps

    def _finite(self) -> torch.Tensor | None:
        """Whether all gradients are finite, on the device; None where they are not scaled."""
        if not self.scaler.is_enabled():
            return None
        gradients = [w.grad for w in self.weights.values() if w.grad is not None]
        return torch.stack(torch._foreach_norm(gradients, float("inf"))).isfinite().all()

    @torch.no_grad()
    def _average(self, finite: torch.Tensor | None) -> None:
        """Take the gradients into their averages; not those of a step that the scaler skips."""
        used = [name for name, weight in self.weights.items() if weight.grad is not None]
        averages = [self.averages[name] for name in used]
        gradients = [self.weights[name].grad for name in used]
        keep = self.optimizer.param_groups[0]["momentum"]
        if finite is None:
            torch._foreach_mul_(averages, keep)
        else:
            torch._foreach_mul_(averages, torch.where(finite, keep, 1.0))
            whole = [each.view(INTEGERS[each.element_size()]) for each in gradients]
            torch._foreach_mul_(whole, finite.to(torch.int32))  # nan * 0 is not 0; its bits are
        torch._foreach_add_(averages, gradients)

    def note(self) -> dict[str, float]:
        """What is noted of an epoch that has ended, and forgotten with it.

        Returns
        -------
        dict
            ``moved``, how many weights have grown in it, and so how many were dropped; and
            ``ever_active``, the share of all masked weights that were kept at some time so far.
        """
        moved, self.moved = self.moved, 0
        ever = sum(int(mask.sum()) for mask in self.ever.values())
        total = sum(mask.numel() for mask in self.ever.values())
        return {"moved": moved, "ever_active": ever / total if total else 0.0}

    @torch.no_grad()
    def finish(self) -> dict[str, torch.Tensor]:
        """Return the masks, on the CPU, of which each weight can be seen in a graph.

        A weight that has grown where no gradient comes to is still zero. It is made `VISIBLE`.
        """
        for name, mask in self.masks.items():
            weight = self.model.get_parameter(name)
            weight.masked_fill_(mask & (weight == 0), VISIBLE)
        return {name: mask.cpu() for name, mask in self.masks.items()}

    def state_dict(self) -> dict[str, object]:
        """What a checkpoint holds of it."""
        counts = {"steps": self.steps, "last": self.last, "carried": self.carried}
        return counts | {"masks": self.masks, "ever": self.ever, "averages": self.averages}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on from what a checkpoint holds."""
        self.steps, self.last, self.carried = state["steps"], state["last"], state["carried"]
        for name in ("masks", "ever", "averages"):
            for key, tensor in getattr(self, name).items():
                tensor.copy_(state[name][key])
