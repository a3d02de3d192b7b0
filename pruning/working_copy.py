"""A private copy of a model, for pruners to compute on."""

import copy

import torch
from torch import nn


def working_copy(model: nn.Module, device: torch.device) -> nn.Module:
    """Deep-copy `model` to `device`, so that no computation on the copy can alter the original.

    The copy has no gradients. Parameters that have ``requires_grad=False`` keep it.

    Parameters
    ----------
    model : torch.nn.Module
        Any module.
    device : torch.device
        Where the copy lives.

    Returns
    -------
    torch.nn.Module
        The copy, in the training mode of the original.
    """
    twin = copy.deepcopy(model).to(device)
    twin.zero_grad(set_to_none=True)
    return twin


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the first parameter of `model`, the CPU where it has none."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))
