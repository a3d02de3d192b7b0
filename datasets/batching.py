"""Batches in an order, and with an augmentation, that depend on the seed and nothing else."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from system import draws


class EpochSampler(Sampler[list[int]]):
    """Indices of each batch of an epoch.

    A last batch of a single sample joins the batch before it, because batch normalisation cannot
    be trained on one sample.

    Parameters
    ----------
    size : int
        Number of samples.
    batch_size : int
        Samples a batch.
    seed : int
        Together with the number of the epoch, decides the order.
    shuffle : bool
        If False the order is that of the dataset.

    Attributes
    ----------
    epoch : int
        The epoch that the next iteration belongs to.
    """

    def __init__(self, size: int, batch_size: int, seed: int, shuffle: bool) -> None:
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def _starts(self) -> list[int]:
        starts = list(range(0, self.size, self.batch_size))
        if len(starts) > 1 and self.batch_size > 1 and self.size - starts[-1] == 1:
            starts.pop()
        return starts

    def __len__(self) -> int:
        return len(self._starts())

    def __iter__(self) -> Iterator[list[int]]:
        if self.shuffle:
            order = draws.stream(self.seed, "order", self.epoch).permutation(self.size).tolist()
        else:
            order = list(range(self.size))
        starts = self._starts()
        ends = [*starts[1:], self.size]
        return iter([order[start:end] for start, end in zip(starts, ends, strict=True)])


class Batches(DataLoader):
    """A DataLoader whose batches depend on its dataset, seed and epoch, not on its workers.

    Every iteration is an epoch, counted from 0; `set_epoch` says which one comes next. Samples
    are read by the workers, but the augmentation runs here, on whole batches and in their order,
    so that it does not matter who read them. Made by `batches`.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, *, seed: int, shuffle: bool, num_workers: int
    ) -> None:
        self.seed = seed
        self.epoch = 0
        super().__init__(
            dataset,
            batch_sampler=EpochSampler(len(dataset), batch_size, seed, shuffle),
            collate_fn=_collate,
            num_workers=num_workers,
            # Torch draws the workers' own seeds from it; without it, from the global generator.
            generator=torch.Generator().manual_seed(seed),
        )

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration that of `epoch`, whatever was iterated before."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        # The order is drawn now, not with the first batch: iterations may overlap.
        self.batch_sampler.epoch = epoch
        return self._augmented(super().__iter__(), epoch)

    def _augmented(
        self, loaded: Iterator, epoch: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        augmentation = getattr(self.dataset, "augmentation", None)
        generator = draws.stream(self.seed, "augmentation", epoch)
        for images, labels in loaded:
            if augmentation is not None:
                images = augmentation(images, generator)
            yield images, labels


def _collate(samples: Any) -> Sequence[torch.Tensor]:
    """Stack samples, unless the dataset gave the batch as a whole."""
    return samples if isinstance(samples, tuple) else default_collate(samples)


def batches(
    dataset: Dataset, batch_size: int, *, seed: int = 0, shuffle: bool = True, num_workers: int = 0
) -> Batches:
    """Cut a dataset into batches.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Yields ``(image, label)``. If it has an attribute ``augmentation`` that is not None, every
        batch of images passes through it (see `datasets.augmentation.Augmentation`).
    batch_size : int
        Images a batch, 1 or more. The last batch holds what is left; a single image left over
        joins the batch before it.
    seed : int
        Decides the order and the augmentation, together with the number of the epoch; not
        negative.
    shuffle : bool
        If False the order is that of the dataset.
    num_workers : int
        Processes that read samples; 0 reads them here. The batches do not depend on it.

    Returns
    -------
    Batches
        A DataLoader: each iteration is one epoch with an order of its own.

    Raises
    ------
    ValueError
        If `batch_size` is not positive or `seed` is negative.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be 1 or more, got {batch_size}")
    if seed < 0:
        raise ValueError(f"the seed must not be negative, got {seed}")
    return Batches(dataset, batch_size, seed=seed, shuffle=shuffle, num_workers=num_workers)
