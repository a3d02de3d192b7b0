"""The prunable weights of a model, by parameter name."""

import torch
from torch import nn

from models import has_own_layers, is_program, prunable, quantised
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
        is_whole = isinstance(module, nn.MultiheadAttention) and not has_own_layers(module)
        for part in ATTENTION if is_whole else own:
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


def require_numbers(model: nn.Module) -> None:
    """Refuse a network whose weights are no plain numbers in layers, which masks could not set.

    Parameters
    ----------
    model : torch.nn.Module

    Raises
    ------
    ValueError
        If it is a program or TorchScript, or has sparse tensors or quantised weights.
    """
    if is_program(model):
        raise PruningError(
            "TorchScript and programs of torch.export have no layers whose weights could be "
            "removed: prune the module that this was made of"
        )
    faults = [
        *(f"{name} is sparse" for name, p in model.named_parameters() if p.layout != torch.strided),
        *(f"{name} is quantised" for name in quantised(model)),
    ]
    if faults:
        raise PruningError(f"{faults[0]}: prune what models.plain(model) gives")


def prunable_shapes(model: nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of `prunable_weights`, by parameter name."""
    return {name: weight.shape for name, weight in prunable_weights(model).items()}
