"""The datasets: one file each, a registry, and batches in a seeded order.

Importing this package imports neither torch, torchvision nor scikit-learn; a dataset's own library
is imported when that dataset is loaded.

To add a data set, write a loader in a file of its own and add one line to `DATASETS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from datasets.schedule import Schedule
from datasets.unavailable import DataUnavailable
from system.later import later
from system.text import choose

if TYPE_CHECKING:
    from torch.utils.data import Dataset

__all__ = [
    "DATASETS",
    "DEFAULT",
    "NONE",
    "STAND_IN",
    "Batches",
    "DataSet",
    "DataUnavailable",
    "about",
    "batches",
    "choose_default",
    "load",
    "on_device",
]


@dataclass(frozen=True)
class DataSet:
    """A data set and what is to be known of it before it is opened.

    Attributes
    ----------
    where : str
        Where ``load(root, *, train, augment, download, progress) -> Dataset`` lives, so that
        importing this room imports no torch.
    classes : int
        Labels are ``0 .. classes - 1``.
    shape : tuple of int
        Channels, height and width of an image.
    schedule : Schedule
        How long and how fast networks are trained on it.
    as_released : str, optional
        Where the loader lives that opens it as the paper's released code does, if that differs.
    """

    where: str
    classes: int
    shape: tuple[int, int, int] = (3, 32, 32)
    schedule: Schedule = Schedule()  # noqa: RUF009 (it is frozen)
    as_released: str | None = None


# The digits are not in the paper. They are 35 times fewer than CIFAR's training images and far
# easier: in 4 epochs of 45 batches, the last at a tenth of the rate, dense networks of every model
# classify 98 % of the test images or more.
DATASETS: dict[str, DataSet] = {
    "CIFAR-10": DataSet(
        "datasets.cifar:load_cifar10", 10, as_released="datasets.cifar:load_released_cifar10"
    ),
    "CIFAR-100": DataSet(
        "datasets.cifar:load_cifar100", 100, as_released="datasets.cifar:load_released_cifar100"
    ),
    "tinyimagenet": DataSet(
        "tinyimagenet.loader:load_tiny_imagenet",
        200,
        schedule=Schedule(100, milestones=(30, 60, 80)),
        as_released="tinyimagenet.loader:load_released_tiny_imagenet",
    ),
    "digits": DataSet(
        "datasets.digits:load_digits", 10, schedule=Schedule(4, batch_size=32, milestones=(3,))
    ),
}

NONE = "none"
"""Data set of networks of the user's own that are given no images."""


DEFAULT, STAND_IN = "CIFAR-10", "digits"
"""Data set where none is named, and the embedded one where that cannot be had."""


def about(name: str) -> DataSet:
    """What is to be known of a data set; of the default one where there is none."""
    return DATASETS[DEFAULT if name == NONE else name]


__getattr__ = later(
    __name__,
    {
        "Batches": "datasets.batching",
        "batches": "datasets.batching",
        "choose_default": "datasets.default",
        "on_device": "datasets.resident",
    },
)


def load(
    name: str,
    root: str | Path,
    *,
    train: bool,
    augment: bool = False,
    download: bool = True,
    progress: bool = True,
    as_released: bool = False,
) -> Dataset:
    """Open a dataset.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.
    root : str or pathlib.Path
        The folder of datasets.
    train : bool
        The training images or the test images (for Tiny ImageNet, the validation images).
    augment : bool
        Whether `batches` augments what it reads from this dataset. Single images, as they are
        indexed, are never augmented.
    download : bool
        Whether CIFAR may be downloaded. Tiny ImageNet never is: it has a script.
    progress : bool
        Whether to show a download's progress.
    as_released : bool
        Whether to open it as the paper's released code does, which normalises CIFAR-10 by other
        numbers, augments the test images of CIFAR-100, and scales Tiny ImageNet by a box filter.

    Returns
    -------
    torch.utils.data.Dataset
        Yields ``(image, label)``: float32 of the data set's shape, normalised with the mean and
        deviation of the training images, and int.

    Raises
    ------
    ValueError
        If `name` is unknown, or `augment` is asked for on test images.
    DataUnavailable
        If the dataset cannot be had; the message is one line that says why and what can be done.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown dataset {name!r}: {choose(name, DATASETS)}")
    if augment and not train:
        raise ValueError("test images are never augmented")
    kind = DATASETS[name]
    open_dataset = resolve_name((as_released and kind.as_released) or kind.where)
    return open_dataset(root, train=train, augment=augment, download=download, progress=progress)
