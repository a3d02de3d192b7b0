"""Files of weights: what torch reads of sound ones, and nothing of others."""

import io
import os
import pickle
import zipfile
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import pytest
import torch
from torch import nn

import main
from models import own
from models.own import OwnNetworkError
from models.weights_file import state_of


def written(content, **how):
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))


def trained():
    """A network, and a checkpoint with all that trainings put beside the weights."""
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2, 2])
    model(torch.ones(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    return model, {
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "history": [{"loss": 0.5, "epoch": n, 3: None} for n in range(50)],
        "best": np.float64(0.9),
        "losses": np.ones(3),
        "counts": Counter("aab"),
        "by": defaultdict(list, a=[1]),
        "shape": torch.Size([1, 2]),
        "type": torch.float16,
        "bytes": b"\xff\0",
        "rng": torch.get_rng_state(),
        "numpy": np.random.RandomState(1).get_state(),
        "big": 2**100,
        "state_dict": model.state_dict(),
    }


@pytest.mark.parametrize("protocol", [2, 4])
def test_the_weights_of_a_checkpoint(protocol):
    model, checkpoint = trained()
    found = state_of(written(checkpoint, pickle_protocol=protocol))
    assert list(found) == list(model.state_dict())
    assert all(map(torch.equal, found.values(), model.state_dict().values()))


def test_tensors_of_every_kind_are_as_torch_reads_them():
    base = torch.arange(24.0).reshape(4, 6)
    state = OrderedDict(
        shared=base,
        row=base[1],
        transposed=base.T,
        step=base[::2, 1::2],
        one=base[0, 0],
        expanded=torch.ones(1).expand(3),
        empty=torch.zeros(0, 3),
        parameter=nn.Parameter(base.clone()),
        last=base.reshape(1, 2, 2, 6).to(memory_format=torch.channels_last),
        bool=base > 3,
        **{
            str(kind): base.to(kind)
            for kind in (torch.float64, torch.float16, torch.bfloat16, torch.complex64)
        },
        **{f"int{n}": torch.tensor([-1, 2], dtype=getattr(torch, f"int{n}")) for n in (8, 16, 32)},
        bytes=torch.tensor([255, 0], dtype=torch.uint8),
    )
    data = written(state)
    expected, found = torch.load(io.BytesIO(data), weights_only=True), state_of(data)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


def zipped(data, **changes):
    """The archive with other records, and with right checksums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    records |= {f"archive/{name}": record for name, record in changes.items()}
    file = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(file)
    for name, record in records.items():
        name = name.partition("/")[2]
        if name not in ("version", ".data/serialization_id"):
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return file.getvalue()


def of_itself():
    content = {}
    content["model"] = content
    return content


def deep(depth=100_000):
    """A dictionary in a dictionary and so on: torch can write it, as the pickle is not nested."""
    return b"\x80\x02" + b"}X\x05\0\0\0model" * depth + b"}" + b"s" * depth + b"."


def hashed_for_ever():
    """A key that is a pair of a pair and so on, each held twice."""
    return b"\x80\x02})" + b"q\0h\0\x86" * 99 + b"K\x01s."


@pytest.mark.parametrize(
    "data",
    [
        written(of_itself()),
        written({1: torch.ones(2), "b": torch.ones(2)}),
        written({None: torch.ones(2)}),
        written({"model": [torch.ones(2)]}),
        written(torch.ones(2)),
        written({"a": torch.ones(2).untyped_storage()}),
        written({"a": torch.empty(2**40, device="meta")}),
        written({"a": torch.ones(2)}, _use_new_zipfile_serialization=False),
        zipped(written({"a": torch.ones(2)}), **{"data.pkl": deep()}),
        zipped(written({"a": torch.ones(2)}), **{"data.pkl": hashed_for_ever()}),
        zipped(written({"a": torch.ones(2)}), **{"data.pkl": b"\x80\x02" + b"}" * (5 << 20)}),
        zipped(written({"a": torch.ones(2)}), **{"byteorder": b"big"}),
        zipped(written({"a": torch.ones(2)}), **{"data/0": b"\0" * 4}),
        written({"a": torch.ones(2)})[:-1],
        pickle.dumps({"a": 1}),
        b"",
    ],
)
def test_what_is_no_state_dict_is_refused_in_one_line(data, tmp_path):
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(
        OwnNetworkError, match=r"^--weights .*w.pt cannot be loaded: .*; "
    ) as caught:
        own.load_weights(small(), tmp_path / "w.pt")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_no_changed_bit_is_read_as_other_weights(bit):
    state = small().state_dict()
    data = written(state)
    refused = 0
    for place in range(0, len(data), 61):
        damaged = bytearray(data)
        damaged[place] ^= 1 << bit
        try:
            found = state_of(bytes(damaged))
        except own.Fault:
            refused += 1
            continue
        assert list(found) == list(state)
        assert all(map(torch.equal, found.values(), state.values()))
    assert refused > len(data) // 122


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    file = tmp_path / "w.pt"
    with zipfile.ZipFile(io.BytesIO(written({"a": torch.zeros(10**6)}))) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, record in records.items():
            archive.writestr(name, record)
    assert file.stat().st_size < 20_000
    with pytest.raises(OwnNetworkError, match="cannot be loaded"):
        own.load_weights(small(), file)


WEIGHT = small().state_dict()["0.weight"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"0.weight": WEIGHT.to(torch.int32)}, "0.weight is of int32"),
        ({"0.weight": WEIGHT > 0}, "0.weight is of bool"),
        ({"0.weight": WEIGHT.to(torch.complex64)}, "0.weight is of complex64"),
        ({"0.weight": WEIGHT.double() * 1e300}, "0.weight is of float64"),
        ({"0.weight": WEIGHT.double() * 1e-300}, "0.weight is of float64"),
        ({"1.num_batches_tracked": torch.tensor(1.5)}, "num_batches_tracked is of float32"),
        ({"0.weight": torch.zeros(1).expand(2**40)}, "size mismatch"),
        ({"0.weight_orig": torch.ones(2**15, 1), "0.weight_mask": torch.ones(1, 2**15)}, "of the"),
        ({"0.weight_orig": WEIGHT, "0.weight_mask": torch.ones(1)}, "not of the shape"),
        ({"0.weight_orig": WEIGHT, "0.weight_mask": WEIGHT}, "other than 0 and 1"),
        ({"n_orig": torch.ones(2**15, 1), "n_mask": torch.ones(1, 2**15)}, "not of the shape"),
        ({"x\x1b[31m\ud800": WEIGHT}, "x.*ud800"),
    ],
)
def test_numbers_that_the_network_cannot_hold_are_refused(changes, said, tmp_path):
    state = small().state_dict() | changes
    if "0.weight_orig" in changes:
        del state["0.weight"]
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(OwnNetworkError, match=f"does not fit: .*{said}") as caught:
        own.load_weights(small(), tmp_path / "w.pt")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floating_types_are_the_nearest_numbers(kind, tmp_path):
    state = {
        name: tensor.to(kind) if tensor.is_floating_point() else tensor.to(torch.int16)
        for name, tensor in small().state_dict().items()
    }
    torch.save(state, tmp_path / "w.pt")
    model = nn.Sequential(*small())
    own.load_weights(model, tmp_path / "w.pt")
    for name, tensor in model.state_dict().items():
        assert np.array_equal(tensor.numpy(), state[name].float().numpy())


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(OwnNetworkError, match="not a file; give a"):
            own.load_weights(small(), file)
        with pytest.raises(OwnNetworkError, match="not a file"):
            own.digest_of(file)


NETS = """
from torch import nn
def small():
    return nn.Sequential(nn.Linear(6, 2))
"""


def test_a_file_that_is_replaced_is_not_filed_under_the_old_name(tmp_path, monkeypatch, capsys):
    """Every build of a sweep but the first finds another file."""
    (tmp_path / "replaced_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    torch.save(nn.Sequential(nn.Linear(6, 2)).state_dict(), "w.pt")
    source = own.Source("replaced_nets:small", "w.pt", (6,), own.digest_of("w.pt"))
    first = own.build(source, 0, 0)
    label = source.label
    torch.save({name: tensor + 1 for name, tensor in first.state_dict().items()}, "w.pt")
    assert source.label == label
    with pytest.raises(OwnNetworkError, match="was replaced"):
        own.build(source, 0, 0)
    flags = ("--model", "replaced_nets:small", "--weights", "w.pt", "--input-shape", "6")
    load = own.load_weights
    monkeypatch.setattr(
        own,
        "load_weights",
        lambda model, file, digest: (
            torch.save(first.state_dict(), "w.pt"),
            load(model, file, digest),
        ),
    )
    assert main.main([*flags, "--pruning", "dense"]) == 2
    assert "was replaced" in capsys.readouterr().err
