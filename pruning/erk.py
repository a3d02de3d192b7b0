"""Erdos-Renyi-Kernel layer densities.

Evci et al., Rigging the Lottery: Making All Tickets Winners, ICML 2020, section 3.
"""

from collections.abc import Mapping

import torch
from torch import nn

from pruning.layerwise import random_masks, rounded
from pruning.masks import Masks, kept_count
from pruning.settings import Settings
from pruning.weights import prunable_shapes


def layer_densities(shapes: Mapping[str, torch.Size], keep: int) -> dict[str, float]:
    """Return densities proportional to sum(shape) / prod(shape), saturated layers held at 1.

    Layers that would exceed density 1 are kept dense and the factor of the others is rescaled,
    until none exceeds it.

    Parameters
    ----------
    shapes : mapping of str to torch.Size
        Weight shapes by parameter name.
    keep : int
        Weights to keep over all layers together.

    Returns
    -------
    dict of str to float
        Densities by parameter name; density times size sums to `keep`.
    """
    saturated: set[str] = set()
    while True:
        free = [name for name in shapes if name not in saturated]
        if not free:
            return dict.fromkeys(shapes, 1.0)
        left = keep - sum(shapes[name].numel() for name in saturated)
        factor = left / sum(sum(shapes[name]) for name in free)
        over = {name for name in free if factor * sum(shapes[name]) > shapes[name].numel()}
        if not over:
            break
        saturated |= over
    return {
        name: 1.0 if name in saturated else factor * sum(shape) / shape.numel()
        for name, shape in shapes.items()
    }


def kept_per_layer(shapes: Mapping[str, torch.Size], sparsity: float) -> dict[str, int]:
    """Return whole numbers of kept weights, as `layer_densities`, that sum to the exact target.

    Fractions are settled by largest remainder (`layerwise.rounded`). Every number is within 1 of
    its expectation.

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
    sizes = {name: shape.numel() for name, shape in shapes.items()}
    keep = kept_count(sum(sizes.values()), sparsity)
    densities = layer_densities(shapes, keep)
    expected = {name: density * sizes[name] for name, density in densities.items()}
    return rounded(expected, keep, sizes)


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Prune at random with Erdos-Renyi-Kernel layer densities.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        `seed` is used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks with `kept_per_layer` entries True each.
    """
    shapes = prunable_shapes(model)
    return random_masks(shapes, kept_per_layer(shapes, sparsity), settings)
