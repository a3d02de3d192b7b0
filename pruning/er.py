"""Erdos-Renyi layer densities, as the paper's released code means them.

What that code does in the end is in `pruning.as_released.er`.

Mocanu et al., Scalable Training of Artificial Neural Networks with Adaptive Sparse Connectivity
Inspired by Network Science, Nature Communications 2018, with the sum over all dimensions of a
convolution's weight and one epsilon fitted to the sparsity.
"""

from collections.abc import Mapping

import torch
from torch import nn

from pruning.layerwise import random_masks
from pruning.masks import Masks, kept_count
from pruning.settings import Settings
from pruning.weights import prunable_shapes


def kept_per_layer(shapes: Mapping[str, torch.Size], sparsity: float) -> dict[str, int]:
    """Return the kept weights of each layer: ``min(size, round(eps * sum(shape)))``.

    eps is the target number of kept weights divided by the sum of sum(shape) over all layers. What
    a saturated layer cannot take is *not* given to other layers, so the achieved sparsity is higher
    than the request where layers saturate (already so at sparsity 0, except if all layers have the
    same ratio of sum(shape) to size).

    Each weight of a layer is kept with probability eps * sum(shape) / size in the source. Here the
    rounded expected number is kept instead, at random positions: the densities are then the
    formula's own, free of sampling noise.

    Parameters
    ----------
    shapes : mapping of str to torch.Size
        Weight shapes by parameter name.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.

    Returns
    -------
    dict of str to int
        Kept weights by parameter name.
    """
    target = kept_count(sum(shape.numel() for shape in shapes.values()), sparsity)
    eps = target / sum(sum(shape) for shape in shapes.values())
    return {name: min(shape.numel(), round(eps * sum(shape))) for name, shape in shapes.items()}


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Prune at random with Erdos-Renyi layer densities, capped at 1.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``; the achieved fraction is higher where layers
        saturate.
    settings : Settings
        `seed` is used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks with `kept_per_layer` entries True each.
    """
    shapes = prunable_shapes(model)
    return random_masks(shapes, kept_per_layer(shapes, sparsity), settings)
