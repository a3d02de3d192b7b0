"""Batches that are made on a device: those of the loader, bit for bit."""

import pytest
import torch
from torch.utils.data import Dataset

from datasets import batches, on_device
from datasets.augmentation import Augmentation
from datasets.cifar import CIFAR10, CIFAR100
from datasets.images import ImageDataset, black
from datasets.resident import Resident


def images(kind, count=43, augmentation=True, cifar=CIFAR10):
    """Bytes as of CIFAR, or numbers as of the digits, whose colours share their memory."""
    generator = torch.Generator().manual_seed(count)
    if kind == torch.uint8:
        pixels = torch.randint(256, (count, 5, 6, 3), generator=generator).to(torch.uint8)
        pixels = pixels.permute(0, 3, 1, 2)
    else:
        pixels = torch.rand(count, 1, 5, 6, generator=generator).expand(-1, 3, -1, -1)
    labels = torch.randint(10, (count,), generator=generator)
    found = Augmentation(2, True, black(cifar.mean, cifar.std)) if augmentation else None
    return ImageDataset(pixels, labels, cifar.mean, cifar.std, found)


def equal(one, other):
    return all(
        torch.equal(a, c) and torch.equal(b, d) and a.dtype == c.dtype and b.dtype == d.dtype
        for (a, b), (c, d) in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
@pytest.mark.parametrize("augmentation", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [7, 14])  # 14: a last image alone
def test_the_batches_of_the_loader(kind, augmentation, shuffle, size):
    for cifar in (CIFAR10, CIFAR100):
        dataset = images(kind, augmentation=augmentation, cifar=cifar)
        loader = batches(dataset, size, seed=3, shuffle=shuffle)
        there = Resident(batches(dataset, size, seed=3, shuffle=shuffle), dataset, "cpu")
        assert len(there) == len(loader)
        epochs = [list(there) for _ in range(2)]
        for epoch in epochs:
            assert equal(epoch, list(loader))
        assert equal(*epochs) != (shuffle or augmentation)
        there.set_epoch(0)
        assert equal(epochs[0], list(there))


def test_every_byte_is_what_the_loader_makes_of_it():
    """All 256 in every channel, which the images above need not have."""
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(2, 3, -1, -1)
    for cifar in (CIFAR10, CIFAR100):
        dataset = ImageDataset(levels, torch.zeros(2, dtype=torch.int64), cifar.mean, cifar.std)
        loader = batches(dataset, 2)
        assert equal(list(Resident(loader, dataset, "cpu")), list(batches(dataset, 2)))


def test_overlapping_epochs_keep_their_own_order():
    dataset = images(torch.uint8)
    loader, there = batches(dataset, 8), Resident(batches(dataset, 8), dataset, "cpu")
    one, two = iter(there), iter(there)
    later = list(two)
    assert equal(list(one), list(loader))
    assert equal(later, list(loader))


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_nothing_waits_for_the_device(kind):
    """On torch's ``meta`` device there are no values: whoever asks for one raises."""
    dataset = images(kind)
    loader = Resident(batches(dataset, 8), dataset, "meta")
    assert loader.images.dtype == kind
    lengths = []
    for found, labels in loader:
        assert (found.device.type, labels.device.type) == ("meta", "meta")
        assert (found.dtype, labels.dtype) == (torch.float32, torch.int64)
        assert found.shape == (len(labels), 3, 5, 6)
        assert found.is_contiguous(memory_format=torch.channels_last)
        lengths.append(len(labels))
    assert lengths == [8, 8, 8, 8, 8, 3]


class OnDisk(Dataset):
    """Images that are read one by one; `in_memory` is there if they can all be held."""

    def __init__(self, held):
        self.held, self.augmentation = held, held.augmentation

    def __len__(self):
        return len(self.held)

    def __getitem__(self, index):
        return self.held[index]


class Holdable(OnDisk):
    def in_memory(self):
        return self.held


def test_where_batches_are_made():
    dataset = images(torch.uint8)
    for wrap, made_there in ((lambda held: held, True), (Holdable, True), (OnDisk, False)):
        loader = batches(wrap(dataset), 8)
        assert on_device(loader, "cpu") is loader
        found = on_device(loader, "meta")
        assert isinstance(found, Resident) == made_there
        assert made_there or found is loader
