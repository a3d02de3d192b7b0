"""The datasets: one file each, a registry, and batches in a seeded order.

Importing this package imports neither torch, torchvision nor scikit-learn; a dataset's own library
is imported when that dataset is loaded.

To add a dataset, write a loader that returns images of 3 x 32 x 32 and add one line to `DATASETS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from datasets.unavailable import DataUnavailable

if TYPE_CHECKING:
    from torch.utils.data import Dataset

__all__ = [
    "DATASETS",
    "NONE",
    "Batches",
    "DataUnavailable",
    "DatasetSpec",
    "batches",
    "choose_default",
    "classes_of",
    "load",
]


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset and what is to be known of it before it is opened.

    Attributes
    ----------
    num_classes : int
        Labels are ``0 .. num_classes - 1``.
    loader : str
        Where ``load(root, *, train, augment, download, progress) -> Dataset`` lives, so that
        importing this room imports no torch.
    """

    num_classes: int
    loader: str


DATASETS: dict[str, DatasetSpec] = {
    "CIFAR-10": DatasetSpec(10, "datasets.cifar:load_cifar10"),
    "CIFAR-100": DatasetSpec(100, "datasets.cifar:load_cifar100"),
    "tinyimagenet": DatasetSpec(200, "tinyimagenet.loader:load_tiny_imagenet"),
    "digits": DatasetSpec(10, "datasets.digits:load_digits"),
}

NONE = "none"
"""Data set of networks of the user's own that are given no images."""


def classes_of(name: str) -> int:
    """Number of classes of a data set, or of the default one where there is none."""
    return DATASETS["CIFAR-10" if name == NONE else name].num_classes


_LATE = {
    "Batches": "datasets.batching:Batches",
    "batches": "datasets.batching:batches",
    "choose_default": "datasets.default:choose_default",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for (PEP 562)."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(_LATE[name])


def load(
    name: str,
    root: str | Path,
    *,
    train: bool,
    augment: bool = False,
    download: bool = True,
    progress: bool = True,
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

    Returns
    -------
    torch.utils.data.Dataset
        Yields ``(image, label)``: float32 of shape ``(3, 32, 32)``, normalised with the mean and
        deviation of the training images, and int.

    Raises
    ------
    ValueError
        If `name` is unknown, or `augment` is asked for on test images.
    DataUnavailable
        If the dataset cannot be had; the message is one line that says why and what can be done.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown dataset {name!r}: choose from {', '.join(DATASETS)}")
    if augment and not train:
        raise ValueError("test images are never augmented")
    open_dataset = resolve_name(DATASETS[name].loader)
    return open_dataset(root, train=train, augment=augment, download=download, progress=progress)
