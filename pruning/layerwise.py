"""Masks with a given number of kept weights in each layer, at random positions."""

from collections.abc import Mapping

import torch

from pruning.masks import Masks
from pruning.settings import Settings


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
        order = settings.stream(name).permutation(shape.numel())
        mask = torch.zeros(shape.numel(), dtype=torch.bool)
        mask[torch.from_numpy(order[: counts[name]])] = True
        masks[name] = mask.reshape(shape)
    return masks
