"""CIFAR, on tiny files in its formats."""

import dataclasses
import hashlib
import io
import pickle
import socket
import tarfile

import numpy as np
import pytest
import torch

import datasets
from datasets import DataUnavailable, cifar
from datasets.torchvision_import import import_torchvision

IMAGES_PER_FILE = 4
FILES = {
    "CIFAR-10": ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
    "CIFAR-100": ["train"],
}
TEST_FILE = {"CIFAR-10": "test_batch", "CIFAR-100": "test"}
SPECS = {"CIFAR-10": cifar.CIFAR10, "CIFAR-100": cifar.CIFAR100}


def contents(name):
    """The files of a tiny CIFAR as bytes, and its images and labels by file."""
    rng = np.random.default_rng(0)
    classes = 10 if name == "CIFAR-10" else 100
    files, pixels, labels = {}, {}, {}
    for file in [*FILES[name], TEST_FILE[name]]:
        pixels[file] = rng.integers(256, size=(IMAGES_PER_FILE, 3, 32, 32), dtype=np.uint8)
        labels[file] = rng.integers(classes, size=IMAGES_PER_FILE).tolist()
        entry = {"data": pixels[file].reshape(IMAGES_PER_FILE, 3072)}
        if name == "CIFAR-10":
            entry["labels"] = labels[file]
        else:
            entry |= {"fine_labels": labels[file], "coarse_labels": [0] * IMAGES_PER_FILE}
        files[file] = pickle.dumps(entry, protocol=2)
    meta = [f"class {number}" for number in range(classes)]
    if name == "CIFAR-10":
        files["batches.meta"] = pickle.dumps({"label_names": meta}, protocol=2)
    else:
        files["meta"] = pickle.dumps({"fine_label_names": meta}, protocol=2)
    return files, pixels, labels


