"""Loading graphs, or just their header or their edges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from system.errors import Fault

from ..graph import Graph
from . import header
from .blocks import build, checks, require_weights
from .checks import require_list, require_range
from .layout import ARRAYS, CHUNK, EDGE, EDGE_BYTES
from .stream import Reader, opened


def load(path: str | Path, max_bytes: int | None = None) -> list[Graph]:
    """Read graphs from a file.

    The whole file is checked, edges included, but these are not kept.

    Parameters
    ----------
    path : str or Path
    max_bytes : int, optional
        Most bytes that the file may unpack to, its edges not counted. Memory stays within a few
        times that. By default 4 GiB, of small files less (`layout.MAX_SMALL`).

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
    >>> import graph_encoding, torch
    >>> graphs = graph_encoding.encode(torch.nn.Linear(4, 3), torch.zeros(1, 4))
    >>> graph_encoding.save("linear.graph", graphs)
    >>> graph_encoding.load("linear.graph")[0].num_edges
    12
    """
    with opened(path) as reader:
        max_bytes = reader.limit(max_bytes)
        content = header.read(reader, max_bytes)
        graphs = _read_graphs(reader, content, max_bytes)
        for count in _edge_counts(content, graphs):
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
    with opened(path) as reader:
        content = header.read(reader)
        header.plans_of(content)
    return content


def read_edges(
    path: str | Path, index: int = 0, max_bytes: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Stream the edges of one graph of a file that was saved with them.

    Memory is that of the graphs without edges. Damage can show after some chunks: only an iterator
    that has come to its end has checked the whole file.

    Parameters
    ----------
    path : str or Path
    index : int
        Which of the file's graphs.
    max_bytes : int, optional
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
    with opened(path) as reader:
        max_bytes = reader.limit(max_bytes)
        content = header.read(reader, max_bytes)
        if content["edges"] is None:
            raise Fault("holds no edges", "save it with edges=True, or load it and use edges()")
        graphs = _read_graphs(reader, content, max_bytes)
        if not 0 <= index < len(graphs):
            raise Fault(f"has no graph {index}", f"give an index below {len(graphs)}")
        counts = _edge_counts(content, graphs)
        reader.skip(sum(counts[:index]) * EDGE_BYTES)
        for start in range(0, counts[index], CHUNK):
            count = min(CHUNK, counts[index] - start)
            source, target, weight = (reader.array(dtype, count) for dtype in EDGE.values())
            for ends in (source, target):
                require_range(ends, graphs[index].num_nodes, "the edges' nodes")
            require_weights(weight, "the edges")
            yield source.astype(np.int64), target.astype(np.int64), weight
        reader.skip(sum(counts[index + 1 :]) * EDGE_BYTES)
        reader.finish()


def _read_graphs(reader: Reader, content: dict[str, Any], max_bytes: int) -> list[Graph]:
    plans = header.plans_of(content)
    size = reader.taken + sum(
        length * np.dtype(ARRAYS[name]).itemsize
        for plan in plans
        for block in plan.blocks
        for name, length in block.lengths.items()
    )
    if size > max_bytes:
        raise Fault(f"unpacks to {size:,} bytes, more than {max_bytes:,}", "give more max_bytes")

    def arrays(block: header.BlockPlan) -> dict[str, np.ndarray]:
        check = checks(block)
        return {
            name: reader.array(ARRAYS[name], length, check[name])
            for name, length in block.lengths.items()
        }

    graphs = []
    for plan in plans:
        blocks = [build(block, arrays(block)) for block in plan.blocks]
        named = plan.encoding, plan.wiring, plan.layer_name
        ends = {"inputs": plan.inputs, "outputs": plan.outputs}
        graphs.append(Graph(plan.layers, blocks, *named, **ends))
    return graphs


def _edge_counts(content: dict[str, Any], graphs: list[Graph]) -> list[int]:
    """How many edges of each graph follow, none if they were left out."""
    if content["edges"] is None:
        return []
    counts = [graph.num_edges for graph in graphs]
    if require_list(content["edges"], "the header") != counts:
        raise Fault("its numbers of edges are not those of its graphs")
    return counts
