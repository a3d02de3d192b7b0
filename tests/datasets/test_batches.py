"""Order and augmentation of batches."""

import pytest
import torch
from torch.utils.data import Dataset

from datasets import batches
from datasets.augmentation import Augmentation
from datasets.images import ImageDataset


def numbered(count, augment=False):
    """Images that show their own number, with that number as the label."""
    images = torch.arange(count, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 3, 6, 6)
    augmentation = Augmentation(2, True, (-5.0, -5.0, -5.0)) if augment else None
    return ImageDataset(images, torch.arange(count), (0,) * 3, (1,) * 3, augmentation)


class OneByOne(Dataset):
    """The same samples from a dataset that knows no batches."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]


def epoch(loader):
    return [(images.clone(), labels) for images, labels in loader]


def labels_of(read):
    return [labels.tolist() for _images, labels in read]


def equal(first, second):
    return len(first) == len(second) and all(
        torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(first, second)
    )


def test_every_sample_once_in_full_batches():
    read = epoch(batches(numbered(23), 5))
    assert [len(labels) for _images, labels in read] == [5, 5, 5, 5, 3]
    assert sorted(label for labels in labels_of(read) for label in labels) == list(range(23))
    for images, labels in read:
        assert images.shape == (len(labels), 3, 6, 6)
        assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
        assert torch.equal(images[:, 0, 0, 0], labels.float())


def test_order_depends_on_seed_and_epoch():
    first, again, other = (batches(numbered(40), 8, seed=seed) for seed in (3, 3, 4))
    assert len(first) == 5
    epochs = [labels_of(epoch(first)) for _ in range(3)]
    assert epochs == [labels_of(epoch(again)) for _ in range(3)]
    assert len({str(read) for read in epochs}) == 3
    assert labels_of(epoch(other)) != epochs[0]
    first.set_epoch(1)
    assert labels_of(epoch(first)) == epochs[1]
    assert labels_of(epoch(first)) == epochs[2]


def test_without_shuffling_the_order_is_the_datasets():
    loader = batches(numbered(7), 3, shuffle=False)
    for _ in range(2):
        assert labels_of(epoch(loader)) == [[0, 1, 2], [3, 4, 5, 6]]


@pytest.mark.parametrize("wrap", [lambda dataset: dataset, OneByOne])
def test_workers_change_nothing(wrap):
    alone = batches(wrap(numbered(30, augment=True)), 4, seed=1)
    helped = batches(wrap(numbered(30, augment=True)), 4, seed=1, num_workers=2)
    for _ in range(2):
        assert equal(epoch(alone), epoch(helped))


def test_one_by_one_is_the_same_as_whole_batches():
    first = epoch(batches(numbered(10), 4, seed=1))
    assert equal(first, epoch(batches(OneByOne(numbered(10)), 4, seed=1)))


def test_augmentation_is_seeded_and_new_each_epoch():
    plain = epoch(batches(numbered(16), 16, shuffle=False))
    first, again, other = (
        batches(numbered(16, augment=True), 16, shuffle=False, seed=seed) for seed in (1, 1, 2)
    )
    epochs = [epoch(first) for _ in range(2)]
    assert equal(epochs[0], epoch(again))
    assert not equal(epochs[0], plain)
    assert not equal(epochs[0], epochs[1])
    assert not equal(epochs[0], epoch(other))
    first.set_epoch(0)
    assert equal(epochs[0], epoch(first))


def test_overlapping_iterations_keep_their_own_order():
    loader, alone = batches(numbered(20), 4), batches(numbered(20), 4)
    early, late = iter(loader), iter(loader)
    later = labels_of(late)
    earlier = labels_of(early)
    assert [earlier, later] == [labels_of(epoch(alone)) for _ in range(2)]


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [(9, 4, [4, 5]), (1, 4, [1]), (3, 1, [1, 1, 1]), (4, 8, [4]), (5, 4, [5])],
)
def test_a_single_image_left_over_joins_the_batch_before(count, size, lengths):
    loader = batches(numbered(count), size)
    assert [len(labels) for _images, labels in loader] == lengths
    assert len(loader) == len(lengths)


@pytest.mark.parametrize("workers", [0, 1])
def test_global_random_state_is_left_alone(workers):
    before = torch.random.get_rng_state()
    epoch(batches(numbered(12, augment=True), 4, num_workers=workers))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("size", "seed", "message"), [(0, 0, "batch size must be 1"), (4, -1, "seed must not be")]
)
def test_refused(size, seed, message):
    with pytest.raises(ValueError, match=message):
        batches(numbered(4), size, seed=seed)
