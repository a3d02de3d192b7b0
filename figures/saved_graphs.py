"""What saved graphs are called, and which of them can be seen layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs import naming
from system.errors import UserError
from system.text import printable

from .memory import require_memory

if TYPE_CHECKING:
    from graph_encoding import Graph


def configuration(file: Path) -> dict[str, Any]:
    """What made the graphs of a file, as far as it says."""
    import graph_encoding

    return graph_encoding.read_header(file)["configuration"]


def labels(files: Sequence[Path]) -> list[str]:
    """Say of each file what tells it from the others: its pruner, more if need be, or its name."""
    found = naming.labels([configuration(file) for file in files])
    if len(set(found)) < len(files) or "" in found:
        found = [printable(file.name) for file in files]
    if len(set(found)) < len(files):
        found = [printable(str(file)) for file in files]
    return found


def comparable(file: Path, mark: Sequence[str]) -> list[Graph]:
    """The graphs of a file, if layers of them can be told apart and there is memory for it.

    Parameters
    ----------
    file : Path
    mark : sequence of str
        Nodes that will be looked for, of `nodes.MARKS`.

    Raises
    ------
    UserError
    """
    import graph_encoding

    graphs = graph_encoding.load(file)
    for graph in graphs:
        if graph.wiring == graph_encoding.PUBLISHED:
            raise UserError(f"{file}: has the published wiring; layers are compared of any other")
        require_memory(graph, file, mark)
    return graphs
