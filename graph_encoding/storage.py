"""Graphs as files: what `Graph` holds, not its edges, in one compressed and checked stream.

A file is one zstandard frame with a checksum. Unpacked, it holds, in little-endian order:

- the magic ``TOPOGRAF`` (8 bytes), the format's version (4) and the header's length (8);
- the header: JSON that tells everything but the arrays, and of these the type and the length;
- the arrays, raw, in the order in which the header lists them;
- if asked for, the edges of each graph in turn, in chunks of 2^20 and a last one of what is left:
  the sources and the targets (int32), then the weights (float32) of the chunk.

Reading a file runs nothing that it holds and trusts nothing that it says: memory grows with the
data that are there, never with what the header claims, and every number is checked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import platform
import secrets
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .axis import Axis
from .block import Block
from .graph import Graph
from .grid import NodeLayer

FORMAT = "topometrics graphs"
VERSION = 1
MAX_BYTES = 4 << 30
"""Most bytes that a file unpacks to, its edges not counted, unless the reader says otherwise."""

MAGIC = b"TOPOGRAF"
PREFIX = struct.Struct("<8sIQ")  # magic, version, length of the header
ENTRIES = {
    "target_channel": "<i4",
    "source_channel": "<i4",
    "tap_y": "<i2",
    "tap_x": "<i2",
    "weight": "<f4",
}
WINDOWS = {"row_windows": "<i8", "column_windows": "<i8"}  # (low, high) of every position
EDGE = {"source": "<i4", "target": "<i4", "weight": "<f4"}
EDGE_BYTES = 12

CHUNK = 1 << 20  # edges in a chunk (part of the format), and bytes written at a time
PIECE = 256  # compressed bytes unpacked at a time: at most 8 MiB come out of them
WINDOW = 1 << 23  # bytes that a zstandard frame may ask to be remembered
HEADER_LIMIT = 8 << 20  # a thousand layers take 2 MB; parsed JSON up to 25 times its length
MAX_NODES = 2**31 - 1
MAX_STEP = 2**15 - 1  # taps are int16; strides, paddings and dilations are no longer
MAX_TABLE = 1 << 22  # taps x positions of all axes of a file together, and taps of all kernels
AGAIN = "save it again or take another copy"


class StorageError(ValueError):
    """A graph file that cannot be read or written; one line: which, why, and what can be done."""


class _Fault(Exception):
    """What is wrong and the remedy; the caller adds the file."""

    def __init__(self, what: str, remedy: str = AGAIN) -> None:
        super().__init__(f"{what}; {remedy}")


def save(
    path: str | Path,
    graphs: Sequence[Graph],
    configuration: Mapping[str, Any] | None = None,
    edges: bool = False,
) -> None:
    """Write graphs to a file, all at once or not at all.

    Parameters
    ----------
    path : str or Path
        Replaced if it exists.
    graphs : sequence of Graph
        As `encode` returns them.
    configuration : mapping, optional
        What made the graphs, such as a result file's row; anything that JSON holds.
    edges : bool
        Whether to add the explicit list of edges, for other programs. It is streamed: memory does
        not grow with it. About 12 bytes an edge before compression.

    Raises
    ------
    StorageError
        If the configuration is not JSON or a graph breaks the rules of `Graph` and `Block`.
    OSError
        If the file cannot be written; an older one is then as before.
    """
    import zstandard

    with _faults_of(path):
        header = _describe(graphs, configuration, edges)
        text = _dump(header)
        arrays = []
        for graph, plan in zip(graphs, _plans(_parse(text)), strict=True):
            for block, block_plan in zip(graph.blocks, plan.blocks, strict=True):
                arrays.append(_arrays(block))
                _build(block_plan, arrays[-1])
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        with _replacing(path) as file, compressor.stream_writer(file, closefd=False) as stream:
            stream.write(PREFIX.pack(MAGIC, VERSION, len(text)))
            stream.write(text)
            for array in (array for group in arrays for array in group.values()):
                _write(stream, array)
            for graph in graphs if edges else ():
                _write_edges(stream, graph)


def load(path: str | Path, max_bytes: int = MAX_BYTES) -> list[Graph]:
    """Read graphs from a file.

    The whole file is checked, edges included, but these are not kept.

    Parameters
    ----------
    path : str or Path
    max_bytes : int
        Most bytes that the file may unpack to, its edges not counted. Memory stays within a few
        times that.

    Returns
    -------
    list of Graph
        Equal to those saved; they compute on the CPU.

    Raises
    ------
    StorageError
        If the file is not whole, not of this format or not of graphs that an encoder makes.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import graph_encoding
    >>> graph_encoding.save("resnet.graph", graphs)
    >>> graph_encoding.load("resnet.graph")[0].num_edges == graphs[0].num_edges
    True
    """
    with _faults_of(path), _opened(path) as reader:
        header = _read_header(reader, max_bytes)
        graphs = _read_graphs(reader, header, max_bytes)
        for count in _edge_counts(header, graphs):
            reader.skip(count * EDGE_BYTES)
        reader.finish()
    return graphs


def read_header(path: str | Path) -> dict[str, Any]:
    """Read what a file says of itself; only its beginning is read and checked.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        ``format``, ``version``, ``writer`` (versions of what wrote it), ``configuration``,
        ``edges`` (how many of each graph, None where they were left out) and ``graphs``.

    Raises
    ------
    StorageError, OSError
        As `load`.
    """
    with _faults_of(path), _opened(path) as reader:
        header = _read_header(reader, MAX_BYTES)
        _plans(header)
    return header


def read_edges(
    path: str | Path, index: int = 0, max_bytes: int = MAX_BYTES
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Stream the edges of one graph of a file that was saved with them.

    Memory is that of the graphs without edges. Damage can show after some chunks: only an iterator
    that has come to its end has checked the whole file.

    Parameters
    ----------
    path : str or Path
    index : int
        Which of the file's graphs.
    max_bytes : int
        As in `load`.

    Yields
    ------
    source, target : numpy.ndarray of int64
    weight : numpy.ndarray of float32
        The edges of `Graph.edges` in the same order, about a million at a time.

    Raises
    ------
    StorageError, OSError
        As `load`, and if the file holds no edges or no such graph.
    """
    with _faults_of(path), _opened(path) as reader:
        header = _read_header(reader, max_bytes)
        if header["edges"] is None:
            raise _Fault("holds no edges", "save it with edges=True, or load it and use edges()")
        graphs = _read_graphs(reader, header, max_bytes)
        if not 0 <= index < len(graphs):
            raise _Fault(f"has no graph {index}", f"give an index below {len(graphs)}")
        counts = _edge_counts(header, graphs)
        reader.skip(sum(counts[:index]) * EDGE_BYTES)
        for start in range(0, counts[index], CHUNK):
            count = min(CHUNK, counts[index] - start)
            source, target, weight = (reader.array(dtype, count) for dtype in EDGE.values())
            for ends in (source, target):
                _require_range(ends, graphs[index].num_nodes, "the edges' nodes")
            _require_weights(weight, "the edges")
            yield source.astype(np.int64), target.astype(np.int64), weight
        reader.skip(sum(counts[index + 1 :]) * EDGE_BYTES)
        reader.finish()


