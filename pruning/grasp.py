"""GraSP: gradient signal preservation.

Wang, Zhang and Grosse, Picking Winning Tickets Before Training by Preserving Gradient Flow, ICLR
2020, equation 8 and algorithm 1.
"""

import torch
from torch import nn

from pruning.gradients import gradient, hessian_vector_product
from pruning.masks import Masks, keep_best, kept_count
from pruning.samples import Batch, take_per_class
from pruning.settings import Settings
from pruning.weights import prunable_weights
from pruning.working_copy import device_of, working_copy

SAMPLES_PER_CLASS = 25
TEMPERATURE = 200.0
MICRO_BATCH = 125


def scores(
    model: nn.Module,
    batch: Batch,
    settings: Settings | None = None,
    *,
    micro_batch: int = MICRO_BATCH,
    temperature: float = TEMPERATURE,
) -> dict[str, torch.Tensor]:
    """Return ``-weight * (H g)``, with g the gradient and H the Hessian of the loss of `batch`.

    The scores are those of the network's own weights. The logits are divided by `temperature`. g
    and H are over the prunable weights. First g is summed over all micro-batches, then H g, so the
    product is that of the whole batch. Batch normalisation is in training mode and normalises each
    micro-batch by itself (see `pruning.gradients`): 125 samples are the halves into which the
    authors' code divides the 250 samples of ten classes.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    batch : (torch.Tensor, torch.Tensor)
        Images ``(n, C, H, W)`` and labels ``(n,)``.
    settings : Settings or None
        `device` and `progress` are used; None computes on the model's device, without progress.
    micro_batch : int
        Samples a micro-batch.
    temperature : float
        Divides the logits.

    Returns
    -------
    dict of str to torch.Tensor
        Signed scores by parameter name, float64, of the weights' shapes. Removing the weights of
        highest score reduces the gradient norm least, or raises it most.
    """
    settings = settings or Settings(device=device_of(model))
    twin = working_copy(model, settings.device).double().train()
    weights = prunable_weights(twin)
    pieces = -(-len(batch[1]) // micro_batch)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        text = "gradient" if done <= pieces else "Hessian-gradient product"
        settings.report(done, 2 * pieces, f"grasp: {text}")

    options = {"micro_batch": micro_batch, "temperature": temperature, "tick": tick}
    g = gradient(twin, weights, batch, **options)
    hg = hessian_vector_product(twin, weights, g, batch, **options)
    return {name: -weights[name].detach() * hg[name] for name in weights}


def number_of_classes(model: nn.Module, settings: Settings) -> int:
    """Return the width of the model's output, found by a forward pass of one image of zeros."""
    twin = working_copy(model, settings.device).eval()
    dtype = next(twin.parameters()).dtype
    with torch.no_grad():
        zeros = torch.zeros((1, *settings.input_shape), dtype=dtype, device=settings.device)
        return twin(zeros).shape[1]


def worth_keeping(model: nn.Module, settings: Settings) -> dict[str, torch.Tensor]:
    """Return the negative scores by 25 samples of each class, computed once for all sparsities."""

    def compute() -> dict[str, torch.Tensor]:
        classes = number_of_classes(model, settings)
        batch = take_per_class(settings.loader, SAMPLES_PER_CLASS, classes, "grasp")
        removal = scores(model, batch, settings)
        return {name: -score for name, score in removal.items()}

    return settings.scores(__name__, compute)


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Remove the weights of highest GraSP score, from 25 samples of every class.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        `loader` (the first 25 samples of each class in it), `input_shape`, `device` and `progress`
        are used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.

    Raises
    ------
    ValueError
        If the loader has fewer than 25 samples of a class (a class is an output of the model), or
        all scores are zero.
    """
    found = worth_keeping(model, settings)
    return keep_best(found, lambda total: kept_count(total, sparsity), "grasp")
