"""The prunable weights of a model, by parameter name."""

import torch
from torch import nn

from models import prunable


def prunable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights of all Conv2d and Linear modules, in ``named_modules()`` order.

    Parameters
    ----------
    model : torch.nn.Module
        The network.

    Returns
    -------
    dict of str to torch.nn.Parameter
        By parameter name, that is module name plus ``".weight"``; biases are never pruned.
    """
    return {f"{name}.weight": module.weight for name, module in prunable(model).items()}


def prunable_shapes(model: nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of `prunable_weights`, by parameter name."""
    return {name: weight.shape for name, weight in prunable_weights(model).items()}
