"""The weights of a network's layers as numpy arrays, and the refusal of what has no graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from system.errors import UserError

if TYPE_CHECKING:
    import torch


LARGEST = float(np.finfo(np.float32).max)
"""The weight of an edge is in single precision, also where it stands for several."""


class UnsupportedNetwork(UserError, ValueError):
    """The network holds something that has no graph."""


def array(weight: torch.Tensor, name: str) -> np.ndarray:
    """Weights as float32, without a copy where they are.

    Parameters
    ----------
    weight : torch.Tensor
    name : str
        Of the layer.

    Raises
    ------
    UnsupportedNetwork
        If single precision cannot hold a weight.
    """
    found = weight.detach().float().cpu().numpy()
    if not np.isfinite(found).all():
        raise UnsupportedNetwork(
            f"layer {name}: weights must be finite in single precision, found NaN or infinity"
        )
    if weight.element_size() > found.itemsize and np.count_nonzero(found) < weight.count_nonzero():
        raise UnsupportedNetwork(f"layer {name}: weights must not be less than a float32 holds")
    return found
