"""Erdos-Renyi as the paper's released code has it, which overshoots its epsilon by one step.

Layer densities are ``epsilon * sum(shape) / size``, as in `pruning.er`. There epsilon follows from
the target. The released code searches it: from 10, up by half or down by half, the step 5 % smaller
each time, until the expected kept weights are within 5 of the target; but it takes one step more
after it has looked. Layers are then drawn weight by weight.
"""

from collections.abc import Mapping

import torch
from torch import nn

from pruning.as_released.bernoulli import bernoulli_masks
from pruning.error import PruningError
from pruning.masks import Masks
from pruning.settings import Settings
from pruning.weights import prunable_shapes

START, STEP, SHRINKS, TOLERANCE = 10.0, 0.5, 0.95, 5
MAX_STEPS = 1000  # the steps have long become too small for any to matter


def layer_densities(shapes: Mapping[str, torch.Size], sparsity: float) -> dict[str, float]:
    """Return the probability with which each layer keeps a weight; above 1 it keeps all.

    Parameters
    ----------
    shapes : mapping of str to torch.Size
        Weight shapes by parameter name.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.

    Returns
    -------
    dict of str to float
        By parameter name.

    Raises
    ------
    ValueError
        If the search does not end: the released code then runs for ever.
    """
    target = sum(shape.numel() for shape in shapes.values()) * (1 - sparsity)
    expected, epsilon, step = 0.0, START, STEP
    for _ in range(MAX_STEPS):
        if abs(expected - target) < TOLERANCE:
            return {name: epsilon * sum(s) / s.numel() for name, s in shapes.items()}
        expected = sum(epsilon * sum(shape) for shape in shapes.values())
        epsilon *= 1 - step if expected > target else 1 + step  # even where `expected` will do
        step *= SHRINKS
    raise PruningError(
        f"er as released: its search of epsilon does not end at sparsity {sparsity}, as in the "
        "released code; give another sparsity, or leave the pruner out of --as-released"
    )


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Draw every weight with the density of its layer.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``; the achieved one may be far from it.
    settings : Settings
        `seed` is used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.
    """
    shapes = prunable_shapes(model)
    return bernoulli_masks(shapes, layer_densities(shapes, sparsity), settings)
