"""SynFlow: iterative pruning by synaptic flow, without data.

Tanaka, Kunin, Yamins and Ganguli, Pruning neural networks without any data by iteratively
conserving synaptic flow, NeurIPS 2020, section 6 and algorithm 1.
"""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from pruning.masks import Masks, keep_highest, kept_count
from pruning.settings import Settings
from pruning.weights import prunable_weights
from pruning.working_copy import device_of, working_copy

ROUNDS = 100


def linearised(model: nn.Module, device: torch.device | None = None) -> nn.Module:
    """Return a float64 copy of `model` in which signal flows through absolute weights only.

    All parameters are replaced by their moduli and all biases by zero. Batch normalisation is in
    evaluation mode and reduced to its positive scale, abs(gamma) / sqrt(running variance + eps):
    its shifts (beta and running mean) are set to zero. At initialisation they are zero anyway; in a
    trained network they would break the conservation of flow on which the method rests, since the
    network would no longer be homogeneous in each layer's weights.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered. Its activations must be the identity on positive numbers.
    device : torch.device or None
        Where the copy lives; the model's device if None.

    Returns
    -------
    torch.nn.Module
        The copy, in evaluation mode; only its prunable weights require gradients.
    """
    twin = working_copy(model, device or device_of(model)).double().eval()
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            parameter.requires_grad_(False)
            if name.rpartition(".")[2] == "bias":
                parameter.zero_()
            else:
                parameter.abs_()
        for module in twin.modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None:
                module.running_mean.zero_()
    for weight in prunable_weights(twin).values():
        weight.requires_grad_(True)
    return twin


def scores(linear: nn.Module, input_shape: tuple[int, int, int]) -> dict[str, torch.Tensor]:
    """Return the synaptic flow through each weight: ``weight * dR/dweight``.

    R is the sum of the outputs for an input of ones. The sum of a layer's scores is the flow
    through that layer: R in every layer of a network without shortcuts, and in general R over the
    layers of any set that every path from input to output meets exactly once.

    Parameters
    ----------
    linear : torch.nn.Module
        What `linearised` returned, its weights possibly masked since.
    input_shape : tuple of int
        Shape ``(C, H, W)`` of one image.

    Returns
    -------
    dict of str to torch.Tensor
        Non-negative float64 scores by parameter name.
    """
    weights = prunable_weights(linear)
    ones = torch.ones((1, *input_shape), dtype=torch.float64, device=device_of(linear))
    flow = linear(ones).sum()
    gradients = torch.autograd.grad(flow, list(weights.values()), materialize_grads=True)
    return {name: w.detach() * g for (name, w), g in zip(weights.items(), gradients)}


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
        `input_shape`, `device` and `progress` are used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.
    """
    linear = linearised(model, settings.device)
    weights = prunable_weights(linear)
    total = sum(w.numel() for w in weights.values())
    masks = {name: torch.ones(w.shape, dtype=torch.bool) for name, w in weights.items()}
    for step in range(1, ROUNDS + 1):
        flows = scores(linear, settings.input_shape)
        # Flow is never negative: -1 ranks the weights already removed below all others.
        ranked = {name: flows[name].cpu().masked_fill(~masks[name], -1.0) for name in flows}
        masks = keep_highest(ranked, kept_count(total, 1.0 - (1.0 - sparsity) ** (step / ROUNDS)))
        with torch.no_grad():
            for name, weight in weights.items():
                weight.masked_fill_(~masks[name].to(weight.device), 0.0)
        settings.report(step, ROUNDS, "synflow: rounds")
    return masks
