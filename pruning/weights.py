"""The prunable weights of a model, by parameter name."""

import torch
from torch import nn

from models import prunable
from pruning.error import PruningError

ATTENTION = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
"""The projections of ``nn.MultiheadAttention`` to queries, keys and values: one matrix or three."""


def prunable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return all weights that are pruned, in ``named_modules()`` order.

    Parameters
    ----------
    model : torch.nn.Module
        The network.

    Returns
    -------
    dict of str to torch.nn.Parameter
        By parameter name: ``weight`` of convolutions and Linear modules, and `ATTENTION`. A weight
        that modules share is there once. Biases are never pruned.

    Raises
    ------
    ValueError
        If a weight is computed by a mask or a parametrization: it cannot be set.
    """
    found: dict[str, nn.Parameter] = {}
    layers = prunable(model)
    for name, module in model.named_modules():
        own = ("weight",) if name in layers else ()
        for part in ATTENTION if isinstance(module, nn.MultiheadAttention) else own:
            weight = getattr(module, part)
            if weight is None:
                continue
            if not isinstance(weight, nn.Parameter):
                raise PruningError(
                    f"the {part} of layer {name or type(module).__name__} is computed, by a mask "
                    "or a parametrization: make that permanent before pruning"
                )
            if not any(weight is known for known in found.values()):
                found[f"{name}.{part}".removeprefix(".")] = weight
    return found


def prunable_shapes(model: nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of `prunable_weights`, by parameter name."""
    return {name: weight.shape for name, weight in prunable_weights(model).items()}
