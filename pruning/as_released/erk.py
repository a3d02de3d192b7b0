"""ERK as the paper's released code has it: the densities of `pruning.erk`, drawn weight by weight.

Where `pruning.erk` keeps the rounded expected number in each layer, the released code keeps each
weight with the probability of its layer.
"""

from torch import nn

from pruning.as_released.bernoulli import bernoulli_masks
from pruning.erk import layer_densities
from pruning.masks import Masks, kept_count
from pruning.settings import Settings
from pruning.weights import prunable_shapes


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Draw every weight with the density of its layer; the achieved sparsity is so in the mean.

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
    target = kept_count(sum(shape.numel() for shape in shapes.values()), sparsity)
    return bernoulli_masks(shapes, layer_densities(shapes, target), settings)
