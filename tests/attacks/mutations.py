"""Mutated files, read as a user's would be: saved networks and graphs, checkpoints, weights.

    python -m tests.attacks.mutations --count 1000      # of each kind; prints what became of them

Half of the copies are damaged anywhere. The other half is forged: their checksums are right and
their content is not. What is still read must be what was saved or, of a forged copy, what another
reader finds in it: torch for archives, the written-out edges for graphs.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import io
import json
import os
import signal
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import zstandard
from torch import nn

import graph_encoding
import models
from command_line.saved_network import network_of
from datasets import about
from graph_encoding.storage import layout
from models import own, saved
from runs.run import Measurement
from system import memory
from system.errors import UserError
from training import checkpoints

SECONDS = 60
OUT = "../" * 4 + "victim"
TEXTS = ("", "a\nb", "\x1b[2J", "\ud800", "a\0", "/etc/passwd", OUT, "all", "--help", "a" * 10**5)
NUMBERS = (0, -1, 1, 2, 7, 2**15, 2**31 - 1, 2**31, 2**62, 2**64, 10**400, 0.5, 1e308, True, None)
HOSTILE = (*TEXTS, *NUMBERS, [], {}, [[]] * 1000)
MADE = {
    "model": "Resnet-20",
    "dataset": "digits",
    "pruning": "erk",
    "sparsity": 0.98,
    "seed": 3,
    "training": True,
    "epochs": 4,
    "batch_size": 32,
    "lr": 0.1,
    "source": None,
    "achieved_sparsity": 0.98,
    "accuracy": 0.5,
}


# Copies


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A copy that is cut, longer, or has other bytes somewhere."""
    start, stop = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    stop = min(stop, start + int(rng.integers(1, 200)))
    head, middle, tail = data[:start], data[start:stop], data[stop:]
    place = int(rng.integers(len(data)))
    flipped = bytearray(data)
    flipped[place] ^= 1 << int(rng.integers(8))
    copies = [bytes(flipped)] * 4
    copies += [data[:place], head + tail, head + middle * 2 + tail, data + middle]
    copies += [head + bytes(len(middle)) + tail, head + b"\xff" * len(middle) + tail]
    copies += [head + rng.bytes(len(middle)) + tail, head + middle[::-1] + tail]
    return copies[rng.integers(len(copies))]


def records_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def packed(records: dict[str, bytes]) -> bytes:
    """An archive as torch writes it."""
    file = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(file)
    for name, data in records.items():
        if name not in ("version", ".data/serialization_id"):
            writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    return file.getvalue()


def forged_archive(data: bytes, rng: np.random.Generator, canary: Path) -> bytes:
    """An archive with right checksums whose description or numbers are others."""
    records = records_of(data)
    pickle = records["data.pkl"]
    names = [name for name in records if name.startswith("data/")]
    name, other = (names[i] for i in rng.integers(len(names), size=2))
    command = f"touch {canary}".encode()
    evil = b"cposix\nsystem\n(X" + len(command).to_bytes(4, "little") + command + b"tR"
    place = int(rng.integers(2, len(pickle)))
    deflated = io.BytesIO()
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, record in (records | {name: bytes(1 << 22)}).items():
            archive.writestr(f"archive/{each}", record)
    kinds: list[Callable[[], bytes]] = [
        *[lambda: packed(records | {"data.pkl": damaged(pickle, rng)})] * 6,
        lambda: packed(records | {"data.pkl": pickle[:place] + evil + pickle[place:]}),
        lambda: packed(records | {"data.pkl": pickle[:-1] + evil + b"."}),
        lambda: packed(records | {name: damaged(records[name], rng)}),
        lambda: packed(records | {name: records[other]}),
        lambda: packed({each: data for each, data in records.items() if each != name}),
        lambda: packed(records | {"byteorder": b"big"}),
        lambda: packed(records | {"data.pkl": pickle[:2] + b"}" * 900_000 + b"."}),
        lambda: packed(records | {"data.pkl": pickle[:2] + b"})" + b"q\0h\0\x86" * 99 + b"Ns."}),
        lambda: deflated.getvalue(),
    ]
    return kinds[rng.integers(len(kinds))]()


