"""Read Tiny ImageNet as `load_tiny_imagenet.sh` lays it out."""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from datasets.augmentation import Augmentation
from datasets.images import ImageDataset, black
from datasets.unavailable import DataUnavailable

FOLDER = "tiny-imagenet-200"
CLASSES = 200
IMAGES_PER_CLASS = {"train": 500, "val": 50}
SIZE = 32
MEAN = (0.4802, 0.4481, 0.3975)
"""Mean of the training pixels, a number a channel, on the scale from 0 to 1."""
STD = (0.2770, 0.2691, 0.2821)
"""Standard deviation of the same pixels."""


class TinyImageNet(Dataset):
    """Images on disk, decoded and scaled to 32 x 32 when they are read.

    Parameters
    ----------
    paths : list of pathlib.Path
        JPEG files.
    labels : list of int
        Their classes.
    augmentation : Augmentation or None
        What `datasets.batches` does to each batch; single images are never augmented.
    scaling : PIL.Image.Resampling
        The filter by which they are scaled.
    """

    def __init__(
        self,
        paths: list[Path],
        labels: list[int],
        augmentation: Augmentation | None = None,
        scaling: Image.Resampling = Image.Resampling.BILINEAR,
    ) -> None:
        self.paths = paths
        self.labels = labels
        self.augmentation = augmentation
        self.scaling = scaling
        self.mean = torch.tensor(MEAN).reshape(3, 1, 1)
        self.std = torch.tensor(STD).reshape(3, 1, 1)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return one normalised image, ``(3, 32, 32)`` float32, and its label.

        Raises
        ------
        DataUnavailable
            If the file cannot be decoded.
        """
        values = torch.from_numpy(self._pixels(index)).permute(2, 0, 1).to(torch.float32).div_(255)
        return values.sub(self.mean).div_(self.std).contiguous(), self.labels[index]

    def in_memory(self) -> ImageDataset:
        """Return the same images decoded, as bytes: those of the data set take 307 MB.

        They are decoded once, by as many threads as torch has.

        Raises
        ------
        DataUnavailable
            As a single image does.
        """
        return self._decoded

    @cached_property
    def _decoded(self) -> ImageDataset:
        pixels = torch.empty(len(self.paths), SIZE, SIZE, 3, dtype=torch.uint8)

        def decode(index: int) -> None:
            pixels[index] = torch.from_numpy(self._pixels(index))

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for _ in pool.map(decode, range(len(self.paths))):
                pass
        images = pixels.permute(0, 3, 1, 2)
        return ImageDataset(images, torch.tensor(self.labels), MEAN, STD, self.augmentation)

    def _pixels(self, index: int) -> np.ndarray:
        """Bytes (height, width, channel) of an image."""
        path = self.paths[index]
        try:
            with Image.open(path) as image:
                return np.array(image.convert("RGB").resize((SIZE, SIZE), self.scaling))
        except (OSError, SyntaxError) as error:  # Pillow raises both on broken files
            raise DataUnavailable(
                f"{path} cannot be decoded: remove {path.parents[3]} and run "
                "tinyimagenet/load_tiny_imagenet.sh again"
            ) from error


def load_tiny_imagenet(
    root: str | Path,
    *,
    train: bool,
    augment: bool = False,
    download: bool = True,
    progress: bool = True,
    images_per_class: dict[str, int] | None = None,
    scaling: Image.Resampling = Image.Resampling.BILINEAR,
) -> TinyImageNet:
    """Open Tiny ImageNet (Le and Yang, Tiny ImageNet Visual Recognition Challenge, 2015).

    200 classes of 64 x 64 colour images, scaled here to 32 x 32, bilinearly unless another filter
    is given. (The paper's released code takes a box filter: `load_released_tiny_imagenet`.) The
    published test images have no labels, so the validation images are the test images. Only the
    files' names are read now.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder in which `load_tiny_imagenet.sh` put ``tiny-imagenet-200``.
    train : bool
        The 100,000 training images or the 10,000 validation images.
    augment : bool
        Whether batches are cropped with padding 4 and flipped (see `datasets.batches`).
    download, progress : bool
        Not read: the script downloads, and nothing else.
    images_per_class : dict of str to int or None
        How many images each class must have in ``"train"`` and ``"val"``; None is 500 and 50.
    scaling : PIL.Image.Resampling
        The filter by which images are scaled.

    Returns
    -------
    TinyImageNet
        Labels number the classes in the order of their WordNet ids.

    Raises
    ------
    DataUnavailable
        If the folder is missing, or not complete.
    """
    root = Path(root).expanduser()
    folder, split = root / FOLDER, "train" if train else "val"
    wanted = (images_per_class or IMAGES_PER_CLASS)[split]
    remedy = f"run tinyimagenet/load_tiny_imagenet.sh {root}"
    if not folder.is_dir():
        raise DataUnavailable(f"Tiny ImageNet is not in {root}: {remedy}")
    try:
        names = sorted((folder / "wnids.txt").read_text().split())
        if not all(re.fullmatch("n[0-9]+", name) for name in names):
            raise DataUnavailable(
                f"{folder / 'wnids.txt'} names what is no class: remove {folder} and {remedy}"
            )
        found = [sorted((folder / split / name / "images").glob("*.JPEG")) for name in names]
    except (OSError, UnicodeDecodeError) as error:
        raise DataUnavailable(
            f"Tiny ImageNet in {folder} cannot be read: remove that folder and {remedy}"
        ) from error
    if split == "val" and (folder / "val" / "images").is_dir():
        raise DataUnavailable(
            f"the validation images in {folder} are not sorted into classes: {remedy}"
        )
    if len(names) != CLASSES or any(len(paths) != wanted for paths in found):
        short = next((n for n, paths in zip(names, found) if len(paths) != wanted), None)
        detail = (
            f"{len(names)} classes instead of {CLASSES}"
            if short is None
            else f"class {short} has not {wanted} {split} images"
        )
        raise DataUnavailable(
            f"Tiny ImageNet in {folder} is incomplete ({detail}): remove that folder and {remedy}"
        )
    return TinyImageNet(
        [path for paths in found for path in paths],
        [label for label, paths in enumerate(found) for _ in paths],
        Augmentation(4, True, black(MEAN, STD)) if augment else None,
        scaling,
    )


load_released_tiny_imagenet = partial(load_tiny_imagenet, scaling=Image.Resampling.BOX)
