"""Removed weights that come back: of layers that compute their weight anew on every forward pass.

A layer with weight standardisation subtracts the mean of its parameter, so what pruning has set to
zero is not zero where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from models import prunable
from models.inputs import split
from system import text

from .inputs import ones
from .working_copy import device_of, working_copy


def returned(
    model: nn.Module,
    masks: Mapping[str, torch.Tensor],
    input_shape: tuple[int, ...],
    example: Any = None,
) -> dict[str, float]:
    """Look at the weights that layers use in a forward pass where their parameter is pruned.

    Parameters
    ----------
    model : torch.nn.Module
        The network with its masks applied; not altered.
    masks : mapping of str to torch.Tensor
        Boolean masks by parameter name.
    input_shape, example
        As for `pruning.inputs.ones`.

    Returns
    -------
    dict of str to float
        By layer, the share of its removed weights that are not zero where they are used. Layers of
        which all are zero are left out, and so is what comes after the point at which the network
        fails on such an input.
    """
    twin = working_copy(model, device_of(model)).eval()
    running: list[str] = []
    used = Used(twin, masks, running)
    for name, layer in prunable(twin).items():
        layer.register_forward_pre_hook(lambda *_, name=name: running.append(name))
        layer.register_forward_hook(lambda *_: running.pop() and None)
    try:
        args, kwargs = split(ones(input_shape, example, device=device_of(twin)))
        with torch.no_grad(), used:
            twin(*args, **kwargs)
    except Exception:  # of the network's own code, on an input that is not for it
        pass
    return used.found


class Used(TorchFunctionMode):
    """Sees what convolutions and linear layers are given as their weight."""

    def __init__(
        self, model: nn.Module, masks: Mapping[str, torch.Tensor], running: list[str]
    ) -> None:
        super().__init__()
        self.layers, self.masks, self.running = prunable(model), masks, running
        self.found: dict[str, float] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.running and getattr(func, "__name__", "").startswith(("conv", "linear")):
            self.look(self.running[-1], kwargs["weight"] if "weight" in kwargs else args[1])
        return func(*args, **kwargs)

    def look(self, name: str, weight: torch.Tensor) -> None:
        """Compare the weight that a layer uses with its mask."""
        own, mask = self.layers[name].weight, self.masks.get(f"{name}.weight".removeprefix("."))
        if weight is own or mask is None or weight.shape != mask.shape:
            return
        gone = ~mask.to(weight.device)
        share = float((weight[gone] != 0).double().mean()) if bool(gone.any()) else 0.0
        if share:
            self.found[name] = max(share, self.found.get(name, 0.0))


def back_again(found: Mapping[str, float]) -> str:
    """One line for the user; empty where nothing came back."""
    if not found:
        return ""
    name, share = max(found.items(), key=lambda item: item[1])
    layers = "1 layer computes its" if len(found) == 1 else f"{len(found)} layers compute their"
    return (
        f"{layers} weight anew when it is used, and removed weights are not zero there, up to "
        f"{share:.1%} of them in {text.name(name)}: the unrolled graph has them, the others have "
        "not; multiply the weight by its mask where the layer computes it"
    )
