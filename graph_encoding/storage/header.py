"""The header of a graph file: JSON that says of the graphs all but their arrays, checked."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, NamedTuple

from system.errors import Fault

from ..axis import Axis
from ..encodings import ENCODINGS, PUBLISHED, WIRINGS, WITH_TOKENS
from ..grid import NodeLayer
from .checks import require_fields, require_int, require_list, require_text
from .layout import (
    ARRAYS,
    ENTRIES,
    FORMAT,
    HEADER_LIMIT,
    MAGIC,
    MAX_NODES,
    MAX_STEP,
    MAX_TABLE,
    PREFIX,
    VERSION,
)
from .stream import Reader

FIELDS = ("format", "version", "writer", "configuration", "edges", "graphs")


def read(reader: Reader, max_bytes: int = HEADER_LIMIT) -> dict[str, Any]:
    """The header at the beginning of a file."""
    magic, version, length = PREFIX.unpack(reader.read(PREFIX.size))
    if magic != MAGIC:
        raise Fault("not a graph file", "give a file that graph_encoding.save wrote")
    _require_version(version)
    if length > min(HEADER_LIMIT, max_bytes):
        raise Fault(f"its header claims {length} bytes")
    return parse(reader.read(length))


def parse(text: bytes | bytearray) -> dict[str, Any]:
    """What the text of a header says."""
    try:
        header = json.loads(
            text.decode(),
            object_pairs_hook=_unique,
            parse_constant=_not_json,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:80]
        raise Fault(f"its header is not JSON ({reason})") from None
    require_fields(header, FIELDS, "the header")
    _require_version(header["version"])
    if header["format"] != FORMAT:
        raise Fault("not a graph file", "give a file that graph_encoding.save wrote")
    if type(header["configuration"]) is not dict:
        raise Fault("its configuration is not a dictionary")
    writer = header["writer"]
    if type(writer) is not dict or not all(type(value) is str for value in writer.values()):
        raise Fault("its header does not tell the writer's versions")
    return header


def _require_version(version: Any) -> None:
    if type(version) is not int or version < 1:
        raise Fault("its version is not a number from 1 on")
    if version > VERSION:
        raise Fault(
            f"written by a newer version (format {version}, this program reads up to {VERSION})",
            "update this program",
        )


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


class BlockPlan(NamedTuple):
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


class GraphPlan(NamedTuple):
    """A graph whose blocks' arrays are still to come."""

    encoding: str
    wiring: str
    layer_name: str | None
    layers: list[NodeLayer]
    blocks: list[BlockPlan]
    inputs: int = 1
    outputs: tuple[int, ...] = (-1,)


KNOWN_WIRINGS = (*WIRINGS, *(name + WITH_TOKENS for name in WIRINGS if name != PUBLISHED))
LAYER = tuple(field.name for field in dataclasses.fields(NodeLayer))
FLAT = LAYER[:-1]  # of a layer that is no volume: as in version 1
AXIS = {  # the least value of each number
    "source_size": 1,
    "target_size": 1,
    "taps": 1,
    "stride": 1,
    "padding": -MAX_STEP,
    "dilation": 1,
}
BLOCK = ("name", "source", "target", "rows", "columns", "kept_weights", "total_weights", "arrays")


