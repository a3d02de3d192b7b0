"""A layer whose mask changes, and the moves that methods are made of. All are pure functions.

Among equals, the weight that comes first, row-major, is kept or grown first, wherever it is
computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from pruning.layerwise import rounded

Draw = Callable[[str], np.random.Generator]


class Layer(NamedTuple):
    """A layer as an update sees it.

    Attributes
    ----------
    name : str
        Of the parameter.
    mask : torch.Tensor
        Bool, True where a weight is kept.
    weight : torch.Tensor
        The weights, zero where they are removed.
    slope : torch.Tensor or None
        What the schedule ``needs``: gradients of the mean loss of a batch, or their average, also
        where weights are removed. None if it needs nothing.
    """

    name: str
    mask: torch.Tensor
    weight: torch.Tensor
    slope: torch.Tensor | None = None


def share_of(layer: Layer, fraction: float) -> int:
    """How many kept weights of a layer a fraction is, rounded down."""
    return int(fraction * int(layer.mask.sum()))


def without_smallest(layer: Layer, count: int) -> torch.Tensor:
    """The mask of a layer less its smallest weights.

    Parameters
    ----------
    layer : Layer
    count : int
        How many to drop, not more than are kept. Of equal moduli the last are dropped.

    Returns
    -------
    torch.Tensor
        Bool, of the shape of the mask.
    """
    # Removed weights come last: what is not kept has a modulus below all.
    moduli = layer.weight.detach().abs().masked_fill(~layer.mask, -1)
    return _first(moduli, int(layer.mask.sum()) - count)


def with_largest(mask: torch.Tensor, slope: torch.Tensor, count: int) -> torch.Tensor:
    """A mask and the removed weights of largest gradient moduli.

    Parameters
    ----------
    mask : torch.Tensor
        Bool.
    slope : torch.Tensor
        Gradients, of its shape.
    count : int
        How many to grow, not more than are removed.

    Returns
    -------
    torch.Tensor
        Bool, of the shape of the mask.
    """
    return mask | _first(slope.detach().abs().masked_fill(mask, -1), count)


def with_random(mask: torch.Tensor, count: int, generator: np.random.Generator) -> torch.Tensor:
    """A mask and removed weights that are drawn uniformly, without replacement.

    Parameters
    ----------
    mask : torch.Tensor
        Bool.
    count : int
        How many to grow, not more than are removed.
    generator : numpy.random.Generator

    Returns
    -------
    torch.Tensor
        Bool, of the shape of the mask.
    """
    grown = mask.flatten()
    free = torch.nonzero(~grown).reshape(-1)
    drawn = torch.from_numpy(generator.permutation(len(free))[:count])
    grown = grown.clone()
    grown[free[drawn.to(free.device)]] = True
    return grown.reshape(mask.shape)


def shared(count: int, shares: Sequence[float], room: Sequence[int]) -> list[int]:
    """Divide whole numbers in proportion, and what one cannot take among the others.

    Those that would get more than they have room for are filled, and what is left is divided among
    the others in the same proportion, until it fits. Fractions are settled by largest remainder,
    the first of equals first. Those of share zero are given something only when all others are
    full, in proportion to their room.

    Parameters
    ----------
    count : int
        Not more than all the room.
    shares : sequence of float
        Not negative.
    room : sequence of int

    Returns
    -------
    list of int
        They sum to `count`.
    """
    given = [0] * len(room)
    left = count
    while left:
        free = [k for k, most in enumerate(room) if given[k] < most]
        weight = {k: float(shares[k]) for k in free}
        if not 0 < sum(weight.values()) < math.inf:
            weight = {k: float(room[k]) for k in free}
        total = sum(weight.values())
        expected = {k: left * weight[k] / total for k in free}
        full = [k for k in free if expected[k] >= room[k] - given[k]]
        for k in full:
            left -= room[k] - given[k]
            given[k] = room[k]
        if not full:
            for k, number in rounded(expected, left, dict(enumerate(room))).items():
                given[k] = number
            left = 0
    return given


def _first(scores: torch.Tensor, count: int) -> torch.Tensor:
    """True at the highest scores, the first of equals first, as the tensor is read row by row."""
    flat = scores.reshape(-1)
    found = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    found[torch.sort(flat, descending=True, stable=True).indices[:count]] = True
    return found.reshape(scores.shape)
