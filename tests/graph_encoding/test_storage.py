"""Graph files: what is saved comes back to the bit, and nothing else is ever read.

Run as a program, this file reads damaged and forged copies of a graph file and prints how its
memory grew.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import zstandard
from hypothesis import given, settings
from networks import sparsify
from pairs import pairs
from torch import nn

import graph_encoding
import metrics
import models
from graph_encoding import Graph, StorageError, load, read_edges, read_header, save
from graph_encoding.axis import Axis
from graph_encoding.block import Block
from graph_encoding.grid import NodeLayer
from graph_encoding.storage import layout, writing

ROOT = Path(__file__).resolve().parents[2]
GRAPHS = (
    ("unrolled", "exact"),
    ("unrolled", "published"),
    ("rolled", "exact"),
    ("rolled-channel", "exact"),
)


def parts(value: object) -> object:
    """A graph as nested tuples that tell every bit of it apart."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, list):
        return [parts(item) for item in value]
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return type(value), [parts(getattr(value, field.name)) for field in fields]
    return type(value), value


def all_edges(chunks: Iterator[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    columns = zip(*chunks)
    return [np.concatenate(column) for column in columns]


def same_edges(one: Iterator, other: Iterator) -> bool:
    return parts(all_edges(one)) == parts(all_edges(other))


def small_network(densities: tuple[float, ...] = (0.6, 0.5, 0.0, 0.7)) -> nn.Sequential:
    """Pooling in front of convolutions, the published wiring's stride, an empty layer."""
    network = nn.Sequential(
        *(nn.Conv2d(2, 3, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3, padding=1)),
        *(nn.Conv2d(4, 4, 3, 2, 1), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 3)),
    )
    sparsify(network, 0, list(densities))
    return network


def small_graphs(encoding: str = "unrolled", wiring: str = "exact") -> list[Graph]:
    return graph_encoding.encode(small_network(), encoding, (2, 8, 8), wiring)


@pytest.mark.parametrize(
    ("name", "encoding", "wiring", "density"),
    [
        *((name, *GRAPHS[0], 0.05) for name in models.MODELS),
        *(("Resnet-20", *made, density) for made in GRAPHS[1:] for density in (0.05, 0.0)),
        *(("Resnet-20", *GRAPHS[0], density) for density in (0.0, 1.0)),
        ("MobileNetV2", "rolled", "exact", 0.05),  # convolutions in groups
    ],
)
def test_networks_come_back(name, encoding, wiring, density, tmp_path):
    model = models.build(name, 10)
    sparsify(model, 1, [density])
    graphs = graph_encoding.encode(model, encoding, wiring=wiring)
    save(tmp_path / "file", graphs, {"model": name})
    assert parts(load(tmp_path / "file")) == parts(graphs)


@settings(max_examples=15)
@given(pairs())
def test_small_graphs_come_back_with_metrics_and_edges(tmp_path_factory, pair):
    file = tmp_path_factory.getbasetemp() / "drawn"
    save(file, [pair.graph], edges=True)
    (graph,) = load(file)
    assert parts(graph) == parts(pair.graph)
    assert metrics.topometrics(graph) == metrics.topometrics(pair.graph)
    assert same_edges(read_edges(file), pair.graph.edges())


def test_edges_of_many_chunks_come_back(tmp_path):
    model = models.build("Resnet-20", 10)
    sparsify(model, 2, [0.04])
    (graph,) = graph_encoding.encode(model)
    save(tmp_path / "file", [graph], edges=True)
    assert graph.num_edges > layout.CHUNK
    assert same_edges(read_edges(tmp_path / "file"), graph.edges())


def test_edges_of_each_graph(tmp_path):
    graphs = small_graphs("rolled")
    save(tmp_path / "file", graphs, edges=True)
    assert parts(load(tmp_path / "file")) == parts(graphs)
    for index, graph in enumerate(graphs):
        assert same_edges(read_edges(tmp_path / "file", index), graph.edges())
    with pytest.raises(StorageError, match="has no graph 4; give an index below 4"):
        next(read_edges(tmp_path / "file", len(graphs)))
    save(tmp_path / "file", graphs)
    with pytest.raises(StorageError, match="holds no edges; save it with edges=True"):
        next(read_edges(tmp_path / "file"))


def test_header_tells_what_the_file_is(tmp_path):
    configuration = {"model": "small", "sparsity": 0.1 + 0.2, "seed": 0, "accuracy": None, "ü": [1]}
    graphs = small_graphs()
    save(tmp_path / "file", graphs, configuration, edges=True)
    header = read_header(tmp_path / "file")
    assert (header["format"], header["version"]) == ("topometrics graphs", 1)
    assert header["configuration"] == configuration
    assert header["edges"] == [graphs[0].num_edges]
    assert set(header["writer"]) == {"python", "numpy", "zstandard"}
    (graph,) = header["graphs"]
    shape = {"channels": 2, "height": 10, "width": 10}
    assert graph["layers"][0] == {"name": "input", "offset": 0} | shape
    windows = graph["blocks"][1]["arrays"][-1]
    assert windows == {"name": "column_windows", "dtype": "<i8", "length": 8}


def test_importing_stays_light():
    program = "import graph_encoding, sys; assert not {'torch', 'zstandard'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=600)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    graphs = small_graphs()
    save(tmp_path / "file", graphs)
    for configuration in ({"a": float("nan")}, {"a": object()}, {1: "a"}, {"a": (1, 2)}):
        with pytest.raises(StorageError, match="configuration"):
            save(tmp_path / "file", graphs, configuration)
    (block, *others) = graphs[0].blocks
    for wrong in (
        dataclasses.replace(block, weight=-block.weight),
        dataclasses.replace(block, weight=block.weight.astype(np.float64) / 3),
        dataclasses.replace(block, target_channel=block.target_channel[::-1]),
    ):
        with pytest.raises(StorageError):
            save(tmp_path / "file", [dataclasses.replace(graphs[0], blocks=[wrong, *others])])
    monkeypatch.setattr(writing, "_write_edges", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(tmp_path / "file", graphs, {"new": 1}, edges=True)
    assert os.listdir(tmp_path) == ["file"]
    assert parts(load(tmp_path / "file")) == parts(graphs)


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(StorageError, match="not a file"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="not a file"):
        load(tmp_path / "pipe")


def test_a_limit_on_what_a_file_unpacks_to(tmp_path):
    save(tmp_path / "file", small_graphs())
    with pytest.raises(StorageError, match="claims"):
        load(tmp_path / "file", max_bytes=1000)
    header = len(unpacked(tmp_path / "file")[0])
    with pytest.raises(StorageError, match="give more max_bytes"):
        load(tmp_path / "file", max_bytes=header)


def test_damaged_and_forged_files(tmp_path, warm_python):
    save(tmp_path / "file", small_graphs(), {"seed": 7}, edges=True)
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    run = warm_python.run(__file__, tmp_path / "file", cwd=tmp_path, env=os.environ | path)
    assert run.returncode == 0, run.stderr[-2000:]
    report = json.loads(run.stdout)
    assert report["wrong"] == []
    assert report["tried"] >= 120
    assert report["grown_mb"] < 1000


def test_the_numbers_of_weights_are_those_of_the_entries(tmp_path):
    """By encoding, what the written entries can stand for."""
    file, tried = tmp_path / "file", 0
    for encoding in ("rolled", "rolled-channel"):
        graphs = small_graphs(encoding)
        save(file, graphs)
        text, rest = unpacked(file)
        for index, graph in enumerate(graphs):
            (block,) = graph.blocks
            entries, pairs = len(block.weight), block.source.channels * block.target.channels
            kernel = block.total_weights // pairs  # 1, or the weights of a kernel
            for part, wrong in (
                ("kept_weights", entries - 1),
                ("kept_weights", entries * kernel + 1),
                ("total_weights", block.total_weights + 1),
                ("total_weights", block.total_weights - 1),
            ):
                header = json.loads(text)
                header["graphs"][index]["blocks"][0][part] = wrong
                file.write_bytes(packed(json.dumps(header).encode(), rest))
                with pytest.raises(StorageError, match=r"do not stand for|whole number"):
                    load(file)
                tried += 1
    assert tried == 4 * 2 * 4


def test_names_that_cannot_be_shown_are_refused(tmp_path):
    file = tmp_path / "file"
    save(file, small_graphs("rolled"))
    text, rest = unpacked(file)
    for name in ("\x1b[2J", "a\nb", "\ud800"):
        for path in (("layer_name",), ("encoding",), ("blocks", 0, "name"), ("layers", 0, "name")):
            header = json.loads(text)
            put(header["graphs"][0], path, name)
            file.write_bytes(packed(json.dumps(header).encode(), rest))
            with pytest.raises(StorageError, match=r"can be|none of") as caught:
                read_header(file)
            assert str(caught.value).isprintable()


def test_a_small_file_unpacks_to_little_unless_more_is_asked_for(tmp_path, monkeypatch):
    """A valid graph of ones shrinks more than weights do."""
    monkeypatch.setattr("graph_encoding.storage.stream.MAX_SMALL", 1 << 16)
    network = nn.Linear(200, 300)
    nn.init.ones_(network.weight)
    graphs = graph_encoding.encode(network, "rolled")
    save(tmp_path / "file", graphs)
    assert (tmp_path / "file").stat().st_size * layout.MAX_RATIO < 60_000 * 16
    with pytest.raises(StorageError, match="give more max_bytes"):
        load(tmp_path / "file")
    assert parts(load(tmp_path / "file", max_bytes=1 << 20)) == parts(graphs)
    nn.init.normal_(network.weight)
    graphs = graph_encoding.encode(network, "rolled")
    save(tmp_path / "file", graphs)
    assert parts(load(tmp_path / "file")) == parts(graphs)


@pytest.mark.parametrize("array", ["entries", "row_windows"])
def test_a_bomb_is_refused_before_it_is_unpacked(array, tmp_path):
    """Half a gigabyte of zeros in the place of arrays; `tracemalloc` sees what NumPy asks for."""
    file, length = tmp_path / "file", 1 << 26
    layers = [NodeLayer("a", 0, 1 << 14), NodeLayer("b", 1 << 14, 1 << 14)]
    empty = np.zeros(0, np.int32)
    one = Axis(1, 1, windows=np.array([[0, 1]]) if array == "row_windows" else None)
    taps = empty.astype(np.int16)
    block = Block("l", *layers, empty, empty, taps, taps, empty.astype("f4"), one, Axis(1, 1), 0, 0)
    save(file, [Graph(layers, [block], "unrolled")])
    header = json.loads(unpacked(file)[0])
    for found in header["graphs"][0]["blocks"][0]["arrays"]:
        if (found["name"] == "row_windows") == (array == "row_windows"):
            found["length"] = length
    stream = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    text = json.dumps(header).encode()
    start = layout.PREFIX.pack(b"TOPOGRAF", 1, len(text)) + text
    pieces = [start, *[bytes(1 << 20)] * 512]
    file.write_bytes(b"".join(map(stream.compress, pieces)) + stream.flush())
    tracemalloc.start()
    try:
        with pytest.raises(StorageError):
            load(file, max_bytes=4 << 30)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


# Forgery


def unpacked(file: Path) -> tuple[bytes, bytes]:
    """Text of the header, and what follows it."""
    data = zstandard.ZstdDecompressor().decompressobj().decompress(file.read_bytes())
    length = layout.PREFIX.unpack(data[: layout.PREFIX.size])[2]
    return data[layout.PREFIX.size :][:length], data[layout.PREFIX.size + length :]


def packed(
    header: bytes, rest: bytes, version: int = 1, magic: bytes = b"TOPOGRAF", length: int = -1
) -> bytes:
    prefix = layout.PREFIX.pack(magic, version, len(header) if length < 0 else length)
    return zstandard.ZstdCompressor(write_checksum=True).compress(prefix + header + rest)


def damages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Copies that are cut, flipped in a bit, or longer."""
    for cut in [*range(1, 6), *(len(data) * i // 16 for i in range(1, 17))]:
        yield f"cut {cut}", data[: len(data) - cut]
    rng = np.random.default_rng(0)
    for place in [*range(6), *rng.integers(0, len(data), 34).tolist(), len(data) - 1]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        yield f"flip {place}", bytes(flipped)
    yield "garbage", data + b"\0"
    yield "twice", data + data


def edits() -> Iterator[tuple[str, Callable[[dict], object]]]:
    """Changes of the parsed header, each of which makes the file wrong."""
    graph = ("graphs", 0)
    block = (*graph, "blocks", 1)
    numbers = {
        ("version",): (4, 0, True, "1"),
        ("format",): ("other",),
        ("edges", 0): (0, -1, 10**6, 2**62, "1"),
        ("configuration",): ([], None),
        ("writer",): ({"python": 3},),
        graph: (None, {}),
        (*graph, "encoding"): (1,),
        (*graph, "wiring"): ("other", None),
        (*graph, "layer_name"): (5,),
        (*graph, "layers"): ([], {}),
        (*graph, "layers", 0, "channels"): (2**31, -2, 0, 1.5, 2**70, 10**9),
        (*graph, "layers", 1, "offset"): (0, 201, -1),
        (*block, "source"): ({},),
        (*block, "source", "height"): (1, 2**30),
        (*block, "target", "offset"): (0, 1, 10**6),
        (*block, "target", "channels"): (1, 2**30),
        (*block, "rows", "source_size"): (2**30, 1),
        (*block, "rows", "taps"): (2, 1, 0, 2**15 - 1, 10**9),
        (*block, "rows", "stride"): (0, -1, 2**40),
        (*block, "rows", "padding"): (-(2**40), 2**40),
        (*block, "rows", "dilation"): (0, 2**14),
        (*block, "kept_weights"): (10**9, -1),
        (*block, "total_weights"): (0, 2**64),
        (*block, "arrays"): ([], {}),
        (*block, "arrays", 0, "name"): ("tap_y", "other", None),
        (*block, "arrays", 0, "dtype"): ("<i8", "|O", [], None),
        (*block, "arrays", 0, "length"): (0, 1, -1, 2**40, 2**33, 1e3),
        (*block, "arrays", 5, "length"): (6, 10, 0, 7, 2**39),
    }
    for path, values in numbers.items():
        for value in values:
            yield f"{path} = {value!r}", lambda header, p=path, v=value: put(header, p, v)
    yield "key missing", lambda header: header.pop("writer")
    yield "key added", lambda header: header.update(more=1)
    yield "all lengths", lambda header: lengthen(header, 2**29)
    yield "wide block", lambda header: lengthen(header, 2**26)


def put(header: dict, path: tuple, value: object) -> None:
    for step in path[:-1]:
        header = header[step]
    header[path[-1]] = value


def lengthen(header: dict, length: int) -> None:
    for array in header["graphs"][0]["blocks"][0]["arrays"]:
        array["length"] = length
    header["graphs"][0]["blocks"][0] |= {"kept_weights": length, "total_weights": length}


def forgeries(file: Path) -> Iterator[tuple[str, bytes]]:
    """Copies whose checksum is right and whose content is not."""
    text, rest = unpacked(file)
    copy = file.with_name("copy")
    copy.write_bytes(packed(json.dumps(json.loads(text)).encode(), rest))
    assert parts(load(copy)) == parts(load(file))  # packing alone does no harm
    for name, edit in edits():
        header = json.loads(text)
        edit(header)
        yield name, packed(json.dumps(header).encode(), rest)
    for name, old, new in (
        ("NaN", b'"seed": 7', b'"seed": NaN'),
        ("infinity", b'"seed": 7', b'"seed": -Infinity'),
        ("too large", b'"seed": 7', b'"seed": 1e999'),
        ("many digits", b'"seed": 7', b'"seed": ' + b"7" * 9999),
        ("a key twice", b'"seed": 7', b'"seed": 7, "seed": 7'),
        ("a field twice", b'"version": 1', b'"version": 1, "version": 1'),
        ("deep", b'"seed": 7', b'"seed": ' + b"[" * 10**6 + b"]" * 10**6),
        ("deep objects", b'"seed": 7', b'"seed": ' + b'{"a":' * 10**6 + b"1" + b"}" * 10**6),
        ("wide", b'"graphs": [', b'"graphs": [' + b"[]," * 100_000),
        ("not UTF-8", b'"seed"', b'"\xff\xfe"'),
        ("cut JSON", text[-9:], b""),
    ):
        assert old in text
        yield name, packed(text.replace(old, new, 1), rest)
    yield "magic", packed(text, rest, magic=b"TOPOGRAM")
    yield "newer", packed(text, rest, version=4)
    yield "version 0", packed(text, rest, version=0)
    for length in (0, len(text) - 1, len(text) + 1, 2**23 + 1, 2**63):
        yield f"header of {length}", packed(text, rest, length=length)
    yield "empty file", b""
    yield "empty frame", zstandard.ZstdCompressor().compress(b"")
    yield "skippable frame", struct.pack("<II", 0x184D2A50, 4) + b"TOPO" + packed(text, rest)
    yield "rest missing", packed(text, b"")
    yield "rest shorter", packed(text, rest[:-1])
    yield "rest longer", packed(text, rest + b"\0")
    stream = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    pieces = [layout.PREFIX.pack(b"TOPOGRAF", 1, len(text)), text, rest, *[bytes(2**20)] * 2**10]
    yield "rest much longer", b"".join(map(stream.compress, pieces)) + stream.flush()
    yield "zeros", packed(text, bytes(len(rest)))
    yield "ones", packed(text, b"\xff" * len(rest))
    rng = np.random.default_rng(1)
    yield "noise", packed(text, rng.bytes(len(rest)))
    window = zstandard.ZstdCompressionParameters(window_log=27, write_checksum=True)
    stream = zstandard.ZstdCompressor(compression_params=window).compressobj()
    prefix = layout.PREFIX.pack(b"TOPOGRAF", 1, len(text))
    yield "window", stream.compress(prefix + text + rest) + stream.flush()


def read_all(file: Path) -> list[str]:
    """What is wrong with how the copies of `file` are read."""
    graphs, header = parts(load(file)), read_header(file)
    edges = parts(all_edges(read_edges(file)))
    copy = file.with_name("copy")
    wrong, tried = [], 0
    for origin, copies in (("damage", damages(file.read_bytes())), ("forgery", forgeries(file))):
        for name, data in copies:
            tried += 1
            copy.write_bytes(data)
            for reader, expected in (
                (lambda: parts(load(copy)), graphs),
                (lambda: parts(all_edges(read_edges(copy))), edges),
                (lambda: read_header(copy), header),
            ):
                try:
                    found = reader()
                except StorageError as error:
                    message = str(error)
                    if "\n" in message or str(copy) not in message or ";" not in message:
                        wrong.append(f"{name}: {message}")
                    if name == "newer" and "newer version" not in message:
                        wrong.append(f"{name}: {message}")
                except Exception as error:
                    wrong.append(f"{name}: {error!r}")
                else:
                    if expected is not header and (origin == "forgery" or found != expected):
                        wrong.append(f"{name}: was read")
    return [wrong, tried]


if __name__ == "__main__":
    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong, tried = read_all(Path(sys.argv[1]))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(json.dumps({"wrong": wrong, "tried": tried, "grown_mb": grown}))
