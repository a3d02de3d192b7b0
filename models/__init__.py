"""The networks of the paper: one file a family, a registry, and initialisation.

To add a model, write it in a file of its own and add one line to `MODELS`. Its control flow must
not depend on data, and its convolutions and Linear modules should be created in the order in which
the network runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from system.later import later
from system.text import choose

from .weighted import QUANTISED, has_own_layers, prunable, quantised, weight_of, without_values

if TYPE_CHECKING:
    from torch import nn

    from .all_layers import matrices
    from .dense import plain
    from .programs import as_module, is_program

__all__ = [
    "IMAGE_SIZE",
    "MODELS",
    "QUANTISED",
    "Model",
    "as_module",
    "build",
    "has_own_layers",
    "is_program",
    "matrices",
    "plain",
    "prunable",
    "quantised",
    "weight_of",
    "without_values",
]


@dataclass(frozen=True)
class Model:
    """A network and what is to be known of it before it is built.

    Attributes
    ----------
    where : str
        Where ``builder(num_classes, in_channels, image_size) -> torch.nn.Module`` lives, so that
        importing this room imports no torch.
    about : str
        What it is, in one line.
    weight_decay : float, optional
        In training; by default that of the data set's schedule.
    milestones : mapping of str to tuple of int
        Of the training on some data sets; by default those of the data set's schedule.
    """

    where: str
    about: str = ""
    weight_decay: float | None = None
    milestones: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def builder(self) -> Callable[[int, int, tuple[int, int]], nn.Module]:
        """The builder; its module is imported when it is first asked for."""
        return resolve_name(self.where)


MODELS: dict[str, Model] = {
    "CONV-6": Model(
        "models.conv6:Conv6",
        "six convolutions and three linear layers, a VGG of reduced depth",
        milestones={"tinyimagenet": (20, 60, 80)},
    ),
    "Resnet-20": Model("models.resnet:resnet20", "the residual network of 20 layers for CIFAR"),
    "Resnet-32": Model("models.resnet:resnet32", "the same with 32 layers"),
    "Wide-Resnet-28-2": Model(
        "models.wide_resnet:wide_resnet28_2",
        "a residual network that is wide rather than deep",
        weight_decay=5e-4,
    ),
    "MobileNetV2": Model(
        "models.mobilenet:MobileNetV2",
        "depthwise convolutions between narrow layers, for 32 x 32 images",
    ),
}
IMAGE_SIZE = (32, 32)

__getattr__ = later(
    __name__,
    {
        "as_module": "models.programs",
        "is_program": "models.programs",
        "matrices": "models.all_layers",
        "plain": "models.dense",
    },
)


def build(
    name: str,
    num_classes: int,
    in_channels: int = 3,
    image_size: tuple[int, int] = IMAGE_SIZE,
    *,
    seed: int = 0,
) -> nn.Module:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    num_classes : int
        Size of the output, 1 or more.
    in_channels : int
        Channels of an image, 1 or more.
    image_size : tuple of int
        Height and width of an image.
    seed : int
        Seed of the weights (see `models.initialisation.initialise`): the same name, classes and
        seed give the same weights. Global random state is not touched.

    Returns
    -------
    torch.nn.Module
        On the CPU, float32, in training mode. It maps ``(n, in_channels, *image_size)`` to logits
        ``(n, num_classes)``.

    Raises
    ------
    ValueError
        If `name` is unknown or a size is not positive.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}: {choose(name, MODELS)}")
    if num_classes < 1 or in_channels < 1:
        raise ValueError(f"a model needs classes and channels, not {num_classes} and {in_channels}")
    import torch

    from .initialisation import initialise

    # Torch draws default weights on construction; the fork keeps that from the global generator.
    with torch.random.fork_rng(devices=[]):
        model = MODELS[name].builder(num_classes, in_channels, image_size)
    initialise(model, seed)
    return model
