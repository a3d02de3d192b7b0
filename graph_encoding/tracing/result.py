"""The end of tracing: which layers are the outputs, and what is joined is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..axis import Axis
from ..weights import UnsupportedNetwork
from .merging import merged
from .network import Connection, Network, TracedLayer
from .values import Value

NO_INPUT = (
    "; of an example, whole numbers are read as masks or as what an Embedding looks up, and here "
    "none does: give images as floating-point numbers"
)


@dataclass(frozen=True)
class Trace:
    """Node layers of a network and the connections between them.

    Attributes
    ----------
    layers : list of TracedLayer
        In the order of their nodes: the padded inputs first; outputs that nothing reads last.
    connections : list of Connection
        In the order in which the network computes them, at most one a pair of layers; sources and
        targets are places in `layers`.
    inputs : int
        How many of the layers are inputs.
    outputs : tuple of int
        Places of the outputs.
    """

    layers: list[TracedLayer]
    connections: list[Connection]
    inputs: int
    outputs: tuple[int, ...]


def end_with(network: Network, values: Sequence[Value]) -> None:
    """Let the layers that the network's outputs stand for be its output layers.

    Raises
    ------
    UnsupportedNetwork
        If there are none: the outputs are constants, or inputs as they are.
    """
    keys = set().union(*(network.spaces.layers(value) for value in values)) - network.padding.keys()
    if not keys:
        raise UnsupportedNetwork(
            f"{network.modules[0][0]}: its output does not come from its input through weights"
            + (NO_INPUT if not network.padding else "")
        )
    for key in keys:
        network.note_reading(key)
    network.outputs = keys
    read = {network.root(connection.source) for connection in network.connections}
    last = 1 + max(layer.place for layer in network.layers)
    for more, key in enumerate(sorted(keys - read, key=lambda key: network.layers[key].place)):
        network.layers[key].place = last + more


def trace_of(network: Network) -> Trace:
    """Put together what has been traced.

    Raises
    ------
    UnsupportedNetwork
        If the ways through which weights join the same nodes have no common geometry.
    """
    layers, inputs = network.layers, _inputs(network)
    inner = {key for key, layer in enumerate(layers) if layer.joined is None}
    keys = [*inputs, *sorted(inner - network.padding.keys(), key=lambda key: layers[key].place)]
    places = {key: place for place, key in enumerate(keys)}
    by_ends: dict[tuple[int, int], list[Connection]] = {}
    for connection in _with_padded_inputs(network):
        ends = tuple(places[network.root(key)] for key in (connection.source, connection.target))
        by_ends.setdefault(ends, []).append(connection)
    connections = []
    for (source, target), several in by_ends.items():
        try:
            connections.append(replace(merged(several), source=source, target=target))
        except NotImplementedError as error:
            raise UnsupportedNetwork(f"{several[-1].name}: {error}") from error
    outputs = sorted(places[key] for key in network.outputs)
    return Trace([layers[key] for key in keys], connections, len(inputs), tuple(outputs))


def _inputs(network: Network) -> list[int]:
    """Keys of the input layers that something reads."""
    read = {connection.source for connection in network.connections}
    return [key for key in network.padding if key in read]


def _with_padded_inputs(network: Network) -> list[Connection]:
    """Let input layers hold the padding that convolutions add around them: nodes of their own."""
    for key, padding in network.padding.items():
        layer, added = network.layers[key], padding.sum(axis=1).tolist()
        layer.sizes = tuple(size + more for size, more in zip(layer.sizes, added, strict=True))
    return [_from_padded(network, connection) for connection in network.connections]


def _from_padded(network: Network, connection: Connection) -> Connection:
    padding = network.padding.get(connection.source)
    if padding is None:
        return connection
    sizes, before = network.layers[connection.source].sizes, padding[:, 0].tolist()
    return replace(connection, axes=tuple(map(_moved, connection.axes, sizes, before)))


def _moved(axis: Axis, size: int, before: int) -> Axis:
    """The axis after positions have been added around its sources."""
    if axis.windows is None:
        return replace(axis, source_size=size, padding=axis.padding - before)
    there = axis.windows[:, :1] < axis.windows[:, 1:]
    return replace(axis, source_size=size, windows=np.where(there, axis.windows + before, 0))
