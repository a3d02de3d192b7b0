"""Connections of linear layers: at every position of a map, or of what lies anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ..weights import array
from .connections import connect_rows, convolution, grid, parts_of
from .network import Network, TokensFirst
from .values import IMAGES, Part, Unordered, Value

MOST_ENTRIES = 2**27
"""Of a layer whose weights are written out for each of many channels: 2 GB."""


def linear(network: Network, value: Value, weight: torch.Tensor) -> Value:
    """A new layer of nodes that read the last axis of a value.

    A value of one position an image is read whole; otherwise every position reads its features.

    Parameters
    ----------
    network : Network
    value : Value
        (images, ..., features).
    weight : torch.Tensor, shape (out features, features)
    """
    shape = value.alternatives[0].shape
    rows = value.alternatives[0].reshape(-1, shape[-1]).numpy()
    for tensor in value.alternatives[1:]:
        rows = np.maximum(rows, tensor.reshape(rows.shape).numpy())
    last = rows.max(axis=1)  # negative at positions that are constants, which stay constants
    first, second = (np.flatnonzero((last >= 0) & (last & 1 == image)) for image in (0, 1))
    if len(first) != len(second):
        raise NotImplementedError("linear layer over one image of a batch without the others")
    if not len(first):
        return Value((torch.full((*shape[:-1], len(weight)), -1),))
    if len(first) == 1:
        return _written_out(network, value, weight, first, second)

    is_map = 4 <= len(shape) <= 5 and shape[0] == IMAGES and 2 * len(first) == len(rows)
    size = (1, *shape[1:-1])[-3:] if is_map else None
    order = np.argsort(last[first], kind="stable")  # as of windows of a map, cut out of it
    ways = [([(first, second)], size), ([(first[order], second[order])], None)]
    if network.attends:  # a class token of one layer beside patches of another: a layer for each
        layers = network.spaces.layers_of(last[first] >> 1)
        ways.append(([(first[at], second[at]) for at in layers], None))
    for groups, size in ways:
        try:
            maps = [_at_positions(network, value, images, size) for images in groups]
        except Unordered:
            continue
        out = torch.full((len(rows), len(weight)), -1)
        for images, (of, found) in zip(groups, maps, strict=True):
            for rows_of, numbers in zip(images, _read(network, of, found, weight), strict=True):
                out[rows_of] = numbers
        return Value((out.reshape(*shape[:-1], len(weight)),))
    if network.attends:
        _require_channels_first(network, value, len(first))
    return _written_out(network, value, weight, first, second)  # its features are positions


def _at_positions(
    network: Network,
    value: Value,
    images: tuple[np.ndarray, np.ndarray],
    size: Sequence[int] | None = None,
) -> tuple[Value, list[list[Part]]]:
    """What a linear layer at every position reads: a map, and its parts.

    Parameters
    ----------
    images : tuple of numpy.ndarray of int
        Rows of features that are the positions of each image.
    size : sequence of int, optional
        Depth, height and width of the map; by default those of the layer behind.
    """
    features = value.shape[-1]
    rows = [
        torch.stack([tensor.reshape(-1, features)[i] for i in images])
        for tensor in value.alternatives
    ]
    if size is None:
        size = grid(network, [tensor[0].numpy() >> 1 for tensor in rows])
    maps = Value(tuple(tensor.transpose(1, 2).reshape(IMAGES, features, *size) for tensor in rows))
    return maps, parts_of(network, maps, may_cut=False)


def _read(
    network: Network, maps: Value, found: list[list[Part]], weight: torch.Tensor
) -> torch.Tensor:
    """A linear layer at every position of a map: its numbers (images, positions, out features)."""
    kernels, one, none = weight[:, :, None, None, None], (1, 1, 1), [(0, 0)] * 3
    layer = convolution(network, found, kernels, one, none, one, 1, maps.shape[2:])
    return layer.alternatives[0].flatten(2).transpose(1, 2)


def _require_channels_first(network: Network, value: Value, positions: int) -> None:
    """Begin again if the features are those of an input (positions, features)."""
    key, *others = network.spaces.layers(value)
    is_input = not others and key in network.padding and key not in network.tokens_first
    if is_input and network.layers[key].shape == (positions, 1, 1, value.shape[-1]):
        raise TokensFirst(key)


def _written_out(
    network: Network, value: Value, weight: torch.Tensor, first: np.ndarray, second: np.ndarray
) -> Value:
    """A linear layer whose features lie anywhere: its weights once for each row of features.

    Parameters
    ----------
    first, second : numpy.ndarray of int
        The rows of each image, among all that the layer reads.
    """
    matrix, shape = array(weight, network.module), value.shape
    outputs, rows = len(matrix), len(first)
    if rows > 1 and rows * np.count_nonzero(matrix) > MOST_ENTRIES:
        raise NotImplementedError(
            f"a linear layer over positions, of {rows:,} channels, stands once for each; "
            f"{MOST_ENTRIES:,} weights together is the most: prune it further"
        )
    alternatives = value.alternatives
    target, layer = network.new_layer(network.module, rows * outputs)
    counted = np.zeros(matrix.shape[1], bool)
    for tensor in alternatives:
        numbers = tensor.reshape(-1, shape[-1]).numpy()[first] >> 1
        connect_rows(network, network.module, target, numbers, matrix, counted)
    found = torch.full((math.prod(shape[:-1]), outputs), -1)
    numbers = layer.alternatives[0].reshape(IMAGES, rows, outputs)
    found[first], found[second] = numbers[0], numbers[1]
    return Value((found.reshape(*shape[:-1], outputs),))
