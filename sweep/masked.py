"""The graph of one network under many masks: it is traced once, and then only cut.

Which layers and blocks there are does not depend on the masks. So the network is encoded with the
number of each weight in place of its value, and the entries of the graph say which weights they
stand for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

import pruning
from graph_encoding import Block, Graph, UnsupportedNetwork, encode
from models import own
from pruning.masks import Masks
from pruning.weights import prunable_weights

ENTRIES = ("target_channel", "source_channel", "tap_y", "tap_x")
MOST = 2**24
"""Whole numbers below it are exact in single precision."""


class Part(NamedTuple):
    """A block of the graph before it is cut.

    Attributes
    ----------
    block : Block
        Its weights are the numbers of weights.
    place : numpy.ndarray of int64, shape (entries,)
        Which of all prunable weights an entry stands for.
    counted : numpy.ndarray of bool, shape (entries,)
        Whether the weight of an entry is counted here and by it.
    """

    block: Block
    place: np.ndarray
    counted: np.ndarray


def graphs(
    model: nn.Module, input_shape: Sequence[int], as_they_are: bool = False
) -> Callable[[Masks], Graph]:
    """Encode a network, to be cut.

    Parameters
    ----------
    model : torch.nn.Module
        It is left as it was.
    input_shape : sequence of int
    as_they_are : bool
        Whether its layers are known to use the weights that they hold, as the project's do.

    Returns
    -------
    callable
        From masks to the graph of the network under them, whose edges may all have the weight 1;
        from no masks to that of the network as it is.
    """
    weights = prunable_weights(model)
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    try:
        whole = _numbered(model, weights, tuple(input_shape), as_they_are)
    finally:
        _fill(weights, _flat(before))
    there = (_flat(before) != 0).numpy()

    def cut(masks: Masks) -> Graph:
        if whole is None:
            return _encoded(model, masks, tuple(input_shape))
        graph, parts = whole
        kept = there & _flat(masks).numpy() if masks else there
        return replace(graph, blocks=[_cut(part, kept) for part in parts])

    return cut


def _encoded(model: nn.Module, masks: Masks, input_shape: tuple[int, ...]) -> Graph:
    """The graph of the network under masks, by encoding it."""
    pruned = copy.deepcopy(model)
    pruning.apply_masks(pruned, masks)
    return _graph(pruned, input_shape)


def _graph(model: nn.Module, input_shape: tuple[int, ...]) -> Graph:
    """The multipartite graph of a network as it is."""
    example = own.example_of(model)
    (graph,) = encode(model, input_shape=input_shape, example_input=example)
    return graph


def _numbered(
    model: nn.Module,
    weights: Mapping[str, nn.Parameter],
    input_shape: tuple[int, ...],
    as_they_are: bool,
) -> tuple[Graph, list[Part]] | None:
    """Encode a network with numbers for weights, and once more with the numbers in reverse.

    None where an edge stands for anything but one of the weights as it is (its two numbers do not
    add up then), or where a weight is counted more than once.
    """
    total = sum(weight.numel() for weight in weights.values())
    exact = all(weight.dtype in (torch.float32, torch.float64) for weight in weights.values())
    if not exact or total >= MOST:
        return None
    numbers = torch.arange(1, total + 1, dtype=torch.float32)
    try:
        _fill(weights, numbers)
        graph = _graph(model, input_shape)
        reverse = None
        if not as_they_are:
            _fill(weights, numbers.flip(0))
            reverse = _graph(model, input_shape)
    except UnsupportedNetwork:  # as it may be with its own weights: they will tell
        return None
    seen = np.zeros(total, bool)
    parts = []
    for index, block in enumerate(graph.blocks):
        if reverse and not _add_up(block.weight, reverse.blocks[index].weight, total + 1):
            return None
        place = block.weight.astype(np.int64) - 1
        counted = _is_first(place, total) & ~seen[place]
        if counted.sum() != block.kept_weights:
            return None
        seen[place] = True
        parts.append(Part(block, place, counted))
    return graph, parts


def _cut(part: Part, kept: np.ndarray) -> Block:
    """The block with some of all weights."""
    stays = np.flatnonzero(kept[part.place])
    entries = {name: getattr(part.block, name)[stays] for name in ENTRIES}
    entries["weight"] = np.broadcast_to(np.float32(1), len(stays))
    count = int(np.count_nonzero(part.counted[stays]))
    return replace(part.block, **entries, kept_weights=count)


def _flat(tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """All in a row, layer by layer."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors.values()])


def _fill(weights: Mapping[str, nn.Parameter], values: torch.Tensor) -> None:
    """Put values into weights, layer by layer."""
    sizes = [weight.numel() for weight in weights.values()]
    with torch.no_grad():
        for weight, part in zip(weights.values(), values.split(sizes), strict=True):
            weight.copy_(part.view_as(weight))


def _add_up(one: np.ndarray, other: np.ndarray, to: int) -> bool:
    return len(one) == len(other) and bool((one + other == to).all())


def _is_first(place: np.ndarray, total: int) -> np.ndarray:
    """Of each entry, whether no earlier one has its place."""
    first = np.empty(total, np.int64)
    order = np.arange(len(place))
    first[place[::-1]] = order[::-1]  # the last to write is the first of all
    return first[place] == order