def with_changes(content: dict, rng: np.random.Generator) -> dict:
    """A copy with another value somewhere."""
    copy = json.loads(json.dumps(content))
    here = copy
    while True:
        key = list(here)[rng.integers(len(here))] if isinstance(here, dict) else None
        key = int(rng.integers(len(here))) if isinstance(here, list) else key
        inner = here[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.05:
            break
        here = inner
    near = [inner + 1, inner - 1, inner * 2, inner * 1000] if type(inner) is int else []
    values = [*HOSTILE, *near * 4]
    if isinstance(here, dict) and rng.random() < 0.1:
        del here[key]
    else:
        here[key] = values[rng.integers(len(values))]
    return copy


# Kinds of files: how one is made, read, forged, and what a forged copy may be read as


def tensors(state: dict) -> dict:
    """A state that can be compared."""
    return {name: (str(t.dtype), tuple(t.shape), t.numpy().tobytes()) for name, t in state.items()}


def by_torch(data: bytes) -> dict:
    return torch.load(io.BytesIO(data), weights_only=True)


class Network:
    """A saved network, ``--snn``."""

    def __init__(self, folder: Path) -> None:
        self.file, self.folder = folder / "net.pt", folder
        model = models.build("Resnet-20", 10, about(MADE["dataset"]).shape[0])
        layers = models.prunable(model)
        masks = {f"{name}.weight": layer.weight > 0.1 for name, layer in layers.items()}
        with torch.no_grad():
            for name, mask in masks.items():
                model.get_parameter(name).mul_(mask)
        saved.save(self.file, model, masks, MADE)

    def read(self, file: Path) -> object:
        found = saved.load(file)
        network = network_of(file, found.configuration)
        measured = Measurement("rolled", "exact", "topometrics")
        places = [network.saved_in(self.folder), network.checkpoint(self.folder)]
        places += [measured.graphs_in(self.folder, network), measured.rows_in(self.folder, network)]
        for place in places:
            if not place.resolve().is_relative_to(self.folder.resolve()) or "\0" in str(place):
                raise AssertionError(f"{place} is outside")
        state = tensors(found.model.state_dict())
        return state, tensors(found.masks), list(found.configuration.items())

    def forged(self, data: bytes, rng: np.random.Generator, canary: Path) -> bytes:
        if rng.random() < 0.5:
            return forged_archive(data, rng, canary)
        content = by_torch(data)
        plain = {name: content[name] for name in content if name not in ("state_dict", "masks")}
        file = io.BytesIO()
        torch.save(content | with_changes(plain, rng), file)
        return file.getvalue()

    def expected(self, data: bytes) -> object:
        found = by_torch(data)
        configuration = list(found["configuration"].items())
        return tensors(found["state_dict"]), tensors(found["masks"]), configuration


class Weights:
    """A file of weights, ``--weights``."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "weights.pt"
        self.model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5))
        optimizer = torch.optim.Adam(self.model.parameters())
        self.model(torch.ones(1, 3, 8, 10)).sum().backward()
        optimizer.step()
        state = {f"module.{name}": tensor for name, tensor in self.model.state_dict().items()}
        content = {"epoch": 3, "best": 0.5, "state_dict": state}
        torch.save(content | {"optimizer": optimizer.state_dict()}, self.file)

    def read(self, file: Path) -> object:
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.fill_(7)
        own.load_weights(self.model, file)
        return tensors(self.model.state_dict())

    forged = staticmethod(forged_archive)

    def expected(self, data: bytes) -> object:
        state = by_torch(data)["state_dict"]
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
        like = self.model.state_dict()
        return tensors({name: state[name].to(like[name].dtype) for name in like})


class Checkpoint:
    """Where a training stands."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "checkpoint.pt"
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 3])
        self.purpose = {"settings": [4, 0.1, [2, 3]], "torch": str(torch.__version__)}
        self.state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        self.state |= {"scheduler": schedule.state_dict(), "epoch": 2, "accuracy": 0.5}
        checkpoints.save(self.file, self.purpose | self.state)

    def read(self, file: Path) -> object:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            found = checkpoints.load(file, self.purpose, self.state)
        if found is None:
            raise UserError(said.getvalue().removesuffix("\n") or "of another training; ignored")
        return _plain(found)

    def forged(self, data: bytes, rng: np.random.Generator, canary: Path) -> bytes:
        content = forged_archive(data[checkpoints.DIGEST_BYTES :], rng, canary)
        return hashlib.sha256(content).digest() + content

    def expected(self, data: bytes) -> object:
        return _plain(by_torch(data[checkpoints.DIGEST_BYTES :]))


