"""Which modules of a network carry prunable weights: the one list that all rooms share."""

from torch import nn


def prunable(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the modules whose weights are pruned and drawn as edges.

    Parameters
    ----------
    model : torch.nn.Module
        The network.

    Returns
    -------
    dict of str to torch.nn.Conv2d or torch.nn.Linear
        All Conv2d and Linear modules by name, in ``named_modules()`` order. The parameter to prune
        is ``name + ".weight"``; biases and batch normalisation are never pruned.
    """
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
