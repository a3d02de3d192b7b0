"""Magnitude pruning, of a network that has been trained.

Han et al., Learning both Weights and Connections for Efficient Neural Networks, NeurIPS 2015, with
one ranking of all layers.
"""

from torch import nn

from pruning.masks import Masks, keep_best, kept_count
from pruning.settings import Settings
from pruning.weights import prunable_weights


def prune(model: nn.Module, sparsity: float, settings: Settings) -> Masks:
    """Keep the weights of largest modulus over all layers together.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    sparsity : float
        Fraction to remove, ``0 <= sparsity < 1``.
    settings : Settings
        Not used.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks.

    Raises
    ------
    ValueError
        If no weight differs from zero.
    """
    moduli = {name: weight.detach().abs() for name, weight in prunable_weights(model).items()}
    return keep_best(moduli, lambda total: kept_count(total, sparsity), "magnitude")
