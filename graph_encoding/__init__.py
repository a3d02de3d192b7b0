"""The graphs of a sparse network: bipartite ones, one a layer, or one multipartite graph.

To add an encoding, write it in a file of its own and give it a line in `BIPARTITE` or
`MULTIPARTITE`.

Examples
--------
>>> import graph_encoding, models
>>> graphs = graph_encoding.encode(models.build("Resnet-20", 10), "rolled")
>>> len(graphs), graphs[0].layer_name
(22, 'conv1')
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

import models

from .block import Block
from .graph import Graph
from .grid import NodeLayer
from .storage import StorageError, load, read_edges, read_header, save

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "ENCODINGS",
    "WIRINGS",
    "Block",
    "Graph",
    "NodeLayer",
    "StorageError",
    "encode",
    "load",
    "read_edges",
    "read_header",
    "save",
]

# Where each encoder lives. Bipartite ones take a layer's name and weight,
# multipartite ones the model, the input's shape and the wiring. Importing this room imports no
# torch.
BIPARTITE: dict[str, str] = {
    "rolled": "graph_encoding.rolled:rolled",
    "rolled-channel": "graph_encoding.rolled_channel:rolled_channel",
}
MULTIPARTITE: dict[str, str] = {"unrolled": "graph_encoding.unrolled:unrolled"}
ENCODINGS = (*BIPARTITE, *MULTIPARTITE)
WIRINGS = ("exact", "published")


def encode(
    model: nn.Module,
    encoding: str = "unrolled",
    input_shape: tuple[int, int, int] = (3, 32, 32),
    wiring: str = "exact",
) -> list[Graph]:
    """Encode a sparse network as graphs.

    Parameters
    ----------
    model : torch.nn.Module
        Its weights as they are: zero means removed.
    encoding : {"rolled", "rolled-channel", "unrolled"}
    input_shape : tuple of int
        Channels, height and width of one input; used by ``unrolled`` only.
    wiring : {"exact", "published"}
        Used by ``unrolled`` only.

    Returns
    -------
    list of Graph
        One graph for ``unrolled``, otherwise one for every Conv2d and Linear layer in
        ``named_modules()`` order.

    Raises
    ------
    ValueError
        If the encoding or the wiring is unknown, a weight is not finite, or the network holds
        something that has no multipartite graph.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"unknown encoding {encoding!r}: choose from {', '.join(ENCODINGS)}")
    if wiring not in WIRINGS:
        raise ValueError(f"unknown wiring {wiring!r}: choose from {', '.join(WIRINGS)}")
    encoder = resolve_name((BIPARTITE | MULTIPARTITE)[encoding])
    if encoding in MULTIPARTITE:
        return [encoder(model, input_shape, wiring)]
    return [
        encoder(name, layer.weight.detach().cpu().numpy())
        for name, layer in models.prunable(model).items()
    ]