# Writing


def _describe(
    graphs: Sequence[Graph], configuration: Mapping[str, Any] | None, edges: bool
) -> dict[str, Any]:
    import zstandard

    return {
        "format": FORMAT,
        "version": VERSION,
        "writer": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "zstandard": zstandard.__version__,
        },
        "configuration": dict(configuration or {}),
        "edges": [int(graph.num_edges) for graph in graphs] if edges else None,
        "graphs": [
            {
                "encoding": graph.encoding,
                "wiring": graph.wiring,
                "layer_name": graph.layer_name,
                "layers": [_layer_fields(layer) for layer in graph.layers],
                "blocks": [_block_fields(block) for block in graph.blocks],
            }
            for graph in graphs
        ],
    }


def _layer_fields(layer: NodeLayer) -> dict[str, Any]:
    fields = dataclasses.asdict(layer)
    return {"name": fields.pop("name")} | {name: int(value) for name, value in fields.items()}


def _block_fields(block: Block) -> dict[str, Any]:
    return {
        "name": block.name,
        "source": _layer_fields(block.source),
        "target": _layer_fields(block.target),
        "rows": {name: int(getattr(block.rows, name)) for name in AXIS},
        "columns": {name: int(getattr(block.columns, name)) for name in AXIS},
        "kept_weights": int(block.kept_weights),
        "total_weights": int(block.total_weights),
        "arrays": [
            {"name": name, "dtype": array.dtype.str, "length": len(array)}
            for name, array in _arrays(block).items()
        ],
    }


