"""Images in memory."""

import pytest
import torch

from datasets.images import ImageDataset, black


def test_bytes_and_fractions_are_normalised_alike():
    levels = torch.randint(
        256, (5, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    mean, std = (0.5, 0.25, 0.1), (0.5, 0.2, 2.0)
    labels = torch.tensor([4, 3, 2, 1, 0])
    for images in (levels, levels.to(torch.float32) / 255):
        dataset = ImageDataset(images, labels, mean, std)
        assert len(dataset) == 5
        image, label = dataset[1]
        assert type(label) is int
        assert label == 3
        for channel in range(3):
            expected = (levels[1, channel].double() / 255 - mean[channel]) / std[channel]
            torch.testing.assert_close(image[channel].double(), expected, rtol=1e-5, atol=1e-6)
        batch, batch_labels = dataset.__getitems__([1, 1, 0])
        assert torch.equal(batch[1], image)
        assert batch_labels.tolist() == [3, 3, 4]
    assert levels.dtype == torch.uint8


def test_black_is_what_black_pixels_become():
    mean, std = (0.5, 0.25), (0.5, 0.2)
    dataset = ImageDataset(torch.zeros(1, 2, 1, 1), torch.zeros(1), mean, std)
    assert dataset[0][0].flatten().tolist() == pytest.approx(black(mean, std))


def test_images_and_labels_must_match():
    with pytest.raises(ValueError, match="2 images but 3 labels"):
        ImageDataset(torch.zeros(2, 3, 4, 4), torch.zeros(3), (0,) * 3, (1,) * 3)
