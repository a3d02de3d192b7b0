"""Crop-with-padding and flip."""

import numpy as np
import pytest
import torch

from datasets.augmentation import Augmentation
from system import draws

FILL = (-1.0, -2.0)


def every_outcome(image, padding):
    """All crops of one padded image by plain slicing, keyed by (top, left, mirrored)."""
    _channels, height, width = image.shape
    padded = torch.stack(
        [torch.full((height + 2 * padding, width + 2 * padding), value) for value in FILL]
    )
    padded[:, padding : padding + height, padding : padding + width] = image
    outcomes = {}
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            cut = padded[:, top : top + height, left : left + width]
            outcomes[top, left, False] = cut
            outcomes[top, left, True] = cut.flip(2)
    return outcomes


@pytest.mark.parametrize("flip", [True, False])
def test_each_image_is_one_of_the_possible_crops_and_all_occur(flip):
    generator = draws.stream(0)
    image = torch.from_numpy(generator.random((2, 5, 4), dtype=np.float32))
    batch = image.repeat(1000, 1, 1, 1)
    augmented = Augmentation(2, flip, FILL)(batch, generator)
    assert augmented.shape == batch.shape
    assert augmented.dtype == batch.dtype
    counts = {
        key: int((augmented == cut).flatten(1).all(1).sum())
        for key, cut in every_outcome(image, 2).items()
        if flip or not key[2]
    }
    # The outcomes differ from one another, so the counts add up only if every image is one.
    assert sum(counts.values()) == 1000
    assert len(counts) == (50 if flip else 25)
    assert min(counts.values()) > 0
    # Uniform: chi-squared far below its 0.1 % point (85.4 and 51.2 at 49 and 24 degrees).
    expected = 1000 / len(counts)
    statistic = sum((count - expected) ** 2 / expected for count in counts.values())
    assert statistic < (85.4 if flip else 51.2)


def test_images_are_drawn_independently_and_left_as_they_are():
    images = torch.arange(2 * 8 * 3 * 3, dtype=torch.float32).reshape(8, 2, 3, 3)
    before = images.clone()
    augmentation = Augmentation(1, True, FILL)
    augmented = augmentation(images, draws.stream(3))
    assert torch.equal(images, before)
    for image, result in zip(images, augmented, strict=True):
        assert any(torch.equal(result, cut) for cut in every_outcome(image, 1).values())
    same = augmentation(images, draws.stream(3))
    other = augmentation(images, draws.stream(4))
    assert torch.equal(augmented, same)
    assert not torch.equal(augmented, other)
