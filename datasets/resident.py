"""Batches that are made where a network computes: the images are there, and stay there."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from datasets.augmentation import Shifts
from datasets.batching import Batches
from datasets.images import ImageDataset


def on_device(loader: Batches, device: str | torch.device) -> Batches | Resident:
    """Return batches that are made on a device, if that is worth it and can be.

    Parameters
    ----------
    loader : Batches
    device : str or torch.device

    Returns
    -------
    Batches or Resident
        The same batches: those of `loader` itself on the CPU, and where its dataset is neither in
        memory (`datasets.images.ImageDataset`) nor has a method ``in_memory()`` that returns the
        same images as one that is.
    """
    if torch.device(device).type == "cpu":
        return loader
    dataset = loader.dataset
    if hasattr(dataset, "in_memory"):
        dataset = dataset.in_memory()
    return Resident(loader, dataset, device) if isinstance(dataset, ImageDataset) else loader


class Resident:
    """The batches of a loader, cut and augmented on a device.

    Order and augmentation are drawn on the CPU, as the loader draws them, and sent for a whole
    epoch at once; then nothing waits for anything. The images are the loader's, bit for bit: bytes
    are normalised by a table of what the CPU makes of each.

    Parameters
    ----------
    loader : Batches
        Decides on order and augmentation.
    dataset : ImageDataset
        The images that the loader reads.
    device : str or torch.device
    """

    def __init__(self, loader: Batches, dataset: ImageDataset, device: str | torch.device) -> None:
        self.loader = loader
        self.dataset = dataset
        self.device = torch.device(device)
        self.labels = dataset.labels.to(device)
        channels = dataset.images.shape[1]
        self.table = None
        if dataset.images.dtype == torch.uint8:
            self.images = dataset.images.to(device, memory_format=torch.contiguous_format)
            levels = torch.arange(256, dtype=torch.uint8).expand(1, channels, 1, 256)
            self.table = dataset.normalised(levels).flatten().to(device)
            self.rows = 256 * torch.arange(channels, device=device).reshape(-1, 1, 1)
        else:
            self.images = dataset.normalised(dataset.images).to(device)

    def __len__(self) -> int:
        return len(self.loader)

    def set_epoch(self, epoch: int) -> None:
        """As that of the loader."""
        self.loader.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = self.loader.begin()
        chosen = list(self.loader.batch_sampler)
        order = torch.tensor([index for part in chosen for index in part], dtype=torch.int64)
        sizes = [len(part) for part in chosen]
        shifts = None
        if self.dataset.augmentation is not None:
            drawn = [self.dataset.augmentation.draw(size, generator) for size in sizes]
            shifts = Shifts(*(torch.cat(parts).to(self.device) for parts in zip(*drawn)))
        return self._batches(order.to(self.device).split(sizes), shifts, sizes)

    def _batches(
        self, chosen: tuple[torch.Tensor, ...], shifts: Shifts | None, sizes: list[int]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        pieces = zip(*(drawn.split(sizes) for drawn in shifts)) if shifts else iter(sizes)
        for where, piece in zip(chosen, pieces):
            images = self._normalised(self.images[where])
            if shifts:
                images = self.dataset.augmentation.apply(images, Shifts(*piece))
            yield images, self.labels[where]

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        return images if self.table is None else self.table.take(images + self.rows)