def plans_of(header: dict[str, Any]) -> list[GraphPlan]:
    """The graphs of a file."""
    plans = [
        _graph_plan(value, f"graph {number}")
        for number, value in enumerate(require_list(header["graphs"], "the header"))
    ]
    blocks = [block for plan in plans for block in plan.blocks]
    axes = [axis for block in blocks for axis in (block.rows, block.columns)]
    positions = sum(axis.taps * max(axis.source_size, axis.target_size) for axis in axes)
    windows = ("row_windows", "column_windows")
    positions += sum(block.lengths.get(name, 0) // 2 for block in blocks for name in windows)
    taps = sum(block.rows.taps * block.columns.taps for block in blocks)
    if max(positions, taps) > MAX_TABLE:
        raise Fault(f"its kernels slide over more than {MAX_TABLE} positions")
    return plans


def _graph_plan(value: Any, where: str) -> GraphPlan:
    ends = GraphPlan._field_defaults
    has_ends = type(value) is dict and not value.keys().isdisjoint(ends)
    require_fields(value, [n for n in GraphPlan._fields if has_ends or n not in ends], where)
    require_text(value["encoding"], where)
    if value["encoding"] not in ("", *ENCODINGS):
        raise Fault(f"{where}: its encoding is none of {', '.join(ENCODINGS)}")
    if value["wiring"] not in KNOWN_WIRINGS:
        raise Fault(f"{where}: its wiring is none of {', '.join(KNOWN_WIRINGS)}")
    if value["layer_name"] is not None:
        require_text(value["layer_name"], where)
    layers = [_layer(layer, where) for layer in require_list(value["layers"], where)]
    stops = [0, *(layer.stop for layer in layers)]
    if not layers or stops[:-1] != [layer.offset for layer in layers]:
        raise Fault(f"{where}: its node layers do not follow one another from node 0 on")
    blocks = [
        _block_plan(block, f"{where}, block {number}")
        for number, block in enumerate(require_list(value["blocks"], where))
    ]
    pairs = [(block.source, block.target) for block in blocks]
    for source, target in pairs:
        if not source.stop <= target.offset or target.stop > stops[-1]:
            raise Fault(f"{where}: a block does not lead from its nodes to later ones")
    if value["wiring"] != PUBLISHED:
        whole = {layer for pair in pairs for layer in pair} <= set(layers)
        if not whole or len(set(pairs)) < len(pairs):
            raise Fault(f"{where}: its blocks do not join whole node layers, each pair once")
    for block in blocks:
        _require_weights(block, value["encoding"])
    found = GraphPlan(value["encoding"], value["wiring"], value["layer_name"], layers, blocks)
    return found._replace(**_ends(value, len(layers), where)) if has_ends else found


def _ends(value: dict[str, Any], layers: int, where: str) -> dict[str, Any]:
    """Which layers are inputs and outputs."""
    require_int(value["inputs"], 1, layers, f"{where}: its number of inputs")
    outputs = require_list(value["outputs"], where)
    for place in outputs:
        require_int(place, -layers, -1, f"{where}: the place of an output")
    if not outputs or outputs != sorted(set(outputs)):
        raise Fault(f"{where}: its outputs are not in order")
    return {"inputs": value["inputs"], "outputs": tuple(outputs)}


def _layer(value: Any, where: str) -> NodeLayer:
    is_volume = type(value) is dict and "depth" in value
    require_fields(value, LAYER if is_volume else FLAT, where)
    require_text(value["name"], where)
    for name in FLAT[1:]:
        require_int(value[name], name != "offset", MAX_NODES, f"{where}: a layer's {name}")
    if is_volume:
        require_int(value["depth"], 2, value["channels"], f"{where}: a layer's depth")
        if value["channels"] % value["depth"]:
            raise Fault(f"{where}: a layer's channels are not of its depth")
    layer = NodeLayer(**value)
    require_int(layer.stop, 1, MAX_NODES, f"{where}: the number of nodes")
    return layer


def _block_plan(value: Any, where: str) -> BlockPlan:
    require_fields(value, BLOCK, where)
    require_text(value["name"], where)
    source, target = (_layer(value[end], where) for end in ("source", "target"))
    lengths = _lengths(value["arrays"], where)
    rows = _axis(value["rows"], lengths.get("row_windows"), f"{where}, rows")
    if (rows.source_size, rows.target_size) != (source.height, target.height):
        raise Fault(f"{where}: its rows are not those of its nodes")
    columns = _axis(value["columns"], lengths.get("column_windows"), f"{where}, columns")
    if (columns.source_size, columns.target_size) != (source.width, target.width):
        raise Fault(f"{where}: its columns are not those of its nodes")
    kept, total = value["kept_weights"], value["total_weights"]
    require_int(total, 0, 2**63 - 1, f"{where}: total_weights")
    require_int(kept, 0, total, f"{where}: kept_weights")
    if lengths["weight"] > source.channels * target.channels * rows.taps * columns.taps:
        raise Fault(f"{where}: it has more entries than there are weights")
    return BlockPlan(where, value["name"], source, target, rows, columns, kept, total, lengths)


def _require_weights(block: BlockPlan, encoding: str) -> None:
    """The numbers of weights behind a block are such as its entries can stand for."""
    entries, pairs = block.lengths["weight"], block.source.channels * block.target.channels
    kept, total = block.kept_weights, block.total_weights
    fits = True  # merged, or between slices of volumes, it may join none
    if encoding == "rolled":
        fits = (kept, total) == (entries, pairs)
    elif encoding == "rolled-channel":
        most, rest = divmod(total, pairs)
        fits = not rest and entries <= kept <= entries * most
    if not fits:
        raise Fault(f"{block.where}: its entries do not stand for {kept} of {total} weights")


def _lengths(value: Any, where: str) -> dict[str, int]:
    lengths = {}
    for array in require_list(value, where):
        require_fields(array, ("name", "dtype", "length"), where)
        name = array["name"]
        if type(name) is not str or name in lengths or array["dtype"] != ARRAYS.get(name):
            raise Fault(f"{where}: an array's name or type is unknown")
        require_int(array["length"], 0, 2**40, f"{where}: an array's length")
        lengths[name] = array["length"]
    if list(lengths) != [name for name in ARRAYS if name in ENTRIES or name in lengths]:
        raise Fault(f"{where}: its arrays are not {', '.join(ENTRIES)} in this order")
    if len({lengths[name] for name in ENTRIES}) > 1:
        raise Fault(f"{where}: its arrays differ in length")
    return lengths


def _axis(value: Any, windows: int | None, where: str) -> Axis:
    """The axis, its windows still to come; `windows` is the length of their array."""
    require_fields(value, AXIS, where)
    for name, least in AXIS.items():
        most = MAX_NODES if name.endswith("size") else MAX_STEP
        require_int(value[name], least, most, f"{where}: {name}")
    axis = Axis(**value)
    size = axis.source_size
    if windows is not None:
        size, odd = divmod(windows, 2)
        if odd or not size:
            raise Fault(f"{where}: its windows are not pairs")
    # Padding adds as much after the map as before it, or one position more ("same").
    reach = axis.stride * (axis.target_size - 1) + axis.dilation * (axis.taps - 1)
    if reach > size + 2 * abs(axis.padding):
        raise Fault(f"{where}: the kernel reaches beyond the padded map")
    return axis
