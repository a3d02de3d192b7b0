"""Graphs written out, for other libraries: one file a library.

An export is a function of a `Graph` that holds every edge. To add one, write it in a file of its
own and give it a line in `EXPORTS`, and a method in `Graph`.
"""

from __future__ import annotations

import warnings
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Export(NamedTuple):
    """A library that takes a graph.

    Attributes
    ----------
    where : str
        ``module:function``, imported when it is used.
    edge, node : int
        Peak bytes an edge and a node while the graph is built (Python 3.11, measured).
    title : str
        What the library calls itself.
    install : str
        How to get it.
    """

    where: str
    edge: int
    node: int
    title: str
    install: str


EXPORTS = {
    "scipy": Export("graph_encoding.exports.scipy:write", 26, 0, "SciPy", "pip install scipy"),
    "networkx": Export(
        "graph_encoding.exports.networkx:write", 384, 562, "NetworkX", "pip install networkx"
    ),
    "igraph": Export(
        "graph_encoding.exports.igraph:write", 210, 88, "igraph", "pip install igraph"
    ),
    "pyg": Export(
        "graph_encoding.exports.pyg:write",
        34,
        64,
        "PyTorch Geometric",
        "pip install torch-geometric",
    ),
    "networkit": Export(
        "graph_encoding.exports.networkit:write", 51, 202, "NetworKit", "pip install networkit"
    ),
    "graph_tool": Export(
        "graph_encoding.exports.graph_tool:write",
        96,  # reckoned from its adjacency lists, as are those of nodes
        200,
        "graph-tool",
        "conda install -c conda-forge graph-tool",
    ),
}

WARNING = 1 << 30
"""Bytes from which on writing a graph out says beforehand what it will take."""


def size(library: str, edges: int, nodes: int) -> int:
    """About how many bytes a graph of so many edges and nodes takes at most, as it is written out.

    Raises
    ------
    ValueError
        If the library is unknown.
    """
    if library not in EXPORTS:
        raise ValueError(f"unknown library {library!r}: choose from {', '.join(EXPORTS)}")
    return EXPORTS[library].edge * edges + EXPORTS[library].node * nodes


def written(graph: Any, library: str) -> Any:
    """A `Graph` written out for a library; a warning says beforehand what that takes, if much.

    Raises
    ------
    ImportError
        In one line, if the library is not installed.
    """
    export = EXPORTS[library]
    try:
        write: Callable[[Any], Any] = resolve_name(export.where)
    except ImportError as error:
        raise ImportError(
            f"to_{library}() needs {export.title}: {export.install} ({error})"
        ) from None
    taken = size(library, graph.num_edges, graph.num_nodes)
    if taken >= WARNING:
        warnings.warn(
            f"writing out {graph.num_edges:,} edges takes about {taken / 1e9:.1f} GB in "
            f"{library}; edges() streams them",
            stacklevel=3,
        )
    return write(graph)
