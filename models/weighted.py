"""The layers of a network that are pruned, and their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


def prunable(model: nn.Module) -> dict[str, nn.Module]:
    """All modules whose weights are pruned and drawn as edges.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    dict of str to torch.nn.Module
        Convolutions along one to three axes, also transposed, and Linear, by name, in
        ``named_modules()`` order. The parameter to prune is ``name + ".weight"``; biases and batch
        normalisation are never pruned.
    """
    from torch import nn

    kinds = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear
    kinds |= nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
    return {name: module for name, module in model.named_modules() if isinstance(module, kinds)}


def has_own_layers(module: nn.Module) -> bool:
    """Whether attention has its projections as layers, and its own weights are read by nothing.

    So it is where torch prepares it to be quantised (``torch.ao.nn.quantizable``).
    """
    return hasattr(module, "linear_Q")


def without_values(model: nn.Module) -> list[str]:
    """Names of parameters and buffers that hold no numbers: of lazy modules, on device ``meta``."""
    from torch.nn.parameter import is_lazy

    tensors = [*model.named_parameters(), *model.named_buffers()]
    return [name for name, tensor in tensors if is_lazy(tensor) or tensor.is_meta]


OF_TORCH = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
"""How the names of torch's modules begin whose classes are quantised."""

QUANTISED = "{}: its weights are quantised; give the network as it was before, or dequantised"
"""What is said of the first of `quantised`: one that `plain` does not know."""


def quantised(model: nn.Module) -> list[str]:
    """Names and types of modules whose weights are whole numbers with a scale.

    Those of torch, of torchao and of bitsandbytes are known.
    """
    import torch

    kinds = (*OF_TORCH, "bitsandbytes")

    def is_coarse(module: nn.Module) -> bool:
        weight = getattr(module, "weight", None)
        is_kind = type(module).__module__.startswith(kinds)
        return (is_kind and not type(module).__name__.endswith("FloatFunctional")) or (
            isinstance(weight, torch.Tensor)
            and (weight.is_quantized or type(weight.data).__module__.startswith("torchao"))
        )

    found = {name: module for name, module in model.named_modules() if is_coarse(module)}
    return [f"{name or 'the network'} ({type(module).__name__})" for name, module in found.items()]


def masked(layer: nn.Module, name: str) -> torch.Tensor:
    """A weight under its mask of ``torch.nn.utils.prune``, if it has one."""
    if hasattr(layer, f"{name}_mask") and hasattr(layer, f"{name}_orig"):
        return getattr(layer, f"{name}_orig") * getattr(layer, f"{name}_mask")
    return getattr(layer, name)


def weight_of(layer: nn.Module) -> torch.Tensor:
    """A layer's weight as its forward pass uses it.

    Parameters
    ----------
    layer : torch.nn.Module
        One of `prunable`, perhaps under a mask of ``torch.nn.utils.prune``, which it applies on the
        forward pass only.

    Returns
    -------
    torch.Tensor, shape (out, in, ...)
        Detached; of groups, ``in`` is the inputs of one.
    """
    weight = masked(layer, "weight")
    if getattr(layer, "transposed", False):
        weight = mirrored(weight, layer.groups)
    return weight.detach()


def mirrored(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The weight of a transposed convolution, (in, out of a group, ...), as (out, in, ...)."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
