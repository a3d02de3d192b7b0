"""Saving graphs."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from system import errors
from system.errors import Fault
from system.files import replacing

from ..block import Block
from ..graph import Graph
from ..grid import NodeLayer
from . import header
from .blocks import build
from .layout import (
    CHUNK,
    EDGE,
    ENTRIES,
    FORMAT,
    HEADER_LIMIT,
    MAGIC,
    PREFIX,
    VERSION,
    WINDOWS,
)
from .stream import StorageError


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

    with errors.of_file(path, StorageError):
        text = _dump(_describe(graphs, configuration, edges))
        arrays = [_arrays(block) for graph in graphs for block in graph.blocks]
        plans = [block for plan in header.plans_of(header.parse(text)) for block in plan.blocks]
        for plan, group in zip(plans, arrays, strict=True):
            build(plan, group)
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        with replacing(path) as file, compressor.stream_writer(file, closefd=False) as stream:
            stream.write(PREFIX.pack(MAGIC, _version_of(graphs), len(text)))
            stream.write(text)
            for group in arrays:
                for array in group.values():
                    stream.write(array)
            for graph in graphs if edges else ():
                _write_edges(stream, graph)


def _describe(
    graphs: Sequence[Graph], configuration: Mapping[str, Any] | None, edges: bool
) -> dict[str, Any]:
    import zstandard

    return {
        "format": FORMAT,
        "version": _version_of(graphs),
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
                **_ends(graph),
            }
            for graph in graphs
        ],
    }


def _version_of(graphs: Sequence[Graph]) -> int:
    """The oldest version that can hold the graphs."""
    if any(map(_ends, graphs)):
        return VERSION
    return 2 if any(layer.depth > 1 for graph in graphs for layer in graph.layers) else 1


def _ends(graph: Graph) -> dict[str, Any]:
    """Which layers are inputs and outputs, unless it is the first and the last one."""
    ends = {"inputs": graph.inputs, "outputs": graph.outputs}
    return {} if ends == header.GraphPlan._field_defaults else ends | {"outputs": [*graph.outputs]}


def _layer_fields(layer: NodeLayer) -> dict[str, Any]:
    fields = dataclasses.asdict(layer)
    if layer.depth == 1:
        del fields["depth"]
    return {"name": fields.pop("name")} | {name: int(value) for name, value in fields.items()}


def _block_fields(block: Block) -> dict[str, Any]:
    return {
        "name": block.name,
        "source": _layer_fields(block.source),
        "target": _layer_fields(block.target),
        "rows": {name: int(getattr(block.rows, name)) for name in header.AXIS},
        "columns": {name: int(getattr(block.columns, name)) for name in header.AXIS},
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
            raise Fault(f"block {block.name!r}: {name} is not of {dtype}", "encode the graph anew")
    return arrays


def _dump(content: dict[str, Any]) -> bytes:
    configuration = content["configuration"]
    try:
        text = json.dumps(content, allow_nan=False, indent=1)
        same = json.loads(json.dumps(configuration)) == configuration
    except (TypeError, ValueError, RecursionError) as error:
        raise Fault(f"the configuration is not JSON ({error})", "leave out what is not") from None
    if not same:
        raise Fault("the configuration does not survive JSON", "use text keys, lists and numbers")
    if len(text) > HEADER_LIMIT:
        raise Fault(f"its header exceeds {HEADER_LIMIT} bytes", "save fewer graphs in a file")
    return text.encode()


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
                    stream.write(column)
                filled = 0
    for column in chunk:
        stream.write(column[:filled])
