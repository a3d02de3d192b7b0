"""The loader of Tiny ImageNet, on a tiny copy of its layout."""

import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import datasets
from datasets import DataUnavailable
from datasets.resident import Resident
from tinyimagenet import loader
from tinyimagenet.loader import load_tiny_imagenet

NAMES = [f"n{number:08d}" for number in range(200)]
COUNTS = {"train": 2, "val": 1}


def colour(number):
    """A colour of its own for each class; flat, so that JPEG keeps it almost exactly."""
    return (number % 5 * 60, number // 5 % 8 * 35, number // 40 * 60)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("original")
    folder = root / "tiny-imagenet-200"
    for number, name in enumerate(NAMES):
        for split, count in COUNTS.items():
            where = folder / split / name / "images"
            where.mkdir(parents=True)
            for image in range(count):
                Image.new("RGB", (64, 64), colour(number)).save(
                    where / f"{name}_{image}.JPEG", quality=95
                )
        (folder / "train" / name / f"{name}_boxes.txt").write_text("")
    # Not sorted: labels must not depend on the order of this file.
    (folder / "wnids.txt").write_text("\n".join(reversed(NAMES)) + "\n")
    return root


@pytest.fixture
def copy(original, tmp_path):
    """A copy that a test may damage; its images are links to the original's."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True, copy_function=os.link)
    return tmp_path


@pytest.mark.parametrize("train", [True, False])
def test_images_and_labels(original, train):
    dataset = load_tiny_imagenet(original, train=train, images_per_class=COUNTS)
    per_class = COUNTS["train" if train else "val"]
    assert len(dataset) == 200 * per_class
    mean, std = np.array(loader.MEAN), np.array(loader.STD)
    for label in (0, 7, 199):
        for index in range(label * per_class, (label + 1) * per_class):
            image, found = dataset[index]
            assert found == label
            assert image.shape == (3, 32, 32)
            assert image.dtype == torch.float32
            pixels = image.numpy().transpose(1, 2, 0) * std + mean
            assert np.abs(pixels * 255 - colour(label)).max() < 4


def test_batches_from_memory_are_those_from_the_disk(original):
    settings = {"train": True, "augment": True, "images_per_class": COUNTS}
    dataset = load_tiny_imagenet(original, **settings)
    held = datasets.on_device(datasets.batches(dataset, 64, seed=1), "meta").dataset
    assert held.images.dtype == torch.uint8
    assert held is dataset.in_memory()
    read = datasets.batches(dataset, 64, seed=1)
    for one, other in zip(Resident(read, held, "cpu"), datasets.batches(dataset, 64, seed=1)):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_an_image_that_cannot_be_decoded_into_memory(copy):
    path = copy / "tiny-imagenet-200" / "val" / NAMES[3] / "images" / f"{NAMES[3]}_0.JPEG"
    path.unlink()
    path.write_bytes(b"no image")
    dataset = load_tiny_imagenet(copy, train=False, images_per_class=COUNTS)
    with pytest.raises(DataUnavailable, match="cannot be decoded"):
        dataset.in_memory()


def test_scaling_is_an_average_of_neighbours(copy):
    """Halving bilinearly: a vertical edge blurs over its neighbours only, flat parts stay."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:, 32:] = 255
    path = copy / "tiny-imagenet-200" / "val" / NAMES[0] / "images" / f"{NAMES[0]}_0.JPEG"
    path.unlink()
    Image.fromarray(pixels).save(path, format="PNG")
    image, _label = load_tiny_imagenet(copy, train=False, images_per_class=COUNTS)[0]
    row = image[0, 16] * loader.STD[0] + loader.MEAN[0]
    # A triangle two target pixels wide: weights 1, 3, 3, 1 over four pixels of the source.
    expected = [0.0] * 15 + [1 / 8, 7 / 8] + [1.0] * 15
    torch.testing.assert_close(row, torch.tensor(expected), atol=1 / 255, rtol=0)


def test_scaling_as_released_is_the_mean_of_four_pixels(copy, monkeypatch):
    """A box filter: each pixel is the mean of two by two, and of no others."""
    monkeypatch.setattr(loader, "IMAGES_PER_CLASS", COUNTS)
    pixels = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    path = copy / "tiny-imagenet-200" / "val" / NAMES[0] / "images" / f"{NAMES[0]}_0.JPEG"
    path.unlink()
    Image.fromarray(pixels).save(path, format="PNG")
    image, _label = datasets.load("tinyimagenet", copy, train=False, as_released=True)[0]
    means = pixels.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3)) / 255
    found = image.permute(1, 2, 0).double() * torch.tensor(loader.STD) + torch.tensor(loader.MEAN)
    assert np.abs(found.numpy() - means).max() < 1.01 / 255  # rows, then columns, each rounded


