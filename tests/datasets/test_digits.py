"""The embedded digits."""

import numpy as np
import sklearn.datasets
import torch
from PIL import Image

import datasets
from system import draws


def load(**options):
    return datasets.load("digits", "no/such/folder", download=False, **options)


def test_sizes_and_stratified_split():
    counts = []
    for train, size in ((True, 1437), (False, 360)):
        dataset = load(train=train)
        image, label = dataset[0]
        assert len(dataset) == size
        assert image.shape == (3, 32, 32)
        assert image.dtype == torch.float32
        assert type(label) is int
        counts.append(torch.bincount(dataset.labels, minlength=10))
    every_class = np.bincount(sklearn.datasets.load_digits().target)
    assert (counts[0] + counts[1]).tolist() == every_class.tolist()
    assert np.abs(counts[1].numpy() - 0.2 * every_class).max() < 1


def test_every_digit_once_scaled_bilinearly():
    """Undoing Pillow's bilinear enlargement gives back the originals, each exactly once."""
    unit = Image.fromarray(np.eye(8, dtype=np.float32))
    enlarge = np.array(unit.resize((8, 32), Image.Resampling.BILINEAR), dtype=np.float64)
    shrink = np.linalg.pinv(enlarge)
    found = []
    for train in (True, False):
        dataset = load(train=train)
        large = dataset.images[:, 0].double().numpy() * 16
        small = (shrink @ large @ shrink.T).round()
        np.testing.assert_allclose(enlarge @ small @ enlarge.T, large, atol=1e-4)
        found += [(label, d.tolist()) for label, d in zip(dataset.labels.tolist(), small)]
    originals = sklearn.datasets.load_digits()
    expected = [(label, d.tolist()) for label, d in zip(originals.target, originals.images)]
    assert sorted(found) == sorted(expected)


def test_normalised_with_the_training_part():
    images, _labels = load(train=True).__getitems__(list(range(1437)))
    assert abs(images.double().mean()) < 1e-5
    assert abs(images.double().std(correction=0) - 1) < 1e-5
    assert torch.equal(images[:, 0], images[:, 2])
    test_images, _labels = load(train=False).__getitems__(list(range(360)))
    assert test_images.min() == images.min()
    assert 1e-4 < abs(test_images.double().mean()) < 0.1


def test_split_is_fixed():
    assert torch.equal(load(train=False).images, load(train=False).images)
    assert load(train=False).labels[:10].tolist() == [7, 6, 3, 7, 7, 3, 2, 8, 9, 3]


def test_augmented_digits_are_shifted_but_not_mirrored():
    dataset = load(train=True, augment=True)
    plain, _labels = load(train=True).__getitems__([0])
    assert torch.equal(dataset[0][0], plain[0])
    generator = draws.stream(0)
    padded = torch.full((3, 36, 36), float(plain.min()))
    padded[:, 2:34, 2:34] = plain[0]
    crops = {
        (top, left): padded[:, top : top + 32, left : left + 32]
        for top in range(5)
        for left in range(5)
    }
    seen = set()
    for image in dataset.augmentation(plain.repeat(400, 1, 1, 1), generator):
        match = [where for where, crop in crops.items() if torch.allclose(crop, image, atol=1e-6)]
        assert len(match) == 1
        seen.add(match[0])
    assert len(seen) == 25