def _arrays(block: Block) -> dict[str, np.ndarray]:
    """The arrays of a block as a file holds them; copied only where the type differs."""
    found = {name: (getattr(block, name), dtype) for name, dtype in ENTRIES.items()}
    for (name, dtype), axis in zip(WINDOWS.items(), (block.rows, block.columns), strict=True):
        if axis.windows is not None:
            found[name] = (np.ravel(axis.windows), dtype)
    arrays = {}
    for name, (array, dtype) in found.items():
        arrays[name] = np.ascontiguousarray(array, dtype)
        if array.ndim != 1 or not np.array_equal(arrays[name], array):
            raise _Fault(f"block {block.name!r}: {name} is not of {dtype}", "encode the graph anew")
    return arrays


def _dump(header: dict[str, Any]) -> bytes:
    configuration = header["configuration"]
    try:
        text = json.dumps(header, allow_nan=False, indent=1)
        same = json.loads(json.dumps(configuration)) == configuration
    except (TypeError, ValueError, RecursionError) as error:
        raise _Fault(f"the configuration is not JSON ({error})", "leave out what is not") from None
    if not same:
        raise _Fault("the configuration does not survive JSON", "use text keys, lists and numbers")
    if len(text) > HEADER_LIMIT:
        raise _Fault(f"its header exceeds {HEADER_LIMIT} bytes", "save fewer graphs in a file")
    return text.encode()


def _write(stream: Any, array: np.ndarray) -> None:
    data = memoryview(array).cast("B") if len(array) else memoryview(b"")
    for start in range(0, len(data), CHUNK):
        stream.write(data[start : start + CHUNK])


def _write_edges(stream: Any, graph: Graph) -> None:
    """Write the edges in chunks of one size, whatever the size in which they come."""
    chunk = [np.empty(CHUNK, dtype) for dtype in EDGE.values()]
    filled = 0
    for parts in graph.edges(CHUNK):
        start, stop = 0, len(parts[0])
        while start < stop:
            count = min(CHUNK - filled, stop - start)
            for column, part in zip(chunk, parts, strict=True):
                column[filled : filled + count] = part[start : start + count]
            start, filled = start + count, filled + count
            if filled == CHUNK:
                for column in chunk:
                    _write(stream, column)
                filled = 0
    for column in chunk:
        _write(stream, column[:filled])


