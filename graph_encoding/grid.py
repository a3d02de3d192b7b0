"""A run of node ids seen as channels x (depth x) height x width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NodeLayer:
    """A node layer: one feature map, the network's input, or a linear layer's outputs.

    Node ``(c, y, x)`` has the id ``offset + (c * height + y) * width + x``.

    Parameters
    ----------
    name : str
    offset : int
        The first id.
    channels : int
        Of a volume, its slices: slice z of channel c counts as channel ``c * depth + z``, so that
        whatever works on a graph needs two axes only.
    height, width : int
        1 along an axis that it does not have: a map of one axis is a row.
    depth : int
        Slices a channel.
    """

    name: str
    offset: int
    channels: int
    height: int = 1
    width: int = 1
    depth: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width; channels, depth, height and width of a volume."""
        if self.depth == 1:
            return self.channels, self.height, self.width
        return self.channels // self.depth, self.depth, self.height, self.width

    @property
    def positions(self) -> int:
        """Nodes a channel."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.channels * self.height * self.width

    @property
    def stop(self) -> int:
        """One past the last node id."""
        return self.offset + self.size

    def meets(self, other: NodeLayer) -> bool:
        """Whether some node belongs to both."""
        return self.offset < other.stop and other.offset < self.stop

    def maps(self, vector: Any) -> Any:
        """Its part of a vector of all nodes, seen as channels x height x width."""
        return vector[self.offset : self.stop].reshape(self.channels, self.height, self.width)
