"""Saved networks: they compute as before, and nothing but what `save` wrote is ever read.

Run as a program, this file reads damaged and forged copies of a saved network and prints how its
memory grew.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import resource
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import models
from models import saved
from models.saved import SavedNetworkError, content

ROOT = Path(__file__).resolve().parents[2]
ROW = {"model": "Resnet-20", "sparsity": 0.98, "seed": 3, "training": False, "accuracy": None}


def pruned(name: str, density: float, classes: int = 10, channels: int = 3) -> tuple:
    """A network with its masks applied, and the masks."""
    model = models.build(name, classes, channels, seed=1)
    rng = torch.Generator().manual_seed(0)
    masks = {
        f"{layer}.weight": torch.rand(module.weight.shape, generator=rng) < density
        for layer, module in models.prunable(model).items()
    }
    with torch.no_grad():
        for weight, mask in masks.items():
            model.get_parameter(weight).mul_(mask)
    return model, masks


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Equal to the bit, in the same order."""
    return list(one) == list(other) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
        for a, b in zip(one.values(), other.values(), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "density", "classes"),
    [
        *(("Resnet-20", density, 10) for density in (0.1, 1.0, 0.0)),
        *(("CONV-6", 0.02, 200), ("Resnet-32", 0.02, 10), ("Wide-Resnet-28-2", 0.5, 100)),
    ],
)
def test_networks_come_back(name, density, classes, tmp_path):
    model, masks = pruned(name, density, classes)
    model(torch.ones(2, 3, 32, 32))  # moves the running means
    row = ROW | {"model": name}
    saved.save(tmp_path / "net.pt", model, masks, row, commit="0123abc")
    random = torch.random.get_rng_state()
    found = saved.load(tmp_path / "net.pt")
    assert torch.equal(random, torch.random.get_rng_state())
    assert same(found.model.state_dict(), model.state_dict())
    assert same(found.masks, masks)
    assert found.configuration == row
    assert found.versions["torch"] == torch.__version__
    assert found.versions["commit"] == "0123abc"
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(found.model.eval()(images), model.eval()(images))


def test_other_channels_and_plain_torch(tmp_path):
    model, masks = pruned("Resnet-20", 0.3, classes=4, channels=1)
    saved.save(tmp_path / "net.pt", model, masks, ROW)
    assert saved.load(tmp_path / "net.pt").model.conv1.weight.shape == (16, 1, 3, 3)
    plain = torch.load(tmp_path / "net.pt", weights_only=True)
    assert list(plain) == list(content.FIELDS)
    assert os.listdir(tmp_path) == ["net.pt"]


def test_a_file_of_the_first_version(tmp_path):
    """Its n-th tensor is filled with n, and its masks keep every other weight."""
    file = tmp_path / "net.pt"
    file.write_bytes(lzma.decompress((ROOT / "tests/data/network_version_1.pt.xz").read_bytes()))
    found = saved.load(file)
    assert found.configuration == ROW | {"sparsity": 0.5, "seed": -3}
    assert found.versions["commit"] == "0123abc"
    model = models.build("Resnet-20", 10)
    assert list(found.masks) == [f"{layer}.weight" for layer in models.prunable(model)]
    state = model.state_dict()
    for number, (name, tensor) in enumerate(state.items()):
        tensor.fill_(number)
        if name in found.masks:
            expected = np.arange(tensor.numel()).reshape(tensor.shape) % 2 == 0
            assert np.array_equal(found.masks[name].numpy(), expected)
            tensor *= torch.from_numpy(expected)
    assert same(found.model.state_dict(), state)


