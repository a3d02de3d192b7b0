"""SNIP: connection sensitivity.

Lee, Ajanthan and Torr, SNIP: Single-shot Network Pruning based on Connection Sensitivity, ICLR
2019, equations 4 to 6.
"""

import torch
from torch import nn

from pruning.gradients import gradient
from pruning.masks import Masks, keep_best, kept_count
from pruning.samples import Batch, take_batches
from pruning.settings import Settings
from pruning.weights import prunable_weights
from pruning.working_copy import device_of, working_copy

BATCH_SIZE = 128


def scores(
    model: nn.Module, batch: Batch, device: torch.device | None = None
) -> dict[str, torch.Tensor]:
    """Return ``abs(gradient * weight)`` for the cross-entropy of one batch.

    This is the modulus of the derivative of the loss with respect to a mask on the weight, at mask
    one. Batch normalisation is in training mode and normalises the batch as a whole. The paper's
    division by the sum of all scores does not change their order and is left out.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    batch : (torch.Tensor, torch.Tensor)
        Images ``(n, C, H, W)`` and labels ``(n,)``.
    device : torch.device or None
        Where to compute; the model's device if None.

    Returns
    -------
    dict of str to torch.Tensor
        Non-negative scores by parameter name, float64, of the weights' shapes.
    """
    twin = working_copy(model, device or device_of(model)).double().train()
    weights = prunable_weights(twin)
    gradients = gradient(twin, weights, batch, micro_batch=len(batch[1]))
    return {name: (gradients[name] * weights[name].detach()).abs() for name in weights}


def worth_keeping(model: nn.Module, settings: Settings) -> dict[str, torch.Tensor]:
    """Return the scores by the first batch of the loader, computed once for all sparsities."""

    def compute() -> dict[str, torch.Tensor]:
        [batch] = take_batches(settings.loader, BATCH_SIZE, 1, "snip")
        found = scores(model, batch, settings.device)
        settings.report(1, 1, "snip: connection sensitivity")
        return found

    return settings.scores(__name__, compute)


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Keep the weights of highest connection sensitivity, from one batch of 128.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        `loader` (the first 128 samples of it), `device` and `progress` are used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.

    Raises
    ------
    ValueError
        If the loader has fewer than 128 samples, or all scores are zero.
    """
    found = worth_keeping(model, settings)
    return keep_best(found, lambda total: kept_count(total, sparsity), "snip")
