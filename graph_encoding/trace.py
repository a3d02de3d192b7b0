"""What tracing a network writes down: node layers, and the connections between them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .axis import Axis


class UnsupportedNetwork(ValueError):
    """The network holds something that has no multipartite graph."""


@dataclass
class TracedLayer:
    """A node layer.

    Attributes
    ----------
    name : str
    channels, height, width : int
    place : int
        Its turn in the order of node layers.
    members : frozenset of int
        The layers of weights that end in it, by number.
    ancestors : int
        The channels that have been read on the way to it, each a bit (`values.Spaces.bits`).
    joined : int, optional
        Key of the layer that it became part of at an addition.
    read : bool
        Whether anything has been made of it alone.
    """

    name: str
    channels: int
    height: int
    width: int
    place: int
    members: frozenset[int] = frozenset()
    ancestors: int = 0
    joined: int | None = None
    read: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.height, self.width


@dataclass(frozen=True, eq=False)
class Entries:
    """The kept weights of a connection, one an element; see `block.Block`."""

    target_channel: np.ndarray
    source_channel: np.ndarray
    tap_y: np.ndarray
    tap_x: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, index: np.ndarray) -> Entries:
        """Some of the entries, or all in another order."""
        return Entries(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Connection:
    """Kept weights between two traced layers, with their geometry.

    A weight that reads several values at once (a sum, a gate) is counted in one connection only.
    """

    name: str
    source: int
    target: int
    entries: Entries
    rows: Axis
    columns: Axis
    kept_weights: int
    total_weights: int


@dataclass
class Trace:
    """Node layers and connections of a network, in the order in which it computes them.

    ``layers[0]`` is the input.
    """

    layers: list[TracedLayer] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    def root(self, layer: int) -> int:
        """Key of the node layer that `layer` is now part of."""
        while self.layers[layer].joined is not None:
            layer = self.layers[layer].joined
        return layer