def test_grey_images_become_three_channels(copy):
    path = copy / "tiny-imagenet-200" / "val" / NAMES[3] / "images" / f"{NAMES[3]}_0.JPEG"
    path.unlink()
    Image.new("L", (64, 64), 100).save(path)
    image, _label = load_tiny_imagenet(copy, train=False, images_per_class=COUNTS)[3]
    pixels = image * torch.tensor(loader.STD)[:, None, None]
    pixels += torch.tensor(loader.MEAN)[:, None, None]
    assert (pixels * 255 - 100).abs().max() < 4


def test_batches_and_augmentation(original):
    dataset = load_tiny_imagenet(original, train=True, augment=True, images_per_class=COUNTS)
    assert (dataset.augmentation.padding, dataset.augmentation.flip) == (4, True)
    images, labels = next(iter(datasets.batches(dataset, 16)))
    assert images.shape == (16, 3, 32, 32)
    assert labels.dtype == torch.int64


@pytest.mark.parametrize("name", ["../../outside", "*", "n1/../n2"])
def test_a_class_whose_name_leads_elsewhere_is_refused(copy, name):
    file = copy / "tiny-imagenet-200" / "wnids.txt"
    text = file.read_text()
    file.unlink()
    file.write_text(text.replace(NAMES[0], name))
    with pytest.raises(DataUnavailable, match="names what is no class"):
        load_tiny_imagenet(copy, train=False, images_per_class=COUNTS)


def test_opening_decodes_nothing(copy):
    for path in copy.glob("tiny-imagenet-200/train/*/images/*.JPEG"):
        path.unlink()
        path.write_bytes(b"no image")
    dataset = load_tiny_imagenet(copy, train=True, images_per_class=COUNTS)
    with pytest.raises(DataUnavailable) as caught:
        dataset[5]
    message = str(caught.value)
    assert "\n" not in message
    assert f"{NAMES[2]}_1.JPEG cannot be decoded" in message
    assert f"remove {copy / 'tiny-imagenet-200'} and run" in message


def test_image_cut_short(copy):
    path = copy / "tiny-imagenet-200" / "val" / NAMES[0] / "images" / f"{NAMES[0]}_0.JPEG"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-60])
    with pytest.raises(DataUnavailable, match="cannot be decoded"):
        load_tiny_imagenet(copy, train=False, images_per_class=COUNTS)[0]


def test_absent(tmp_path):
    with pytest.raises(DataUnavailable) as caught:
        datasets.load("tinyimagenet", tmp_path, train=True)
    assert str(caught.value) == (
        f"Tiny ImageNet is not in {tmp_path}: run tinyimagenet/load_tiny_imagenet.sh {tmp_path}"
    )


def test_real_numbers_of_images_are_asked_for(original):
    with pytest.raises(DataUnavailable, match=f"class {NAMES[0]} has not 500 train images"):
        datasets.load("tinyimagenet", original, train=True)
    with pytest.raises(DataUnavailable, match=f"class {NAMES[0]} has not 50 val images"):
        datasets.load("tinyimagenet", original, train=False)


def test_incomplete(copy):
    folder = copy / "tiny-imagenet-200"
    (folder / "val" / NAMES[9] / "images" / f"{NAMES[9]}_0.JPEG").unlink()
    with pytest.raises(DataUnavailable, match=f"class {NAMES[9]} has not 1 val images"):
        load_tiny_imagenet(copy, train=False, images_per_class=COUNTS)
    load_tiny_imagenet(copy, train=True, images_per_class=COUNTS)
    (folder / "wnids.txt").unlink()
    (folder / "wnids.txt").write_text("\n".join(NAMES[:150]))
    with pytest.raises(DataUnavailable, match="150 classes instead of 200"):
        load_tiny_imagenet(copy, train=True, images_per_class=COUNTS)
    (folder / "wnids.txt").unlink()
    with pytest.raises(DataUnavailable, match="cannot be read"):
        load_tiny_imagenet(copy, train=True, images_per_class=COUNTS)


def test_unsorted_validation_images(copy):
    (copy / "tiny-imagenet-200" / "val" / "images").mkdir()
    with pytest.raises(DataUnavailable, match="not sorted into classes"):
        load_tiny_imagenet(copy, train=False, images_per_class=COUNTS)