@contextlib.contextmanager
def _replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` once it is finished and on disk."""
    target = Path(path).resolve()
    unfinished = target.with_name(f".saving-{secrets.token_hex(8)}")
    try:
        with open(unfinished, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


# Reading


@contextlib.contextmanager
def _faults_of(path: str | Path) -> Iterator[None]:
    import zstandard

    try:
        yield
    except _Fault as fault:
        raise StorageError(f"{path}: {fault}") from None
    except zstandard.ZstdError as error:
        raise StorageError(f"{path}: not a graph file, or damaged ({error}); {AGAIN}") from None


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[_Reader]:
    if Path(path).exists() and not stat.S_ISREG(os.stat(path).st_mode):
        raise _Fault("not a file", "give the path of a saved file")
    with open(path, "rb") as file:
        yield _Reader(file)


class _Reader:
    """Unpacks a frame little by little, so that a small piece cannot fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        import zstandard

        self.file = file
        self.frame = zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
        self.unpacked = memoryview(b"")
        self.taken = 0

    def more(self) -> None:
        piece = b"" if self.frame.eof else self.file.read(PIECE)
        if not piece:
            raise _Fault("ends too early")
        self.unpacked = memoryview(self.frame.decompress(piece))

    def pieces(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self.unpacked:
                self.more()
                continue
            piece, self.unpacked = self.unpacked[:size], self.unpacked[size:]
            size -= len(piece)
            self.taken += len(piece)
            yield piece

    def read(self, size: int) -> bytearray:
        data = bytearray()
        for piece in self.pieces(size):
            data += piece
        return data

    def array(self, dtype: str, length: int) -> np.ndarray:
        data = np.frombuffer(self.read(length * np.dtype(dtype).itemsize), dtype)
        return data.astype(data.dtype.newbyteorder("="), copy=False)

    def skip(self, size: int) -> None:
        for _ in self.pieces(size):
            pass

    def finish(self) -> None:
        """Make sure that the frame, its checksum and the file end here."""
        while not self.unpacked and not self.frame.eof:
            self.more()
        if self.unpacked or self.frame.unused_data or self.file.read(1):
            raise _Fault("goes on after its end")


def _read_header(reader: _Reader, max_bytes: int) -> dict[str, Any]:
    magic, version, length = PREFIX.unpack(reader.read(PREFIX.size))
    if magic != MAGIC:
        raise _Fault("not a graph file", "give a file that graph_encoding.save wrote")
    _require_version(version)
    if length > min(HEADER_LIMIT, max_bytes):
        raise _Fault(f"its header claims {length} bytes")
    return _parse(reader.read(length))


def _require_version(version: Any) -> None:
    if type(version) is not int or version < 1:
        raise _Fault("its version is not a number from 1 on")
    if version > VERSION:
        raise _Fault(
            f"written by a newer version (format {version}, this program reads up to {VERSION})",
            "update this program",
        )


def _parse(text: bytes) -> dict[str, Any]:
    """The header, checked down to its graphs."""
    try:
        header = json.loads(
            bytes(text).decode(),
            object_pairs_hook=_unique,
            parse_constant=_not_json,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:80]
        raise _Fault(f"its header is not JSON ({reason})") from None
    _require_fields(header, HEADER, "the header")
    _require_version(header["version"])
    if header["format"] != FORMAT:
        raise _Fault("not a graph file", "give a file that graph_encoding.save wrote")
    if type(header["configuration"]) is not dict:
        raise _Fault("its configuration is not a dictionary")
    writer = header["writer"]
    if type(writer) is not dict or not all(type(value) is str for value in writer.values()):
        raise _Fault("its header does not tell the writer's versions")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _not_json(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError("a number is too large")
    return value


def _read_graphs(reader: _Reader, header: dict[str, Any], max_bytes: int) -> list[Graph]:
    plans = _plans(header)
    lengths = [block.lengths for plan in plans for block in plan.blocks]
    size = reader.taken + sum(
        length * np.dtype(_TYPES[name]).itemsize
        for arrays in lengths
        for name, length in arrays.items()
    )
    if size > max_bytes:
        raise _Fault(f"unpacks to {size:,} bytes, more than {max_bytes:,}", "give more max_bytes")
    return [
        Graph(
            plan.layers,
            [
                _build(
                    block,
                    {name: reader.array(_TYPES[name], n) for name, n in block.lengths.items()},
                )
                for block in plan.blocks
            ],
            plan.encoding,
            plan.wiring,
            plan.layer_name,
        )
        for plan in plans
    ]


def _edge_counts(header: dict[str, Any], graphs: list[Graph]) -> list[int]:
    """How many edges of each graph follow, none if they were left out."""
    if header["edges"] is None:
        return []
    counts = _list(header["edges"], "the header")
    if counts != [graph.num_edges for graph in graphs]:
        raise _Fault("its numbers of edges are not those of its graphs")
    return [graph.num_edges for graph in graphs]


# What the header says, checked


class _BlockPlan(NamedTuple):
    """A block whose arrays are still to come, and how long they are."""

    where: str
    name: str
    source: NodeLayer
    target: NodeLayer
    rows: Axis
    columns: Axis
    kept_weights: int
    total_weights: int
    lengths: dict[str, int]


class _GraphPlan(NamedTuple):
    encoding: str
    wiring: str
    layer_name: str | None
    layers: list[NodeLayer]
    blocks: list[_BlockPlan]


_TYPES = ENTRIES | WINDOWS
HEADER = ("format", "version", "writer", "configuration", "edges", "graphs")
GRAPH = _GraphPlan._fields
LAYER = tuple(field.name for field in dataclasses.fields(NodeLayer))
AXIS = {  # the least value of each number
    "source_size": 1,
    "target_size": 1,
    "taps": 1,
    "stride": 1,
    "padding": -MAX_STEP,
    "dilation": 1,
}
BLOCK = ("name", "source", "target", "rows", "columns", "kept_weights", "total_weights", "arrays")


def _plans(header: dict[str, Any]) -> list[_GraphPlan]:
    plans = [
        _graph_plan(value, f"graph {number}")
        for number, value in enumerate(_list(header["graphs"], "the header"))
    ]
    blocks = [block for plan in plans for block in plan.blocks]
    axes = [axis for block in blocks for axis in (block.rows, block.columns)]
    positions = sum(axis.taps * max(axis.source_size, axis.target_size) for axis in axes)
    taps = sum(block.rows.taps * block.columns.taps for block in blocks)
    if max(positions, taps) > MAX_TABLE:
        raise _Fault(f"its kernels slide over more than {MAX_TABLE} positions")
    return plans


def _graph_plan(value: Any, where: str) -> _GraphPlan:
    _require_fields(value, GRAPH, where)
    _require_text(value["encoding"], where)
    if value["wiring"] not in ("exact", "published"):
        raise _Fault(f"{where}: its wiring is neither exact nor published")
    if value["layer_name"] is not None:
        _require_text(value["layer_name"], where)
    layers = [_layer(layer, where) for layer in _list(value["layers"], where)]
    stops = [0, *(layer.stop for layer in layers)]
    if not layers or stops[:-1] != [layer.offset for layer in layers]:
        raise _Fault(f"{where}: its node layers do not follow one another from node 0 on")
    blocks = [
        _block_plan(block, f"{where}, block {number}")
        for number, block in enumerate(_list(value["blocks"], where))
    ]
    pairs = [(block.source, block.target) for block in blocks]
    for source, target in pairs:
        if not source.stop <= target.offset or target.stop > stops[-1]:
            raise _Fault(f"{where}: a block does not lead from its nodes to later ones")
    if value["wiring"] == "exact":
        whole = {layer for pair in pairs for layer in pair} <= set(layers)
        if not whole or len(set(pairs)) < len(pairs):
            raise _Fault(f"{where}: its blocks do not join whole node layers, each pair once")
    return _GraphPlan(value["encoding"], value["wiring"], value["layer_name"], layers, blocks)


def _layer(value: Any, where: str) -> NodeLayer:
    _require_fields(value, LAYER, where)
    _require_text(value["name"], where)
    for name in LAYER[1:]:
        _require_int(value[name], name != "offset", MAX_NODES, f"{where}: a layer's {name}")
    layer = NodeLayer(**value)
    _require_int(layer.stop, 1, MAX_NODES, f"{where}: the number of nodes")
    return layer


def _block_plan(value: Any, where: str) -> _BlockPlan:
    _require_fields(value, BLOCK, where)
    _require_text(value["name"], where)
    source, target = (_layer(value[end], where) for end in ("source", "target"))
    lengths = _lengths(value["arrays"], where)
    axes = {}
    for axis, size in (("rows", "height"), ("columns", "width")):
        axes[axis] = _axis(value[axis], lengths.get(f"{axis[:-1]}_windows"), f"{where}, {axis}")
        if (axes[axis].source_size, axes[axis].target_size) != (
            getattr(source, size),
            getattr(target, size),
        ):
            raise _Fault(f"{where}: its {axis} are not those of its nodes")
    rows, columns = axes["rows"], axes["columns"]
    entries, kept, total = lengths["weight"], value["kept_weights"], value["total_weights"]
    _require_int(total, 0, 2**63 - 1, f"{where}: total_weights")
    _require_int(kept, entries, total, f"{where}: kept_weights")
    return _BlockPlan(where, value["name"], source, target, rows, columns, kept, total, lengths)


def _lengths(value: Any, where: str) -> dict[str, int]:
    lengths = {}
    for array in _list(value, where):
        _require_fields(array, ("name", "dtype", "length"), where)
        name = array["name"]
        if type(name) is not str or name in lengths or array["dtype"] != _TYPES.get(name):
            raise _Fault(f"{where}: an array's name or type is unknown")
        _require_int(array["length"], 0, 2**40, f"{where}: an array's length")
        lengths[name] = array["length"]
    if list(lengths) != [name for name in _TYPES if name in ENTRIES or name in lengths]:
        raise _Fault(f"{where}: its arrays are not {', '.join(ENTRIES)} in this order")
    if len({lengths[name] for name in ENTRIES}) > 1:
        raise _Fault(f"{where}: its arrays differ in length")
    return lengths


def _axis(value: Any, windows: int | None, where: str) -> Axis:
    """The axis, its windows still to come; `windows` is the length of their array."""
    _require_fields(value, AXIS, where)
    for name, least in AXIS.items():
        most = MAX_NODES if name.endswith("size") else MAX_STEP
        _require_int(value[name], least, most, f"{where}: {name}")
    axis = Axis(**value)
    size = axis.source_size
    if windows is not None:
        size, odd = divmod(windows, 2)
        if odd or not size:
            raise _Fault(f"{where}: its windows are not pairs")
    # Padding adds as much after the map as before it, or one position more ("same").
    reach = axis.stride * (axis.target_size - 1) + axis.dilation * (axis.taps - 1)
    if reach > size + 2 * abs(axis.padding):
        raise _Fault(f"{where}: the kernel reaches beyond the padded map")
    return axis


# What the arrays hold, checked


def _build(plan: _BlockPlan, arrays: dict[str, np.ndarray]) -> Block:
    entries = {name: arrays[name] for name in ENTRIES}
    block = Block(
        name=plan.name,
        source=plan.source,
        target=plan.target,
        rows=_with_windows(plan.rows, arrays.get("row_windows"), plan.where),
        columns=_with_windows(plan.columns, arrays.get("column_windows"), plan.where),
        kept_weights=plan.kept_weights,
        total_weights=plan.total_weights,
        **entries,
    )
    for name, limit in (
        ("target_channel", plan.target.channels),
        ("source_channel", plan.source.channels),
        ("tap_y", plan.rows.taps),
        ("tap_x", plan.columns.taps),
    ):
        _require_range(entries[name], limit, f"{plan.where}: {name}")
    _require_weights(block.weight, plan.where)
    _require_order(block, plan.where)
    return block


def _with_windows(axis: Axis, flat: np.ndarray | None, where: str) -> Axis:
    if flat is None:
        return axis
    axis = dataclasses.replace(axis, windows=flat.reshape(-1, 2))
    low, high = axis.windows.T
    _require_range(low, axis.source_size + 1, f"{where}: windows")
    _require_range(high, axis.source_size + 1, f"{where}: windows")
    if (low > high).any() or (np.diff(axis.windows, axis=0) < 0).any():
        raise _Fault(f"{where}: its windows run backwards")
    if axis.repeats_edges:
        raise _Fault(f"{where}: its windows join nodes twice")
    return axis


def _require_order(block: Block, where: str) -> None:
    """Entries are sorted by target channel, and none stands twice."""
    if (np.diff(block.target_channel) < 0).any():
        raise _Fault(f"{where}: its entries are not sorted by target channel")
    pair = block.target_channel * np.int64(block.source.channels) + block.source_channel
    tap = block.tap
    if not _increasing(pair, tap):  # the encoders' order; any other takes a sort
        order = np.lexsort((tap, pair))
        if not _increasing(pair[order], tap[order]):
            raise _Fault(f"{where}: an entry stands twice")


def _increasing(pair: np.ndarray, tap: np.ndarray) -> bool:
    step = np.diff(pair)
    return bool(((step > 0) | ((step == 0) & (np.diff(tap) > 0))).all())


def _require_weights(weight: np.ndarray, where: str) -> None:
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise _Fault(f"{where}: a weight is not positive and finite")


def _require_range(values: np.ndarray, limit: int, what: str) -> None:
    if len(values) and not 0 <= values.min() <= values.max() < limit:
        raise _Fault(f"{what}: a value is not within 0 to {limit - 1}")


def _require_int(value: Any, low: int, high: int, what: str) -> None:
    if type(value) is not int or not low <= value <= high:
        raise _Fault(f"{what} is not a whole number from {int(low)} to {high}")


def _require_text(value: Any, where: str) -> None:
    if type(value) is not str:
        raise _Fault(f"{where}: a name is not text")


def _require_fields(value: Any, names: Sequence[str], where: str) -> None:
    if type(value) is not dict or value.keys() != set(names):
        raise _Fault(f"{where} does not hold just {', '.join(names)}")


def _list(value: Any, where: str) -> list[Any]:
    if type(value) is not list:
        raise _Fault(f"{where}: a list is missing")
    return value