def _plain(value: object) -> object:
    """A checkpoint that can be compared."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


class Graphs:
    """A saved graph."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "graph.zst"
        network = nn.Sequential(
            *(nn.Conv2d(2, 3, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3, 2, 1)),
            *(nn.Flatten(), nn.Linear(16, 3)),
        )
        with torch.no_grad():
            for parameter in network.parameters():
                parameter[torch.rand(parameter.shape, generator=torch.manual_seed(0)) < 0.5] = 0
        graphs = graph_encoding.encode(network, "unrolled", (2, 8, 8))
        graphs += graph_encoding.encode(network, "rolled")
        graphs += graph_encoding.encode(network, "rolled-channel")
        graph_encoding.save(self.file, graphs, MADE, edges=True)
        text, body = self._unpacked(self.file.read_bytes())
        self.header, self.body = json.loads(text), body

    def _unpacked(self, data: bytes) -> tuple[bytes, bytes]:
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        start = layout.PREFIX.size + layout.PREFIX.unpack(data[: layout.PREFIX.size])[2]
        return data[layout.PREFIX.size : start], data[start:]

    def read(self, file: Path) -> object:
        graphs, header = graph_encoding.load(file), graph_encoding.read_header(file)
        for index in range(len(graphs)) if header["edges"] is not None else ():
            for _ in graph_encoding.read_edges(file, index):
                pass
        return [_whole(graph) for graph in graphs]

    def forged(self, data: bytes, rng: np.random.Generator, canary: Path) -> bytes:
        header, body = self.header, self.body
        kind = rng.integers(8)
        if kind < 4:
            header = with_changes(header, rng)
        if kind == 4:
            body = damaged(body, rng)
        text = json.dumps(header).encode()
        if kind == 5:
            text = damaged(text, rng)
        length = len(text)
        if kind == 6:
            length = int(rng.choice([0, length - 1, length + 1, 2**23, 2**62]))
        if kind == 7:
            name = ("row_windows", "weight", "source_channel")[rng.integers(3)]
            header = json.loads(text)
            for array in header["graphs"][0]["blocks"][1]["arrays"]:
                if array["name"] == name or name == "weight":
                    array["length"] = 1 << int(rng.integers(20, 28))
            text = json.dumps(header).encode()
            length = len(text)
        prefix = layout.PREFIX.pack(layout.MAGIC, layout.VERSION, length)
        zeros = [bytes(1 << 20)] * (512 if kind == 7 else 0)
        stream = zstandard.ZstdCompressor(write_checksum=True).compressobj()
        return b"".join(map(stream.compress, [prefix, text, body, *zeros])) + stream.flush()

    def expected(self, data: bytes) -> None:
        """What `_whole` has found already: a graph by the rules."""
        return None


