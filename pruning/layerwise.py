"""Masks with a given number of kept weights in each layer, at random positions."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import torch

from pruning.masks import Masks
from pruning.settings import Settings

Name = TypeVar("Name", bound=Hashable)


def rounded(
    expected: Mapping[Name, float], total: int, sizes: Mapping[Name, int]
) -> dict[Name, int]:
    """Round numbers of kept weights so that they sum to a target, by largest remainder.

    Each layer gets its expected number rounded down, and the weights still missing go one each to
    the layers of largest fraction (the first of equals).

    Parameters
    ----------
    expected : mapping of name to float
        By layer; they sum to the target, up to rounding.
    total : int
        The target.
    sizes : mapping of name to int
        More than its size a layer is not given.

    Returns
    -------
    dict of name to int
        By layer, within 1 of what was expected.
    """
    counts = {name: int(number) for name, number in expected.items()}
    free = [name for name in expected if counts[name] < sizes[name]]
    free.sort(key=lambda name: counts[name] - expected[name])  # stable: first of equals
    for name in free[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def random_masks(
    shapes: Mapping[str, torch.Size], counts: Mapping[str, int], settings: Settings
) -> Masks:
    """Draw, layer by layer, exactly `counts[name]` kept weights uniformly without replacement.

    Parameters
    ----------
    shapes : mapping of str to torch.Size
        Weight shapes by parameter name.
    counts : mapping of str to int
        Kept weights by parameter name, each between 0 and the size of its layer.
    settings : Settings
        Each layer draws from a stream of its own, of `seed` and its name.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.
    """
    masks = {}
    for name, shape in shapes.items():
        order = settings.order(shape.numel(), name)
        mask = torch.zeros(shape.numel(), dtype=torch.bool)
        mask[torch.from_numpy(order[: counts[name]])] = True
        masks[name] = mask.reshape(shape)
    return masks
