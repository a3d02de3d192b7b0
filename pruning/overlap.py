"""What two sets of masks of one network have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch

from .error import PruningError


class Overlap(NamedTuple):
    """How many weights two masks keep, each and both.

    Attributes
    ----------
    first, second, both : int
    """

    first: int
    second: int
    both: int

    @property
    def iou(self) -> float | None:
        """Weights that both keep by those that either keeps; None where none is kept."""
        either = self.first + self.second - self.both
        return self.both / either if either else None

    @property
    def moved(self) -> float | None:
        """Share of what the second keeps that the first does not; None where it keeps nothing."""
        return 1 - self.both / self.second if self.second else None


def overlaps(
    first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]
) -> dict[str, Overlap]:
    """Count, layer by layer, what two sets of masks keep.

    Parameters
    ----------
    first, second : mapping of str to torch.Tensor
        Bool masks by parameter name, of one network.

    Returns
    -------
    dict of str to Overlap
        In the order of the first.

    Raises
    ------
    PruningError
        If they are not of the same layers.
    """
    require_same_layers(first, second)
    return {
        name: Overlap(int(one.sum()), int(second[name].sum()), int((one & second[name]).sum()))
        for name, one in first.items()
    }


def total(layers: Mapping[str, Overlap]) -> Overlap:
    """Sum over the layers."""
    counts = [sum(each) for each in zip(*layers.values(), strict=True)]
    return Overlap(*(counts or (0, 0, 0)))


def moved(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> float | None:
    """Share of the weights kept by the second masks, all layers together, that the first remove.

    Parameters
    ----------
    first, second : mapping of str to torch.Tensor
        As for `overlaps`.

    Returns
    -------
    float or None
        0 where nothing has moved; None where the second keep nothing.
    """
    return total(overlaps(first, second)).moved


def require_same_layers(
    first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]
) -> None:
    """Refuse masks of two different networks.

    Parameters
    ----------
    first, second : mapping of str to torch.Tensor

    Raises
    ------
    PruningError
        Naming what differs.
    """
    for name in (*first, *second):
        one, other = (
            tuple(masks[name].shape) if name in masks else None for masks in (first, second)
        )
        if one != other:
            has = f"{name} is {_shape(one)} in the first and {_shape(other)} in the second"
            raise PruningError(f"the masks are of two networks: {has}")


def _shape(shape: tuple[int, ...] | None) -> str:
    return " x ".join(map(str, shape)) if shape is not None else "missing"
