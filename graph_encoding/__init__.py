"""The graphs of a sparse network: bipartite ones, one a layer, or one multipartite graph.

Examples
--------
>>> import graph_encoding, models
>>> graphs = graph_encoding.encode(models.build("Resnet-20", 10), "rolled")
>>> len(graphs), graphs[0].layer_name
(22, 'conv1')
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import nn

from .block import Block
from .graph import Graph
from .grid import NodeLayer
from .rolled import rolled
from .rolled_channel import rolled_channel
from .tracing import UnsupportedNetwork
from .unrolled import WIRINGS, unrolled

__all__ = [
    "ENCODINGS",
    "WIRINGS",
    "Block",
    "Graph",
    "NodeLayer",
    "UnsupportedNetwork",
    "encode",
    "rolled",
    "rolled_channel",
    "unrolled",
]

BIPARTITE: dict[str, Callable[[str, np.ndarray], Graph]] = {
    "rolled": rolled,
    "rolled-channel": rolled_channel,
}
ENCODINGS = (*BIPARTITE, "unrolled")


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
        If the encoding or the wiring is unknown, or a weight is not finite.
    """
    if encoding == "unrolled":
        return [unrolled(model, input_shape, wiring)]
    if encoding not in BIPARTITE:
        raise ValueError(f"unknown encoding {encoding!r}: choose from {', '.join(ENCODINGS)}")
    return [
        BIPARTITE[encoding](name, module.weight.detach().cpu().numpy())
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
