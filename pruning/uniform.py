"""Random pruning, uniform over all prunable weights of the network together."""

import torch
from torch import nn

from pruning.masks import Masks, kept_count
from pruning.settings import Settings
from pruning.weights import prunable_shapes


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Keep a uniformly random subset of the weights, of exactly the size asked for.

    Every subset of ``round((1 - sparsity) * total)`` weights is equally likely, so the kept number
    of a layer is hypergeometric with mean (1 - sparsity) * size.

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
        Boolean CPU masks.
    """
    shapes = prunable_shapes(model)
    total = sum(shape.numel() for shape in shapes.values())
    ranks = torch.from_numpy(settings.order(total))
    kept = ranks >= total - kept_count(total, sparsity)
    pieces = kept.split([shape.numel() for shape in shapes.values()])
    return {
        name: piece.reshape(shape)
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }
