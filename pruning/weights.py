"""The prunable weights of a model, by parameter name."""

import torch
from torch import nn

from models import prunable
from pruning.error import PruningError


def prunable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights of all convolutions and Linear modules, in ``named_modules()`` order.

    Parameters
    ----------
    model : torch.nn.Module
        The network.

    Returns
    -------
    dict of str to torch.nn.Parameter
        By parameter name, that is module name plus ``".weight"``; a weight that modules share is
        there once. Biases are never pruned.

    Raises
    ------
    ValueError
        If a weight is computed by a mask or a parametrization: it cannot be set.
    """
    found: dict[str, nn.Parameter] = {}
    for name, module in prunable(model).items():
        if not isinstance(module.weight, nn.Parameter):
            raise PruningError(
                f"the weight of layer {name or type(module).__name__} is computed, by a mask or a "
                "parametrization: make that permanent before pruning"
            )
        if not any(module.weight is known for known in found.values()):
            found[f"{name}.weight".removeprefix(".")] = module.weight
    return found


def prunable_shapes(model: nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of `prunable_weights`, by parameter name."""
    return {name: weight.shape for name, weight in prunable_weights(model).items()}
