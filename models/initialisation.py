"""Weights at initialisation: Kaiming normal, with zero and frozen biases."""

import torch
from torch import nn

from .weighted import prunable


def initialise(model: nn.Module, seed: int) -> None:
    """Draw the weights of a network afresh, in place.

    Conv2d and Linear weights are Kaiming normal, that is normal with mean zero and variance
    2 / fan-in (He et al., Delving Deep into Rectifiers, ICCV 2015, section 2.2), drawn in
    ``named_modules()`` order from a generator of their own: global random state is not touched.
    Their biases, where there are any, are set to zero and frozen, so that a network is its weights
    and nothing else. Batch normalisation starts as the identity (scale one, shift zero, fresh
    running statistics); its scale and shift stay trainable, as in the networks' papers.

    Parameters
    ----------
    model : torch.nn.Module
        The network, on the CPU.
    seed : int
        Seed of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in prunable(model).values():
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
            module.bias.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
