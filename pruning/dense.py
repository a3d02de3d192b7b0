"""No pruning: the baseline for accuracy drop."""

import torch
from torch import nn

from pruning.masks import Masks
from pruning.settings import Settings
from pruning.weights import prunable_shapes


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Keep every weight, whatever the sparsity asked for; the achieved sparsity is 0.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Not used.
    settings : Settings
        Not used.

    Returns
    -------
    dict of str to torch.Tensor
        Masks of all True.
    """
    return {
        name: torch.ones(shape, dtype=torch.bool) for name, shape in prunable_shapes(model).items()
    }
