"""Masks with a given number of kept weights in each layer, at random positions."""

from collections.abc import Mapping

import torch

from pruning.masks import Masks


def random_masks(
    shapes: Mapping[str, torch.Size], counts: Mapping[str, int], generator: torch.Generator
) -> Masks:
    """Draw, layer by layer, exactly `counts[name]` kept weights uniformly without replacement.

    Parameters
    ----------
    shapes : mapping of str to torch.Size
        Weight shapes by parameter name.
    counts : mapping of str to int
        Kept weights by parameter name, each between 0 and the size of its layer.
    generator : torch.Generator
        CPU generator; layers draw from it in the order of `shapes`.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.
    """
    masks = {}
    for name, shape in shapes.items():
        mask = torch.zeros(shape.numel(), dtype=torch.bool)
        mask[torch.randperm(shape.numel(), generator=generator)[: counts[name]]] = True
        masks[name] = mask.reshape(shape)
    return masks
