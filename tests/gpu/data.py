"""Images that need no network: the digits, and random ones of CIFAR's shape."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from datasets.augmentation import Augmentation
from datasets.cifar import CIFAR10
from datasets.digits import load_digits
from datasets.images import ImageDataset, black


def digits(size: int = 32, count: int | None = None, *, train: bool = True) -> ImageDataset:
    """The first digits, shrunk to a size that divides 32."""
    found = load_digits(train=train)
    mean, std = (values.flatten().tolist() for values in (found.mean, found.std))
    images = F.avg_pool2d(found.images[:count], 32 // size)
    return ImageDataset(images, found.labels[:count], mean, std)


def like_cifar(count: int, seed: int, augment: bool = False, size: int = 32) -> ImageDataset:
    """Random bytes and labels as of CIFAR-10, whose images have 32 pixels a side."""
    draws = np.random.default_rng(seed)
    images = draws.integers(256, size=(count, 3, size, size), dtype=np.uint8)
    labels = draws.integers(10, size=count)
    augmentation = Augmentation(4, True, black(CIFAR10.mean, CIFAR10.std)) if augment else None
    return ImageDataset(
        torch.from_numpy(images), torch.from_numpy(labels), CIFAR10.mean, CIFAR10.std, augmentation
    )
