"""Masks that keep each weight of a layer with one probability, as the released code draws them."""

from collections.abc import Mapping

import torch

from pruning.masks import Masks
from pruning.settings import Settings


def bernoulli_masks(
    shapes: Mapping[str, torch.Size], densities: Mapping[str, float], settings: Settings
) -> Masks:
    """Keep each weight by itself, with the probability of its layer.

    Parameters
    ----------
    shapes : mapping of str to torch.Size
        Weight shapes by parameter name.
    densities : mapping of str to float
        Probability of each layer by parameter name; 1 or more keeps all of it.
    settings : Settings
        Each layer draws from a stream of its own, of `seed` and its name.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.
    """
    return {
        name: torch.from_numpy(settings.stream(name).random(shape) < densities[name])
        for name, shape in shapes.items()
    }
