"""Random pruning to the same density in each layer."""

from torch import nn

from pruning.layerwise import random_masks, rounded
from pruning.masks import Masks, kept_count
from pruning.settings import Settings
from pruning.weights import prunable_shapes


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Keep the same fraction of each layer, at random, and exactly the number asked for in all.

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
        Boolean CPU masks. Each keeps the fraction of its weights, rounded up or down.
    """
    shapes = prunable_shapes(model)
    sizes = {name: shape.numel() for name, shape in shapes.items()}
    expected = {name: (1.0 - sparsity) * size for name, size in sizes.items()}
    keep = kept_count(sum(sizes.values()), sparsity)
    return random_masks(shapes, rounded(expected, keep, sizes), settings)
