"""ProsPr as the paper's released code has it, which is that of its authors (mil-ad/prospr).

Three things differ from `pruning.prospr`:

- The first momentum buffer is the *detached* first gradient, so that no derivative passes through
  the first step. Of ``v_1 = g_0`` it keeps the number alone; the first inner batch then counts only
  through where it has led, and one Hessian-vector product less is needed.
- Batch normalisation is over the whole batch of 512.
- All parameters take the inner steps, biases too, since the released code freezes them later.

It keeps ``ceil(total * (1 - sparsity))`` weights.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from pruning.masks import Masks, keep_best
from pruning.prospr import BATCH_SIZE, INNER_STEPS, LEARNING_RATE, MOMENTUM, meta_gradient
from pruning.samples import Batch, take_batches
from pruning.settings import Settings
from pruning.working_copy import device_of, working_copy


def scores(
    model: nn.Module,
    batches: Sequence[Batch],
    settings: Settings | None = None,
    *,
    lr: float = LEARNING_RATE,
    momentum: float = MOMENTUM,
) -> dict[str, torch.Tensor]:
    """Return the modulus of the released meta-gradient.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    batches : sequence of (torch.Tensor, torch.Tensor)
        Images ``(n, C, H, W)`` and labels ``(n,)``: one batch for each inner step, then that of the
        final loss.
    settings : Settings or None
        `device` and `progress` are used; None computes on the model's device, without progress.
    lr, momentum : float
        Of the inner SGD steps.

    Returns
    -------
    dict of str to torch.Tensor
        Non-negative scores by parameter name, float64, of the weights' shapes.
    """
    settings = settings or Settings(device=device_of(model))
    twin = working_copy(model, settings.device)
    for parameter in twin.parameters():
        parameter.requires_grad_()
    found = meta_gradient(
        twin,
        batches,
        settings,
        lr=lr,
        momentum=momentum,
        micro_batch=max(len(labels) for _, labels in batches),
        detach_first=True,
    )
    return {name: derivative.abs() for name, derivative in found.items()}


def worth_keeping(model: nn.Module, settings: Settings) -> dict[str, torch.Tensor]:
    """Return the scores by the first batches of the loader, computed once for all sparsities."""

    def compute() -> dict[str, torch.Tensor]:
        batches = take_batches(settings.loader, BATCH_SIZE, INNER_STEPS + 1, "prospr")
        return scores(model, batches, settings)

    return settings.scores(__name__, compute)


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Keep the weights of largest meta-gradient modulus: 3 inner steps, batches of 512.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        As for `pruning.prospr.prune`.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.

    Raises
    ------
    ValueError
        As `pruning.prospr.prune`.
    """
    found = worth_keeping(model, settings)
    return keep_best(found, lambda total: math.ceil(total * (1 - sparsity)), "prospr")
