"""What work on a graph takes beyond its file, and whether the machine has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graph_encoding import Graph
from system import memory
from system.errors import UserError

NODE_BYTES = {"sinks": 30, "sources": 30, "disconnected": 30, "cut-nodes": 80}
"""Of the arrays over all nodes that it takes to find nodes to mark: 21 and 57 were measured."""

BASE_BYTES = 15
"""Of those that strengths and columns take."""

MOST_LAYERS = 4000
"""Networks have up to a thousand; ten thousand take minutes, and cannot be told apart."""

KERNEL_BYTES = 32
"""Of the sums over the taps of each channel, written out."""


def require_memory(graph: Graph, file: Path, mark: Sequence[str] = ()) -> None:
    """Refuse what a picture has no room or the machine no memory for, before any is asked for.

    Parameters
    ----------
    graph : Graph
    file : Path
        Where it is from.
    mark : sequence of str
        Of `nodes.MARKS`.

    Raises
    ------
    UserError
    """
    if len(graph.layers) > MOST_LAYERS:
        count = f"{len(graph.layers):,} node layers"
        raise UserError(f"{file}: has {count}, and a picture has room for {MOST_LAYERS:,}")
    each = BASE_BYTES + max((NODE_BYTES[name] for name in mark), default=0)
    kernels = max(
        (max(b.source.channels, b.target.channels) * b.taps for b in graph.blocks), default=0
    )
    needed = (each * graph.num_nodes + KERNEL_BYTES * kernels) / 1e6
    if needed > memory.available():
        raise UserError(
            f"{file}: {graph.num_nodes:,} nodes take about {needed:,.0f} MB, and "
            f"{memory.available():,.0f} MB are free: leave out --mark, or use a larger machine"
        )
