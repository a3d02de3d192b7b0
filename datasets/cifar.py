"""CIFAR-10 and CIFAR-100, through torchvision."""

import contextlib
import io
import os
import pickle
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import filelock
import torch

from datasets.augmentation import Augmentation
from datasets.images import ImageDataset, black
from datasets.internet import why_unreachable
from datasets.torchvision_import import import_torchvision
from datasets.unavailable import DataUnavailable

STALLED_AFTER = 60.0
"""Seconds without a byte after which a download is given up."""


@dataclass(frozen=True)
class Cifar:
    """One of the two datasets (Krizhevsky, Learning Multiple Layers of Features, 2009).

    Attributes
    ----------
    name : str
        What it is called here.
    torchvision_class : str
        The class in ``torchvision.datasets``, which holds the checksums.
    folder, archive : str
        What the extracted folder and the downloaded file are called.
    url : str
        Where the archive is.
    mean, std : tuple of float
        Of the training pixels, a number a channel, on the scale from 0 to 1.
    augments_tests : bool
        Whether batches of test images are augmented, too.
    """

    name: str
    torchvision_class: str
    folder: str
    archive: str
    url: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    augments_tests: bool = False


CIFAR10 = Cifar(
    "CIFAR-10",
    "CIFAR10",
    "cifar-10-batches-py",
    "cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    (0.4914, 0.4822, 0.4465),
    (0.2470, 0.2435, 0.2616),
)
CIFAR100 = Cifar(
    "CIFAR-100",
    "CIFAR100",
    "cifar-100-python",
    "cifar-100-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    (0.5071, 0.4865, 0.4409),
    (0.2673, 0.2564, 0.2762),
)

# As the paper's released code has them. What it divides CIFAR-10 by is the mean of the images' own
# deviations, not that of the pixels; it gives the test images of CIFAR-100 the same transforms as
# the training images.
RELEASED_CIFAR10 = replace(CIFAR10, std=(0.2023, 0.1994, 0.2010))
RELEASED_CIFAR100 = replace(
    CIFAR100,
    mean=(0.5071, 0.4867, 0.4408),
    std=(0.2675, 0.2565, 0.2761),
    augments_tests=True,
)


def load_cifar(
    cifar: Cifar,
    root: str | Path,
    *,
    train: bool,
    augment: bool = False,
    download: bool = True,
    progress: bool = True,
) -> ImageDataset:
    """Read CIFAR-10 or CIFAR-100, downloading it first where it is not complete on disk.

    What is on disk is checked against torchvision's checksums before it is opened.

    Parameters
    ----------
    cifar : Cifar
        Which of the two.
    root : str or pathlib.Path
        Folder that holds, or is to hold, the dataset's folder and archive.
    train : bool
        The 50,000 training images or the 10,000 test images.
    augment : bool
        Whether batches are cropped with padding 4 and flipped (see `datasets.batches`); those of
        test images are, whatever it says, if `Cifar.augments_tests`.
    download : bool
        Whether it may be downloaded.
    progress : bool
        Whether to show a download's progress.

    Returns
    -------
    ImageDataset
        Images 3 x 32 x 32, normalised with the training images' mean and deviation.

    Raises
    ------
    DataUnavailable
        If it is not on disk, or not whole, and cannot be downloaded.
    """
    root = Path(root).expanduser()
    reader = getattr(import_torchvision().datasets, cifar.torchvision_class)
    try:
        data = _read(reader, root, train)
        if data is None and (download or archive_is_whole(cifar, root)):
            _fetch(cifar, reader, root, progress)
            data = _read(reader, root, train)
    except (OSError, pickle.UnpicklingError, KeyError, ValueError, EOFError) as error:
        raise DataUnavailable(f"{cifar.name} in {root} cannot be read: {_line(error)}") from error
    if data is None:
        raise DataUnavailable(_explanation(cifar, root))
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2)
    augment = augment or (cifar.augments_tests and not train)
    augmentation = Augmentation(4, True, black(cifar.mean, cifar.std)) if augment else None
    return ImageDataset(images, torch.tensor(data.targets), cifar.mean, cifar.std, augmentation)


load_cifar10 = partial(load_cifar, CIFAR10)
load_cifar100 = partial(load_cifar, CIFAR100)
load_released_cifar10 = partial(load_cifar, RELEASED_CIFAR10)
load_released_cifar100 = partial(load_cifar, RELEASED_CIFAR100)


def is_on_disk(cifar: Cifar, root: str | Path) -> bool:
    """Whether the dataset can be had without a network: whole files, or a whole archive.

    torchvision is imported only if there is something to check.
    """
    root = Path(root).expanduser()
    if not ((root / cifar.folder).exists() or (root / cifar.archive).exists()):
        return False
    reader = getattr(import_torchvision().datasets, cifar.torchvision_class)
    # Bound to no data: the check reads nothing but the files' names and checksums.
    unread = reader.__new__(reader)
    unread.root = str(root)
    return unread._check_integrity() or archive_is_whole(cifar, root)


def archive_is_whole(cifar: Cifar, root: str | Path) -> bool:
    """Whether the downloaded archive is there and has torchvision's checksum."""
    torchvision = import_torchvision()
    checksum = getattr(torchvision.datasets, cifar.torchvision_class).tgz_md5
    path = Path(root).expanduser() / cifar.archive
    return torchvision.datasets.utils.check_integrity(str(path), checksum)


def _read(reader: type, root: Path, train: bool) -> Any | None:
    """Return torchvision's dataset, or None where its files are absent or fail the checksums."""
    try:
        return reader(str(root), train=train, download=False)
    except RuntimeError:
        return None


def _fetch(cifar: Cifar, reader: type, root: Path, progress: bool) -> None:
    """Download, unless the archive is here, and extract; one process at a time."""
    # Asked first, because torchvision would wait for minutes where there is no network.
    reason = None if archive_is_whole(cifar, root) else why_unreachable(cifar.url)
    if reason is not None:
        raise DataUnavailable(_explanation(cifar, root, reason))
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(root / f".{cifar.archive}.lock")
        with lock, _stall_limit(), _quiet(not progress):
            reader(str(root), train=False, download=True)
    except (OSError, RuntimeError, EOFError) as error:
        raise DataUnavailable(_explanation(cifar, root, _line(error))) from error


@contextlib.contextmanager
def _stall_limit() -> Iterator[None]:
    """Let a silent server end in an error; torchvision itself would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALLED_AFTER)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _quiet(quiet: bool) -> contextlib.AbstractContextManager:
    """Hide torchvision's own progress bar, which has no switch."""
    return contextlib.redirect_stderr(io.StringIO()) if quiet else contextlib.nullcontext()


def _explanation(cifar: Cifar, root: Path, reason: str | None = None) -> str:
    """Say in one line why the dataset cannot be had and what can be done."""
    folder, archive = root / cifar.folder, root / cifar.archive
    why = f" ({reason})" if reason else ""
    if os.path.lexists(folder):
        return (
            f"{cifar.name} in {folder} is incomplete or corrupt and was not replaced{why}: "
            f"remove that folder and put {cifar.archive} into {root}, or let it be downloaded"
        )
    if os.path.lexists(archive):
        return (
            f"{archive} is incomplete or corrupt and was not replaced{why}: "
            f"put a whole copy there, from {cifar.url}"
        )
    return (
        f"{cifar.name} is not in {root} and was not downloaded{why}: "
        f"put {cifar.archive} there, from {cifar.url}, or use --dataset digits"
    )


def _line(error: Exception) -> str:
    """Return the first line of an error's message, or its name."""
    return (str(error) or type(error).__name__).splitlines()[0]
