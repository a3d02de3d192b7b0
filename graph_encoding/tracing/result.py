"""The end of tracing: the output's layer is the last one, and what is joined is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..axis import Axis
from ..weights import UnsupportedNetwork
from .merging import merged
from .network import Connection, Network, TracedLayer
from .values import Value


@dataclass(frozen=True)
class Trace:
    """Node layers of a network and the connections between them.

    Attributes
    ----------
    layers : list of TracedLayer
        In the order of their nodes: the padded input first, the output last.
    connections : list of Connection
        In the order in which the network computes them, at most one a pair of layers; sources and
        targets are places in `layers`.
    """

    layers: list[TracedLayer]
    connections: list[Connection]


def end_with(network: Network, values: Sequence[Value]) -> None:
    """Let the layer of the network's output be the last one.

    Raises
    ------
    UnsupportedNetwork
        If the output is not the outputs of one layer, or is also read by another one.
    """
    name = network.modules[0][0]
    keys = set().union(*(network.spaces.layers(value) for value in values))
    if not keys or 0 in keys:
        raise UnsupportedNetwork(f"{name}: its output does not come from its input through weights")
    for key in keys:
        network.note_reading(key)
    if len(keys) > 1:
        names = ", ".join(sorted(network.layers[key].name for key in keys))
        raise UnsupportedNetwork(
            f"{name}: its output is made of several layers ({names}); "
            "wrap it so that it returns one of them"
        )
    (key,) = keys
    last = network.layers[key]
    if last.read and any(connection.source == key for connection in network.connections):
        raise UnsupportedNetwork(f"{name}: its output {last.name} is also read by other layers")
    last.place = 1 + max(layer.place for layer in network.layers)


def trace_of(network: Network) -> Trace:
    """Put together what has been traced.

    Raises
    ------
    UnsupportedNetwork
        If the ways through which weights join the same nodes have no common geometry.
    """
    layers = network.layers
    keys = [key for key, layer in enumerate(layers) if layer.joined is None]
    keys.sort(key=lambda key: layers[key].place)
    places = {key: place for place, key in enumerate(keys)}
    by_ends: dict[tuple[int, int], list[Connection]] = {}
    for connection in _with_padded_input(network):
        ends = tuple(places[network.root(key)] for key in (connection.source, connection.target))
        by_ends.setdefault(ends, []).append(connection)
    connections = []
    for (source, target), several in by_ends.items():
        try:
            connections.append(replace(merged(several), source=source, target=target))
        except NotImplementedError as error:
            raise UnsupportedNetwork(f"{several[-1].name}: {error}") from error
    return Trace([layers[key] for key in keys], connections)


def _with_padded_input(network: Network) -> list[Connection]:
    """Let the input layer hold the padding that convolutions add around it: nodes of their own."""
    layer, before = network.layers[0], network.padding[:, 0].tolist()
    added = network.padding.sum(axis=1).tolist()
    layer.sizes = tuple(size + more for size, more in zip(layer.sizes, added, strict=True))
    return [
        replace(connection, axes=tuple(map(_moved, connection.axes, layer.sizes, before)))
        if connection.source == 0
        else connection
        for connection in network.connections
    ]


def _moved(axis: Axis, size: int, before: int) -> Axis:
    """The axis after positions have been added around its sources."""
    if axis.windows is None:
        return replace(axis, source_size=size, padding=axis.padding - before)
    there = axis.windows[:, :1] < axis.windows[:, 1:]
    return replace(axis, source_size=size, windows=np.where(there, axis.windows + before, 0))
