"""The networks of the paper: one file a family, a registry, initialisation and training.

To add a model, write it in a file of its own and add one line to `MODELS`. It must be traceable by
``torch.fx.symbolic_trace`` (no control flow that depends on data), and its Conv2d and Linear
modules should be created in the order in which the network runs them.
"""

from collections.abc import Callable

import torch
from torch import nn

from models.conv6 import Conv6
from models.initialisation import initialise
from models.prunable import prunable
from models.resnet import resnet20, resnet32
from models.wide_resnet import wide_resnet28_2

__all__ = ["MODELS", "build", "initialise", "prunable"]

MODELS: dict[str, Callable[[int, int], nn.Module]] = {
    "CONV-6": Conv6,
    "Resnet-20": resnet20,
    "Resnet-32": resnet32,
    "Wide-Resnet-28-2": wide_resnet28_2,
}


def build(name: str, num_classes: int, in_channels: int = 3, *, seed: int = 0) -> nn.Module:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    num_classes : int
        Size of the output, 1 or more.
    in_channels : int
        Channels of an image, 1 or more; images are 32 x 32.
    seed : int
        Seed of the weights (see `models.initialisation.initialise`): the same name, classes and
        seed give the same weights. Global random state is not touched.

    Returns
    -------
    torch.nn.Module
        On the CPU, float32, in training mode. It maps ``(n, in_channels, 32, 32)`` to logits
        ``(n, num_classes)``.

    Raises
    ------
    ValueError
        If `name` is unknown or a size is not positive.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}: choose from {', '.join(MODELS)}")
    if num_classes < 1 or in_channels < 1:
        raise ValueError(f"a model needs classes and channels, not {num_classes} and {in_channels}")
    # Torch draws default weights on construction; the fork keeps that from the global generator.
    with torch.random.fork_rng(devices=[]):
        model = MODELS[name](num_classes, in_channels)
    initialise(model, seed)
    return model
