"""The graphs of a sparse network: bipartite ones, one a layer, or one multipartite graph.

To add an encoding, write it in a file of its own and give it a line in `encodings.ENCODINGS`.

Examples
--------
>>> import graph_encoding, models
>>> graphs = graph_encoding.encode(models.build("Resnet-20", 10), "rolled")
>>> len(graphs), graphs[0].layer_name
(22, 'conv1')
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from operator import index
from typing import TYPE_CHECKING, Any

import models
from system import text

from .block import Block
from .encodings import (
    ATTENTION,
    DEFAULT,
    ENCODINGS,
    EXACT,
    PUBLISHED,
    REFUSE,
    TOKENS,
    WIRINGS,
    WITH_SHORTCUTS,
    WITH_TOKENS,
    Encoding,
)
from .graph import Graph
from .grid import NodeLayer
from .storage import StorageError, load, read_edges, read_header, save
from .weights import UnsupportedNetwork, array

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = [
    "ATTENTION",
    "DEFAULT",
    "ENCODINGS",
    "EXACT",
    "PUBLISHED",
    "REFUSE",
    "TOKENS",
    "WIRINGS",
    "WITH_SHORTCUTS",
    "WITH_TOKENS",
    "Block",
    "Encoding",
    "Graph",
    "NodeLayer",
    "StorageError",
    "UnsupportedNetwork",
    "encode",
    "load",
    "read_edges",
    "read_header",
    "save",
]


def encode(
    model: nn.Module,
    encoding: Any = DEFAULT,
    input_shape: tuple[int, ...] = (3, 32, 32),
    wiring: str = EXACT,
    attention: str = REFUSE,
    example_input: Any = None,
) -> list[Graph]:
    """Encode a sparse network as graphs.

    Parameters
    ----------
    model : torch.nn.Module
        Its weights as the forward pass uses them: zero means removed. Masks of
        ``torch.nn.utils.prune`` count, whether they have been made permanent or not.
    encoding : {"unrolled", "rolled", "rolled-channel"}, or torch.Tensor, tuple or dict
        An `example_input` in its place asks for ``unrolled``.
    input_shape : tuple of int
        Channels and one to three sizes of one input, or its features; used by ``unrolled`` only.
    wiring : {"exact", "identity", "published"}
        Used by ``unrolled`` only. ``identity`` adds identity shortcuts as edges of weight 1;
        ``published`` is for the paper's networks.
    attention : {"refuse", "tokens"}
        Used by ``unrolled`` only. With ``tokens``, a position of the output of softmax attention
        stands for the values of all positions that it attends to; queries and keys are read by
        nothing. The graph's wiring then ends with ``+tokens``.
    example_input : torch.Tensor, tuple or dict, optional
        What the network is called with, in place of `input_shape`: a tensor with its axis of
        images, a tuple of arguments, or a dictionary of those with keywords. Whole numbers are
        masks, or what an Embedding looks up; see the room's README.

    Returns
    -------
    list of Graph
        One graph for ``unrolled``, otherwise one for every layer of `models.matrices`: of
        convolutions and Linear, of attention's projections, of recurrent gates, of embeddings.

    Raises
    ------
    ValueError
        If the encoding or the wiring is unknown, the input is no example or shape, a weight has no
        value or one that is not finite, or the network holds something that has no multipartite
        graph (its module and line are named).

    Examples
    --------
    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> graph, = encode(network, torch.zeros(1, 4))
    >>> graph.num_nodes, graph.num_edges
    (9, 18)
    """
    if not isinstance(encoding, str):
        encoding, example_input = DEFAULT, encoding
    if encoding not in ENCODINGS:
        raise ValueError(f"unknown encoding {encoding!r}: {text.choose(encoding, ENCODINGS)}")
    kind = ENCODINGS[encoding]
    if wiring not in (wirings := WIRINGS if kind.bipartite else kind.wirings):
        raise ValueError(f"unknown wiring {wiring!r}: {text.choose(wiring, wirings)}")
    if attention not in (known := ATTENTION if kind.bipartite else kind.attention):
        raise ValueError(f"unknown attention {attention!r}: {text.choose(attention, known)}")
    if attention == TOKENS and wiring == PUBLISHED and not kind.bipartite:
        raise ValueError(
            f"wiring {PUBLISHED} is that of the paper's networks, without attention: use {EXACT}"
        )
    model = models.plain(models.as_module(getattr(model, "_orig_mod", model)))  # of torch.compile
    if empty := models.without_values(model):
        raise ValueError(
            f"{empty[0]} has no values (a lazy module, or device meta): run or load the network"
        )
    if coarse := models.quantised(model):
        raise UnsupportedNetwork(models.QUANTISED.format(coarse[0]))
    encoder = kind.encoder
    if kind.bipartite:
        wiring = kind.wirings[0]
        graphs = [
            encoder(text.name(name), array(weight, name)) for name, weight in models.matrices(model)
        ]
    else:
        told = (attention,) if len(kind.attention) > 1 else ()
        example = _of_shape(input_shape) if example_input is None else _checked(example_input)
        graphs = [encoder(model, example, wiring, *told)]
        wiring += WITH_TOKENS if attention == TOKENS else ""
    return [replace(graph, encoding=encoding, wiring=wiring) for graph in graphs]


def _of_shape(input_shape: tuple[int, ...]) -> torch.Tensor:
    """An example of a shape."""
    import torch

    try:
        sizes = tuple(index(size) for size in input_shape)
        return torch.empty((1, *sizes), device="meta")
    except (TypeError, RuntimeError):
        raise ValueError(
            "input_shape is (channels, height, width) of one input, also with one size or three, "
            f"or (features,), in whole numbers, and not {input_shape!r}"
        ) from None


def _checked(example: Any) -> Any:
    """An example input; of arrays, tensors."""
    import torch

    if isinstance(example, torch.Tensor):
        return example
    if isinstance(getattr(example, "shape", None), tuple):
        with suppress(TypeError):  # as of text: of no numbers
            return torch.as_tensor(example)
    parts = [*example.values()] if isinstance(example, Mapping) else example
    if isinstance(example, torch.Size) or not isinstance(parts, tuple | list) or not parts:
        raise UnsupportedNetwork(
            "an example input is a tensor of numbers, images first, a tuple of the network's "
            f"arguments or a dictionary of those with keywords, and not {type(example).__name__}"
        )
    if isinstance(example, Mapping) and (wrong := [k for k in example if type(k) is not str]):
        raise UnsupportedNetwork(
            f"the keys of an example input are names of arguments, and not {wrong[0]!r}"
        )
    return example
