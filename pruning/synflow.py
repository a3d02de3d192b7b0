"""SynFlow: iterative pruning by synaptic flow, without data.

Tanaka, Kunin, Yamins and Ganguli, Pruning neural networks without any data by iteratively
conserving synaptic flow, NeurIPS 2020, section 6 and algorithm 1.
"""

import math
from typing import Any

import torch
from torch import nn

from models.inputs import split, tensors_in
from pruning.error import PruningError
from pruning.flow import Flow
from pruning.inputs import ones
from pruning.linear import NotLinear, linearised, outputs, run_as, together
from pruning.masks import Masks, keep_highest, kept_count, require_scores
from pruning.settings import Settings
from pruning.weights import prunable_weights
from pruning.working_copy import device_of

ROUNDS = 100
ROUNDING = 1e-6


def scores(
    linear: nn.Module,
    input_shape: tuple[int, ...],
    is_proven: bool = False,
    example: Any = None,
) -> dict[str, torch.Tensor]:
    """Return the synaptic flow through each weight: ``weight * dR/dweight``.

    R is the sum of the outputs for inputs of ones. What an Embedding looks up is an input, too: its
    rows are ones, whichever they are, as its table is not pruned. The sum of a layer's scores is
    the flow through that layer: R in every layer of a network without shortcuts, and in general R
    over the layers of any set that every path from input to output meets exactly once.

    Parameters
    ----------
    linear : torch.nn.Module
        What `linearised` returned, its weights possibly masked since.
    input_shape : tuple of int
        Shape ``(C, H, W)`` of one image.
    is_proven : bool
        Whether the network has run before: see `outputs`.
    example : torch.Tensor, tuple or dict, optional
        What the network is called with, in place of `input_shape`.

    Returns
    -------
    dict of str to torch.Tensor
        Non-negative float64 scores by parameter name.
    """
    weights = prunable_weights(linear)
    flow = outputs(linear, _ones(linear, input_shape, example), is_proven).sum()
    gradients = torch.autograd.grad(flow, list(weights.values()), materialize_grads=True)
    return {name: w.detach() * g for (name, w), g in zip(weights.items(), gradients)}


def _ones(linear: nn.Module, input_shape: tuple[int, ...], example: Any) -> Any:
    return ones(input_shape, example, torch.float64, device_of(linear))


def _require_flow(linear: nn.Module, input_shape: tuple[int, ...], example: Any) -> None:
    """Refuse a network in which no flow is conserved: its scores would rank nothing.

    Of a linear network what the inputs carry (each times its derivative) is what arrives.
    """
    try:
        given = _ones(linear, input_shape, example)
        # Numbers without axes are factors, as they were given.
        inputs = [e for e in tensors_in(split(given)) if e.is_floating_point() and e.dim()]
        for each in inputs:
            each.requires_grad_()
        mode = Flow()
        whole = together(run_as(linear, given, mode)).sum()
    except NotLinear as error:
        raise PruningError(
            f"synflow needs a network that can be made linear: {error}; take another pruner"
        ) from error
    weights = prunable_weights(linear)
    inputs += mode.looked_up
    ends = [*inputs, *weights.values()]
    gradients = torch.autograd.grad(whole, ends, materialize_grads=True)
    sent = sum(float(gradient.sum()) for gradient in gradients[: len(inputs)])
    gradients = gradients[len(inputs) :]
    require_scores({"R": whole}, "synflow")
    arriving = float(whole.detach())
    # A weight from which another is computed may have a negative one.
    least = min(float(gradient.min() / gradient.abs().max()) for gradient in gradients)
    conserved = math.isclose(sent, arriving, rel_tol=ROUNDING) and not least < -ROUNDING
    if math.isfinite(arriving) and not conserved:
        raise PruningError(
            "synflow needs a network that can be made linear: this one computes its weights, or "
            "hides from torch's functions what it computes; take another pruner"
        )


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Prune by synaptic flow in 100 rounds of exponentially falling density.

    Round k of 100 recomputes the scores under the masks so far and keeps
    ``round((1 - sparsity)**(k / 100) * total)`` weights. A removed weight stays removed, also where
    the scores of kept ones are zero.

    The flow through any cut of the network stays whole, so no cut is emptied before all weights
    elsewhere have gone. A layer beside which another path runs, such as the 1 x 1 convolution of a
    shortcut, is no cut and may lose all its weights: at high sparsity the last one of
    Wide-Resnet-28-2 does.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        `input_shape` or `example`, `device` and `progress` are used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.

    Raises
    ------
    ValueError
        If no linear network can be made of the model, or nothing flows through it.
    """
    linear = linearised(model, settings.device)
    _require_flow(linear, settings.input_shape, settings.example)
    weights = prunable_weights(linear)
    total = sum(w.numel() for w in weights.values())
    masks = {name: torch.ones(w.shape, dtype=torch.bool) for name, w in weights.items()}
    for step in range(1, ROUNDS + 1):
        flows = scores(linear, settings.input_shape, True, settings.example)
        # Flow is never negative: -1 ranks the weights already removed below all others.
        ranked = {name: flows[name].cpu().masked_fill(~masks[name], -1.0) for name in flows}
        masks = keep_highest(ranked, kept_count(total, 1.0 - (1.0 - sparsity) ** (step / ROUNDS)))
        with torch.no_grad():
            for name, weight in weights.items():
                weight.masked_fill_(~masks[name].to(weight.device), 0.0)
        settings.report(step, ROUNDS, "synflow: rounds")
    return masks