def test_what_cannot_be_saved(tmp_path):
    file = tmp_path / "net.pt"
    model, masks = pruned("Resnet-20", 0.3)
    saved.save(file, model, masks, ROW)
    before = file.read_bytes()

    def refused(message: str, model=model, masks=masks, row=ROW, **more) -> None:
        with pytest.raises(SavedNetworkError, match=message) as caught:
            saved.save(file, model, masks, row, **more)
        assert "\n" not in str(caught.value)

    refused("unknown model 'None'", row={})
    refused("unknown model 'VGG'; known are CONV-6", row={"model": "VGG"})
    refused("names in its state_dict are not those of CONV-6", row={"model": "CONV-6"})
    refused("configuration 'a' is not plain", row=ROW | {"a": [1]})
    refused("configuration 'a' is not finite", row=ROW | {"a": float("nan")})
    refused("configuration 'a' exceeds 64 bits", row=ROW | {"a": 2**64})
    refused("versions are not text", commit=5)
    refused("not zero where its mask removes", models.build("Resnet-20", 10))
    refused("names in its masks are not", masks={})
    refused("is not of shape", masks={name: mask[:1] for name, mask in masks.items()})
    refused("is not of shape", masks={name: mask.float() for name, mask in masks.items()})
    refused("no prunable weights", nn.ReLU())
    broken, masks = pruned("Resnet-20", 1.0)
    with torch.no_grad():
        broken.bn1.bias[3] = torch.inf
    refused("bn1.bias holds NaN or infinity", broken, masks)
    assert os.listdir(tmp_path) == ["net.pt"]
    assert file.read_bytes() == before


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        saved.load(tmp_path / "missing.pt")
    with pytest.raises(SavedNetworkError, match="not a file"):
        saved.load(tmp_path)


