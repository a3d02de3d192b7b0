"""Weights at initialisation: Kaiming normal, with zero and frozen biases."""

import math

import numpy as np
import torch
from torch import nn

from system import draws

from .weighted import prunable


def kaiming_normal(stream: np.random.Generator, shape: torch.Size) -> torch.Tensor:
    """Draw a weight with mean zero and variance 2 / fan-in, in float64 (see `initialise`)."""
    return torch.from_numpy(stream.standard_normal(shape) * math.sqrt(2 / shape[1:].numel()))


def initialise(model: nn.Module, seed: int) -> None:
    """Draw the weights of a network afresh, in place.

    Weights of convolutions and linear layers are Kaiming normal, that is normal with mean zero and
    variance 2 / fan-in (He et al., Delving Deep into Rectifiers, ICCV 2015, section 2.2); of a
    transposed convolution fan-in is as torch counts it, by the weight's second axis. Each is drawn
    from a stream of its own, of the seed and the layer's name (see `system.draws`), in double
    precision and then rounded: so it is the same on every machine, whatever the other layers are.
    Global random state is not touched. Biases, where there are any, are set to zero and frozen, so
    that a network is its weights and nothing else. Batch normalisation starts as the identity
    (scale one, shift zero, fresh running statistics); its scale and shift stay trainable, as in the
    networks' papers.

    Parameters
    ----------
    model : torch.nn.Module
        The network, on the CPU.
    seed : int
        Seed of the draw, not negative.
    """
    for name, module in prunable(model).items():
        stream = draws.stream(seed, "weights", name)
        with torch.no_grad():
            module.weight.copy_(kaiming_normal(stream, module.weight.shape))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
            module.bias.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.reset_parameters()
