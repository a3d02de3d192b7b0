"""What a pruner has cut off altogether: layers without a weight, classes that no input reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pruning.linear import reached
from system import text

MOST = 10  # names that are worth telling one by one


@dataclass(frozen=True)
class Gaps:
    """What is missing of a pruned network.

    Attributes
    ----------
    empty_layers : tuple of str
        Names of the layers of which no weight is kept.
    layers : int
        How many there are.
    unreached : tuple of int, optional
        Numbers of the outputs that no input reaches: their values are the same for every image.
        None where it cannot be told (`pruning.linear.NotLinear`).
    outputs : int, optional
        How many there are.
    """

    empty_layers: tuple[str, ...]
    layers: int
    unreached: tuple[int, ...] | None = None
    outputs: int | None = None

    @property
    def warning(self) -> str:
        """One line for the user; empty where nothing is missing."""
        found = []
        if self.empty_layers:
            found.append(
                f"no weight is left in {len(self.empty_layers)} of {self.layers} layers "
                f"({_listed(self.empty_layers)})"
            )
        if self.unreached:
            which = f"{len(self.unreached)} of {self.outputs} classes ({_listed(self.unreached)})"
            if len(self.unreached) == self.outputs:
                which = f"any of the {self.outputs} classes"
            found.append(
                f"no input reaches {which}: what the network says of them is the same for every "
                "image"
            )
        return "; ".join(found)


def gaps(
    model: nn.Module,
    masks: Mapping[str, torch.Tensor],
    input_shape: tuple[int, ...],
    example: Any = None,
) -> Gaps:
    """Look for what pruning has cut off.

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
    Gaps
        It takes one forward pass of one input.
    """
    empty = tuple(
        text.name(name.removesuffix("weight").rstrip("._"))
        for name, mask in masks.items()
        if not bool(mask.any())
    )
    try:
        arrived = reached(model, input_shape, example)
    except (ValueError, RuntimeError):  # not linear, or a network that cannot be copied
        return Gaps(empty, len(masks))
    lost = tuple(torch.nonzero(~arrived)[:, 0].tolist())
    return Gaps(empty, len(masks), lost, len(arrived))


def _listed(items: Iterable[object]) -> str:
    names = list(map(str, items))
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