def test_limits(tmp_path):
    """What bounds memory and time is checked before anything large is read or made."""
    file = tmp_path / "net.pt"
    saved.save(file, *pruned("Resnet-20", 0.0), ROW)
    data = file.read_bytes()
    records = records_of(data)
    description = records["data.pkl"]

    def refused(message: str, forged: bytes) -> None:
        file.write_bytes(forged)
        with pytest.raises(SavedNetworkError, match=message):
            saved.load(file)

    refused("directory exceeds", zipped(records | {f"data/{n}": b"" for n in range(1000, 22_000)}))
    refused("description exceeds", zipped(records | {"data.pkl": description + b"N" * 2**20}))
    refused("lacks a record", zipped({k: v for k, v in records.items() if k != "version"}))
    axes, many = b"(K\x10K\x03K\x03K\x03t", b"(" + b"K\x01" * 10**5 + b"t"
    refused("too many axes", zipped(records | {"data.pkl": description.replace(axes, many, 1)}))
    entry = data.rindex(b"archive/data/0") - 46  # of the directory; its record then spans others
    size = (len(data) // 2).to_bytes(4, "little")
    sizes = [data[: entry + 20], size, size, data[entry + 28 :]]
    refused("claims more than", b"".join(sizes))
    os.truncate(file, 2**30 + 1)  # takes no room on the disk
    with pytest.raises(SavedNetworkError, match="larger than"):
        saved.load(file)


def test_damaged_and_forged_files(tmp_path, warm_python):
    model, masks = pruned("Resnet-20", 0.1)
    saved.save(tmp_path / "net.pt", model, masks, ROW)
    path = {"PYTHONPATH": str(ROOT)}
    run = warm_python.run(__file__, tmp_path / "net.pt", cwd=tmp_path, env=os.environ | path)
    assert run.returncode == 0, run.stderr[-2000:]
    report = json.loads(run.stdout)
    assert report["wrong"] == []
    assert report["tried"] >= 100
    assert report["grown_mb"] < 1000


# Forgery


def records_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def packed(records: dict[str, bytes]) -> bytes:
    """An archive as torch writes it, with right checksums."""
    file = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(file)
    for name, data in records.items():
        if name not in ("version", ".data/serialization_id"):
            writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    return file.getvalue()


def zipped(records: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive as Python writes it, ended as torch ends its own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in records.items():
            archive.writestr(f"archive/{name}", data)
    data = file.getvalue()
    count, length, place = (
        int.from_bytes(data[-12:-10], "little"),
        int.from_bytes(data[-10:-6], "little"),
        int.from_bytes(data[-6:-2], "little"),
    )
    numbers = [44, 45 << 16 | 45, 0, count, count, length, place]
    sizes = [8, 4, 8, 8, 8, 8, 8]
    record = b"".join(n.to_bytes(s, "little") for n, s in zip(numbers, sizes, strict=True))
    locator = bytes(4) + (len(data) - 22).to_bytes(8, "little") + b"\1\0\0\0"
    return data[:-22] + b"PK\6\6" + record + b"PK\6\7" + locator + data[-22:]


def contents(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Copies as torch saves them, of what `save` would not save."""
    good = torch.load(io.BytesIO(data), weights_only=True)

    def written(**changes: object) -> bytes:
        file = io.BytesIO()
        torch.save(good | changes, file)
        return file.getvalue()

    state, masks, row = (good[part] for part in ("state_dict", "masks", "configuration"))
    first, weight = "conv1.weight", state["conv1.weight"]
    yield "newer", written(version=2)
    for version in (0, -1, True, None, 1.0, "1"):
        yield f"version {version!r}", written(version=version)
    yield "format", written(format="other")
    yield "more", written(more=1)
    yield "unknown model", written(configuration=row | {"model": "VGG"})
    yield "other model", written(configuration=row | {"model": "Resnet-32"})
    for value in ([], {}, (), float("nan"), 2**70, torch.zeros(2)):
        yield f"configuration {value}", written(configuration=row | {"a": value})
    yield "no configuration", written(configuration=None)
    yield "versions", written(versions={"torch": 2})
    for classes in (9, 0, -1, 2**31, 2**62, 2**100, 10**6, True, "10", None):
        yield f"classes {classes!r}", written(num_classes=classes)
        yield f"channels {classes!r}", written(in_channels=classes)
    for name, tensor in (
        ("NaN", weight * torch.nan),
        ("infinity", weight * torch.inf),
        ("not masked", weight + 1),
        ("double", weight.double()),
        ("half", weight.half()),
        ("integers", weight.long()),
        ("shape", weight[:8]),
        ("flat", weight.flatten()),
        ("transposed", weight.transpose(2, 3)),
        ("a view", torch.cat([weight, weight])[:16]),
        ("expanded", torch.zeros(1).expand(weight.shape)),
        ("huge", torch.zeros(1).expand(2**40)),
        ("meta", torch.empty(2**50, device="meta")),
        ("sparse", weight.to_sparse()),
        ("complex", torch.complex(weight, weight)),
        ("gradient", weight.clone().requires_grad_()),
        ("parameter", nn.Parameter(weight.clone())),
        ("shared", state["layer1.0.conv1.weight"]),
        ("a slice of a large one", torch.zeros(2**20)[: weight.numel()].view(weight.shape)),
        ("no tensor", 5),
        ("storage", weight.untyped_storage()),
        ("array", weight.numpy().tolist()),
    ):
        yield f"tensor {name}", written(state_dict=state | {first: tensor})
    same = {"layer1.0.bn1.weight": state["layer1.0.bn2.weight"]}  # both ones
    yield "tensor twice", written(state_dict=state | same)
    yield "bias NaN", written(state_dict=state | {"bn1.bias": state["bn1.bias"] / 0})
    yield (
        "mask twice",
        written(masks=masks | {"layer1.0.conv2.weight": masks["layer1.0.conv1.weight"]}),
    )
    yield "key more", written(state_dict=state | {"more": weight.clone()})
    yield "key less", written(state_dict={k: v for k, v in state.items() if k != first})
    yield "no masks", written(masks={})
    yield "mask of bytes", written(masks=masks | {first: masks[first].byte()})
    yield "mask of others", written(masks=masks | {first: ~masks[first]})
    yield "legacy format", legacy(good)


def legacy(content: dict) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def forgeries(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Copies whose checksums are right and whose records are not."""
    records = records_of(data)
    pickle = records["data.pkl"]
    number = b"M" + (432).to_bytes(2, "little")  # weights of the first convolution
    shape = b"K\x10K\x03K\x03K\x03"
    strides = b"K\x1bK\x09K\x03K\x01"
    name = b"X\x0c\x00\x00\x00conv1.weight"
    evil = b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R"

    def long(value: int) -> bytes:
        return b"\x8a\x08" + value.to_bytes(8, "little", signed=True)

    ones = b"(" + b"K\x01" * 10**5 + b"t"
    for title, old, new in (
        *((f"storage of {n}", number, long(n)) for n in (433, 10, 0, -1, 2**40, 2**62)),
        *((f"rows {n}", shape, long(n) + shape[2:]) for n in (17, 0, -16, 2**40, 2**62)),
        *((f"stride {n}", strides, long(n) + strides[2:]) for n in (0, 26, -27, 2**40)),
        ("no strides", strides, b"K\x00K\x00K\x00K\x00"),
        ("offset", b"QK\x00", b"QK\x01"),
        ("another type", b"ctorch\nFloatStorage", b"ctorch\nDoubleStorage"),
        ("another record", b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x001"),
        ("a record outside", b"X\x01\x00\x00\x000", b"X\x04\x00\x00\x00../0"),
        ("another device", b"X\x03\x00\x00\x00cpu", b"X\x04\x00\x00\x00cuda"),
        ("code", b"ctorch._utils\n_rebuild_tensor_v2\n", b"cbuiltins\neval\n"),
        ("code in a class", b"ccollections\nOrderedDict\n", b"cos\nsystem\n"),
        ("code as a value", pickle[-1:], evil + b"."),
        ("a key twice", name, name + b"K\x01" + name),
        ("an array", pickle[-1:], b"c__builtin__\nbytearray\n" + long(2**40) + b"\x85R."),
        ("a storage", pickle[-1:], b"ctorch\nFloatStorage\n" + long(2**40) + b"\x85R."),
        ("a tensor", pickle[-1:], b"ctorch\nFloatTensor\n" + long(2**40) + b"\x85R."),
        ("copies", pickle[-1:], b"}q\0" + b"ccollections\nOrderedDict\nh\0\x85R" * 9 + b"."),
        ("state", pickle[-1:], b"}b."),
        ("state of a function", pickle[-1:], b"ccollections\nOrderedDict\n}b."),
        ("a new object", pickle[-1:], b"ccollections\nOrderedDict\n)\x81."),
        ("many axes", b"(" + shape + b"t", ones),
        ("many strides", b"(" + strides + b"t", ones),
        ("doubling keys", pickle[-1:], b"})" + b"q\x00h\x00\x86" * 99 + b"K\x01s."),
        ("deep keys", pickle[-1:], b"})" + b"\x85" * 10**5 + b"K\x01s."),
        ("doubling record", b"X\x01\x00\x00\x000", b")" + b"q\xffh\xff\x86" * 99),
        ("something below", b"}", b"N}"),
        ("a mark below", b"}", b"(}"),
        ("deep tuples", pickle[-1:], b")" + b"\x85" * 10**5 + b"."),
        ("doubling tuples", pickle[-1:], b")" + b"q\x00h\x00\x86" * 10**5 + b"."),
        ("many lists", pickle[-1:], b"]" * 10**5 + b"."),
        ("many dictionaries", pickle[-1:], b"}" * 10**5 + b"."),
        ("many marks", pickle[-1:], b"(" * 10**5 + b"."),
        ("too long", pickle[-1:], b"N" * 2**20 + b"."),
        ("underflow", pickle[-1:], b"tt."),
        ("unknown memo", pickle[-1:], b"j\xff\xff\xff\x7f."),
        ("after the end", pickle[-1:], b".N."),
        ("no end", pickle[-1:], b""),
    ):
        place = pickle.rindex(old) if old == pickle[-1:] else pickle.index(old)
        forged = pickle[:place] + new + pickle[place + len(old) :]
        yield title, packed(records | {"data.pkl": forged})
    start, end = pickle.index(b"((X\x07\0\0\0storage"), pickle.index(b"QK\0")
    argument = pickle[start + 1 : end + 1].replace(number, long(10**7)) + b"R"
    forged = pickle[:start] + argument + pickle[end + 3 :]
    large = {"data.pkl": forged, "data/0": bytes(4 * 10**7)}
    yield "a large tensor as arguments", packed(records | large)
    yield "claims met", packed(records | {"data/0": bytes(4 * 433)})
    yield "empty pickle", packed(records | {"data.pkl": b""})
    yield "record more", packed(records | {"data/9999": b"1234"})
    yield "record strange", packed(records | {"code/a.py": b"1234"})
    yield "record less", packed({k: v for k, v in records.items() if k != "data/0"})
    yield "big-endian", packed(records | {"byteorder": b"big"})
    masks = [k for k, v in records.items() if k.startswith("data/") and set(v) <= {0, 1} and v]
    yield "mask of 2", packed(records | {masks[-1]: b"\2" * len(records[masks[-1]])})
    assert records_of(zipped(records)) == records
    yield "compressed", zipped(records, zipfile.ZIP_DEFLATED)
    bomb = {**records, "data/0": bytes(2**26)}
    yield "bomb", zipped(bomb, zipfile.ZIP_DEFLATED)
    yield "plain zip", zipped(records)[:-98] + zipped(records)[-22:]
    twice = {**records, "data/00": records["data/10"]}
    yield "a name twice", zipped(twice).replace(b"data/00", b"data/10")
    yield "another folder", data.replace(b"archive/data/0", b"brchive/data/0")
    yield "another end", data[:-34] + bytes(8) + data[-26:]
    yield "a comment", data[:-2] + b"\1\0x"
    end = int.from_bytes(data[-58:-50], "little")  # length of the directory
    for length in (0, end + 1, 2**40, 2**63):
        yield f"directory of {length}", data[:-58] + length.to_bytes(8, "little") + data[-50:]
    directory = int.from_bytes(data[-50:-42], "little")
    for offset, title in ((20, "compressed size"), (24, "size"), (42, "place"), (10, "method")):
        for value in (b"\xfe\xff\xff\x7f", b"\xff\xff\xff\xff", b"\1\0\0\0"):
            value = value[: 2 if title == "method" else 4]
            place = directory + offset
            yield f"{title} {value}", data[:place] + value + data[place + len(value) :]
    yield "empty", b""
    yield "text", b"model,dataset\n" * 100


def damages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Copies that are cut, flipped in a bit, or longer."""
    for part in range(12):
        yield f"cut {part}", data[: len(data) * part // 12]
    yield "cut by one", data[:-1]
    yield "garbage", data + b"\0"
    yield "shifted", b"\0" + data
    rng = np.random.default_rng(0)
    directory = int.from_bytes(data[-50:-42], "little")
    ranges = ((0, 18_000, 12), (18_000, directory, 12), (directory, len(data), 16))
    for low, high, count in ranges:
        for place in rng.integers(low, high, count).tolist():
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(rng.integers(8))
            yield f"flip {place}", bytes(flipped)


def require_harmless(file: Path, copy: Path) -> None:
    """Writing and packing alone leave a file that is read; only the forgeries in it are refused."""
    data = file.read_bytes()
    rewritten = io.BytesIO()
    torch.save(torch.load(io.BytesIO(data), weights_only=True), rewritten)
    for unchanged in (rewritten.getvalue(), packed(records_of(data)), zipped(records_of(data))):
        copy.write_bytes(unchanged)
        saved.load(copy)


def read_all(file: Path) -> tuple[list[str], int]:
    """What is wrong with how the copies of `file` are read, and their number."""
    data, good = file.read_bytes(), saved.load(file)
    copy = file.with_name("copy.pt")
    require_harmless(file, copy)
    wrong, tried = [], 0
    for origin in (damages, contents, forgeries):
        for name, forged in origin(data):
            tried += 1
            copy.write_bytes(forged)
            try:
                found = saved.load(copy)
            except SavedNetworkError as error:
                message = str(error)
                newer = "newer version" in message
                if "\n" in message or ";" not in message or str(copy) not in message:
                    wrong.append(f"{name}: {message}")
                if newer != (name == "newer"):
                    wrong.append(f"{name}: {message}")
            except Exception as error:
                wrong.append(f"{name}: {error!r}")
            else:
                equal = same(found.model.state_dict(), good.model.state_dict())
                equal = equal and same(found.masks, good.masks) and found[2:] == good[2:]
                if origin is not damages or not equal:
                    wrong.append(f"{name}: was read")
    return wrong, tried


if __name__ == "__main__":
    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong, tried = read_all(Path(sys.argv[1]))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(json.dumps({"wrong": wrong, "tried": tried, "grown_mb": grown}))