def write_folder(root, name, files):
    folder = root / SPECS[name].folder
    folder.mkdir(parents=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
    return folder


def archive_of(name, files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for file, data in files.items():
            member = tarfile.TarInfo(f"{SPECS[name].folder}/{file}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def md5(data):
    return hashlib.md5(data).hexdigest()


@pytest.fixture(params=["CIFAR-10", "CIFAR-100"])
def tiny(request, monkeypatch):
    """Name and contents of a tiny CIFAR whose checksums torchvision takes for the real ones."""
    name = request.param
    files, pixels, labels = contents(name)
    archive = archive_of(name, files)
    reader = getattr(import_torchvision().datasets, SPECS[name].torchvision_class)
    monkeypatch.setattr(reader, "train_list", [[f, md5(files[f])] for f in FILES[name]])
    monkeypatch.setattr(reader, "test_list", [[TEST_FILE[name], md5(files[TEST_FILE[name]])]])
    meta = reader.meta["filename"]
    monkeypatch.setattr(reader, "meta", reader.meta | {"md5": md5(files[meta])})
    monkeypatch.setattr(reader, "tgz_md5", md5(archive))
    return name, files, pixels, labels, archive


@pytest.fixture
def no_network(monkeypatch):
    """Let every request fail at once, and count them."""
    asked = []

    def why(url, deadline=6.0):
        asked.append(url)
        return "the test allows no network"

    monkeypatch.setattr(cifar, "why_unreachable", why)
    return asked


@pytest.fixture
def served(serve, monkeypatch, tmp_path):
    """Put an archive on a web server at the dataset's address: ``served(name, data)``."""

    def put(name, data):
        source = tmp_path / "server"
        source.mkdir()
        spec = SPECS[name]
        (source / spec.archive).write_bytes(data)
        url = f"{serve(source)}/{spec.archive}"
        reader = getattr(import_torchvision().datasets, spec.torchvision_class)
        monkeypatch.setattr(reader, "url", url)
        return dataclasses.replace(spec, url=url)

    return put


def test_reads_normalised_images(tiny, tmp_path, no_network):
    name, files, pixels, labels, _archive = tiny
    write_folder(tmp_path, name, files)
    spec = SPECS[name]
    for train, parts in ((True, FILES[name]), (False, [TEST_FILE[name]])):
        dataset = datasets.load(name, tmp_path, train=train)
        expected = np.concatenate([pixels[part] for part in parts])
        assert len(dataset) == len(expected)
        assert [label for _image, label in dataset_items(dataset)] == [
            label for part in parts for label in labels[part]
        ]
        mean, std = (np.array(v).reshape(3, 1, 1) for v in (spec.mean, spec.std))
        for index, levels in enumerate(expected):
            image, label = dataset[index]
            assert image.shape == (3, 32, 32)
            assert image.dtype == torch.float32
            assert type(label) is int
            np.testing.assert_allclose(image, (levels / 255 - mean) / std, rtol=1e-4, atol=1e-5)
        batch, _labels = next(iter(datasets.batches(dataset, 3, shuffle=False)))
        assert torch.equal(batch[1], dataset[1][0])
    assert no_network == []


def dataset_items(dataset):
    return [dataset[index] for index in range(len(dataset))]


def test_training_images_are_augmented_on_request_only(tiny, tmp_path):
    name, files, *_rest = tiny
    write_folder(tmp_path, name, files)
    assert datasets.load(name, tmp_path, train=True).augmentation is None
    augmentation = datasets.load(name, tmp_path, train=True, augment=True).augmentation
    assert (augmentation.padding, augmentation.flip) == (4, True)
    dark = datasets.images.ImageDataset(
        torch.zeros(1, 3, 1, 1), torch.zeros(1), SPECS[name].mean, SPECS[name].std
    )
    assert dark[0][0].flatten().tolist() == pytest.approx(augmentation.fill)
    with pytest.raises(ValueError, match="never augmented"):
        datasets.load(name, tmp_path, train=False, augment=True)


RELEASED = {
    "CIFAR-10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), False),
    "CIFAR-100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761), True),
}
"""Of utils/datasets.py of the released code: mean, deviation, whether test images are augmented."""


def test_as_released(tiny, tmp_path):
    name, files, pixels, *_rest = tiny
    mean, std, augmented = RELEASED[name]
    write_folder(tmp_path, name, files)
    levels = pixels[TEST_FILE[name]][0] / 255
    dataset = datasets.load(name, tmp_path, train=False, as_released=True)
    normalised = (levels - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(dataset[0][0], normalised, rtol=1e-4, atol=1e-5)
    read = torch.cat([images for images, _ in datasets.batches(dataset, 4, shuffle=False)])
    assert torch.equal(read, torch.stack([image for image, _ in dataset_items(dataset)])) != (
        augmented
    )
    train = datasets.load(name, tmp_path, train=True, augment=True, as_released=True)
    assert train.augmentation.fill == pytest.approx([-m / s for m, s in zip(mean, std)])
    assert datasets.load(name, tmp_path, train=True, as_released=True).augmentation is None


@pytest.mark.parametrize("damage", ["cut short", "one byte", "missing"])
def test_damaged_files_are_refused(tiny, tmp_path, no_network, damage):
    name, files, *_rest = tiny
    folder = write_folder(tmp_path, name, files)
    victim = folder / FILES[name][-1]
    if damage == "cut short":
        victim.write_bytes(victim.read_bytes()[:-100])
    elif damage == "one byte":
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
    else:
        victim.unlink()
    for download in (True, False):
        with pytest.raises(DataUnavailable) as caught:
            datasets.load(name, tmp_path, train=False, download=download)
        message = str(caught.value)
        assert "\n" not in message
        assert "is incomplete or corrupt" in message
        assert f"remove that folder and put {SPECS[name].archive}" in message
        assert ("the test allows no network" in message) == download
    assert len(no_network) == 1
    assert not cifar.is_on_disk(SPECS[name], tmp_path)


def test_real_checksums_refuse_other_data(tmp_path, no_network):
    """Well-formed files with other contents than the real CIFAR-10 are not taken for it."""
    write_folder(tmp_path, "CIFAR-10", contents("CIFAR-10")[0])
    (tmp_path / cifar.CIFAR10.archive).write_bytes(b"not the archive")
    assert not cifar.is_on_disk(cifar.CIFAR10, tmp_path)
    with pytest.raises(DataUnavailable, match="is incomplete or corrupt"):
        datasets.load("CIFAR-10", tmp_path, train=True)


@pytest.mark.parametrize("download", [True, False])
def test_absent(tiny, tmp_path, no_network, download):
    name = tiny[0]
    with pytest.raises(DataUnavailable) as caught:
        datasets.load(name, tmp_path, train=True, download=download)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{name} is not in {tmp_path}" in message
    assert "--dataset digits" in message
    assert ("the test allows no network" in message) == download
    assert no_network == ([SPECS[name].url] if download else [])
    assert list(tmp_path.iterdir()) == []


def test_damaged_archive(tiny, tmp_path, no_network):
    name, *_rest, archive = tiny
    (tmp_path / SPECS[name].archive).write_bytes(archive[:-50])
    assert not cifar.is_on_disk(SPECS[name], tmp_path)
    with pytest.raises(DataUnavailable, match="is incomplete or corrupt") as caught:
        datasets.load(name, tmp_path, train=True)
    assert SPECS[name].archive in str(caught.value)


@pytest.mark.parametrize("download", [True, False])
def test_whole_archive_needs_no_network(tiny, tmp_path, no_network, download):
    name, _files, _pixels, _labels, archive = tiny
    (tmp_path / SPECS[name].archive).write_bytes(archive)
    assert cifar.is_on_disk(SPECS[name], tmp_path)
    dataset = datasets.load(name, tmp_path, train=False, download=download)
    assert len(dataset) == IMAGES_PER_FILE
    assert no_network == []


@pytest.mark.parametrize("progress", [True, False])
def test_download(tiny, tmp_path, served, capsys, progress):
    name, _files, _pixels, labels, archive = tiny
    spec = served(name, archive)
    dataset = cifar.load_cifar(spec, tmp_path / "data", train=False, progress=progress)
    assert dataset.labels.tolist() == labels[TEST_FILE[name]]
    captured = capsys.readouterr()
    assert ("100%" in captured.err) == progress
    assert captured.out == ""


def test_download_repairs_what_is_damaged(tiny, tmp_path, served):
    name, files, _pixels, _labels, archive = tiny
    spec = served(name, archive)
    folder = write_folder(tmp_path, name, files)
    (folder / TEST_FILE[name]).write_bytes(b"damaged")
    (tmp_path / SPECS[name].archive).write_bytes(archive[:40])
    dataset = cifar.load_cifar(spec, tmp_path, train=False, progress=False)
    assert len(dataset) == IMAGES_PER_FILE


def test_download_with_a_wrong_checksum_is_refused(tiny, tmp_path, served):
    name, *_rest, archive = tiny
    spec = served(name, archive + b"\0")
    with pytest.raises(DataUnavailable, match="incomplete or corrupt") as caught:
        cifar.load_cifar(spec, tmp_path, train=False, progress=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / SPECS[name].folder).exists()


def test_download_that_breaks_off(tiny, tmp_path, served, monkeypatch):
    """The server answers the question whether it is there, and then has no such file."""
    name, *_rest, archive = tiny
    spec = served(name, archive)
    (tmp_path / "server" / spec.archive).unlink()
    monkeypatch.setattr(cifar, "why_unreachable", lambda url: None)
    before = socket.getdefaulttimeout()
    with pytest.raises(DataUnavailable, match="was not downloaded") as caught:
        cifar.load_cifar(spec, tmp_path, train=False, progress=False)
    assert "404" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert socket.getdefaulttimeout() == before


def test_folder_that_cannot_be_written(tiny, tmp_path, served):
    name, *_rest, archive = tiny
    spec = served(name, archive)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataUnavailable, match="was not downloaded") as caught:
        cifar.load_cifar(spec, tmp_path / "file" / "data", train=True)
    assert "Not a directory" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_addresses_and_checksums_are_torchvisions():
    for spec, archive_md5 in (
        (cifar.CIFAR10, "c58f30108f718f92721af3b95e74349a"),
        (cifar.CIFAR100, "eb9058c3a382ffc7106e4002c42a8d85"),
    ):
        reader = getattr(import_torchvision().datasets, spec.torchvision_class)
        assert (reader.url, reader.filename) == (spec.url, spec.archive)
        assert (reader.base_folder, reader.tgz_md5) == (spec.folder, archive_md5)
