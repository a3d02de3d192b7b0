import pytest
import torch

from pruning.samples import take_batches, take_per_class


def numbered(samples, batch_size):
    """A loader whose images are their own index."""
    index = torch.arange(samples)
    images = index.reshape(-1, 1, 1, 1).float()
    return list(zip(images.split(batch_size), (index % 3).split(batch_size)))


def test_batches_are_cut_in_order_and_the_loader_is_read_again():
    batches = take_batches(numbered(10, 4), 6, 3, "x")
    got = [images.reshape(-1).int().tolist() for images, _ in batches]
    assert got == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 0, 1], [2, 3, 4, 5, 6, 7]]
    assert batches[1][1].tolist() == [0, 1, 2, 0, 0, 1]


def test_too_few_samples_for_one_batch():
    with pytest.raises(ValueError, match="snip needs a batch of 11 samples, the loader has 10"):
        take_batches(numbered(10, 4), 11, 1, "snip")


def test_a_loader_that_can_be_read_once_only():
    with pytest.raises(ValueError, match="cannot be read again"):
        take_batches(iter(numbered(10, 4)), 6, 3, "prospr")


def test_per_class_takes_the_first_of_each_round_robin():
    images, labels = take_per_class(numbered(30, 7), 2, 3, "grasp")
    assert images.reshape(-1).int().tolist() == [0, 1, 2, 3, 4, 5]
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_per_class_names_the_class_that_is_short():
    with pytest.raises(ValueError, match=r"4 samples of each of 3 classes.*2 of them \(class 1: 3"):
        take_per_class(numbered(10, 4), 4, 3, "grasp")


def test_per_class_refuses_labels_outside_the_classes():
    with pytest.raises(ValueError, match="label 2 is outside the 2 classes"):
        take_per_class(numbered(10, 4), 2, 2, "grasp")