def _whole(graph: graph_encoding.Graph) -> object:
    """A graph that can be compared; its edges, written out, keep to the rules of a graph."""
    if graph.num_edges < 10**6:
        chunks = [(s, t, w) for s, t, w in graph.edges()]
        source, target, weight = map(np.concatenate, zip(*chunks)) if chunks else [np.empty(0)] * 3
        assert len(source) == graph.num_edges == len(set(zip(source.tolist(), target.tolist())))
        assert ((source >= 0) & (source < target) & (target < graph.num_nodes)).all()
        assert (np.isfinite(weight) & (weight > 0)).all()
    assert 0 <= graph.kept_weights <= graph.total_weights
    arrays = [
        [block.target_channel, block.source_channel, block.tap_y, block.tap_x, block.weight]
        for block in graph.blocks
    ]
    names = [(block.name, block.kept_weights, block.total_weights) for block in graph.blocks]
    return str(graph.layers), names, [[a.tobytes() for a in block] for block in arrays]


# Reading them


class Hung(BaseException):
    """A copy takes too long."""


@contextlib.contextmanager
def watched(folder: Path, found: list[str]) -> Iterator[Callable[[bool], None]]:
    """Note what is executed, and what is written outside a folder, while it is switched on."""
    on = False

    def switch(value: bool) -> None:
        nonlocal on
        on = value

    def hook(event: str, arguments: tuple) -> None:
        if not on:
            return
        if event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork"):
            found.append(f"executed: {event} {arguments}")
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        changes = event in ("os.rename", "os.remove", "os.mkdir", "os.truncate", "os.link")
        if changes or (event == "open" and arguments[2] & writes):
            place = Path(os.path.realpath(str(arguments[0])))
            if not place.is_relative_to(folder.resolve()):
                found.append(f"written outside: {event} {place}")

    sys.addaudithook(hook)  # for the rest of the process
    try:
        yield switch
    finally:
        on = False


def attack(kind: type, count: int, seed: int) -> dict[str, object]:
    """Read so many copies of a file of a kind; half of them are forged."""
    report = collections.Counter(tried=0, read=0, refused=0)
    bad: list[str] = []

    def alarm(*_: object) -> None:
        raise Hung

    signal.signal(signal.SIGALRM, alarm)
    with tempfile.TemporaryDirectory() as name, watched(Path(name), bad) as switch:
        folder = Path(name)
        subject, canary = kind(folder), folder / "canary"
        data, copy = subject.file.read_bytes(), folder / "copy"
        original = subject.read(subject.file)
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            forged = bool(number % 2)
            mutated = subject.forged(data, rng, canary) if forged else damaged(data, rng)
            copy.write_bytes(mutated)
            report["tried"] += 1
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            switch(True)
            try:
                found = subject.read(copy)
                switch(False)
                report["read"] += 1
                if found != original:
                    right = subject.expected(mutated) if forged else original
                    if right is not None and found != right:
                        bad.append(f"{number}: read wrongly")
            except UserError as error:
                report["refused"] += 1
                if not str(error).isprintable() or len(str(error)) > 1000:
                    bad.append(f"{number}: not one line: {error!r:.200}")
            except Hung:
                bad.append(f"{number}: hung")
            except Exception as error:
                bad.append(f"{number}: traceback: {type(error).__name__} {error!s:.200}")
            finally:
                switch(False)
                signal.setitimer(signal.ITIMER_REAL, 0)
            if canary.exists():
                bad.append(f"{number}: executed")
                canary.unlink()
    return dict(report) | {"bad": bad}


KINDS = (Network, Graphs, Checkpoint, Weights)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--count", type=int, default=1000, help="copies of each kind")
    p.add_argument("--seed", type=int, default=0)
    options = p.parse_args()
    torch.set_num_threads(1)
    found = {kind.__name__: attack(kind, options.count, options.seed) for kind in KINDS}
    peak = round(memory.peak())  # not the system's count, which begins with the parent's
    print(json.dumps(found | {"peak_mb": peak}, indent=1))


if __name__ == "__main__":
    main()
