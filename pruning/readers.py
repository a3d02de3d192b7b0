"""Which layers a layer reads, as the network runs: back from its input to where that was made."""

from __future__ import annotations

import torch
from torch import nn

import models

from .error import PruningError
from .working_copy import working_copy


def sources(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, list[str]]:
    """Find the layers that each layer reads, with no other prunable layer in between.

    Found on autograd's graph, so whatever the forward pass does: a layer behind a residual sum
    reads all that is summed.

    Parameters
    ----------
    model : torch.nn.Module
        Not altered.
    input_shape : tuple of int
        Of one input.

    Returns
    -------
    dict of str to list of str
        Names of modules, in the order in which they run first; a layer that reads the network's
        input alone reads none.

    Raises
    ------
    PruningError
        If channels of several layers are put beside each other.
    """
    twin = working_copy(model, torch.device("cpu")).eval().requires_grad_(True)
    made: dict[object, str] = {}
    found: dict[str, dict[str, None]] = {}

    def look(name: str):
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            found.setdefault(name, {}).update(_reached(inputs[0].grad_fn, made))
            made[output.grad_fn] = name

        return hook

    for name, layer in models.prunable(twin).items():
        layer.register_forward_hook(look(name))
    with torch.enable_grad():
        twin(torch.zeros(1, *input_shape))
    return {name: list(read) for name, read in found.items()}


def _reached(start: object, made: dict[object, str]) -> dict[str, None]:
    """Names of what is met first on each way back."""
    names: dict[str, None] = {}
    ahead, seen = [start], set()
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name().startswith(("Cat", "Stack")):
            raise PruningError(
                "the network puts channels of several layers beside each other; the distance is of "
                "networks whose layers are summed, or in a row"
            )
        if node in made:
            names[made[node]] = None
        else:
            ahead += [before for before, _ in node.next_functions]
    return names
