"""What is known of a network while it is followed: node layers and how they are connected."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from system import text

from ..axis import Axis
from ..weights import UnsupportedNetwork
from .values import Spaces, Value, of_space

OURS = (Path(torch.__file__).parent, Path(np.__file__).parent, Path(__file__).parents[1])
"""Folders whose lines are not the network's code."""

ONE_BY_ONE = "the encodings rolled and rolled-channel take its layers one by one"
"""What there is of a network that has no multipartite graph."""

BY_LINEAR = "has no multipartite graph here; torch.nn.functional.linear has one"
"""Of products that are not written as a linear layer."""


@dataclass
class TracedLayer:
    """A node layer.

    Attributes
    ----------
    name : str
    channels : int
    sizes : tuple of int
        Depth, height and width: 1 along an axis that its map does not have.
    place : int
        Its turn in the order of node layers.
    members : frozenset of int
        The layers of weights that end in it, by number.
    ancestors : int
        The channels that have been read on the way to it, each a bit (`values.Space.bits`).
    joined : int, optional
        Key of the layer that it became part of at an addition.
    read : bool
        Whether anything has been made of it alone.
    """

    name: str
    channels: int
    sizes: tuple[int, int, int]
    place: int
    members: frozenset[int]
    ancestors: int = 0
    joined: int | None = None
    read: bool = False

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Channels, depth, height, width."""
        return self.channels, *self.sizes


@dataclass(frozen=True, eq=False)
class Entries:
    """The kept weights of a connection, one an element; see `block.Block`."""

    target_channel: np.ndarray
    source_channel: np.ndarray
    tap_z: np.ndarray
    tap_y: np.ndarray
    tap_x: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, *arrays: np.ndarray) -> Entries:
        """Entries from arrays of any types, in the order of the fields."""
        types = (np.int32, np.int32, *[np.int16] * 3, np.float32)
        return cls(*(array.astype(t, copy=False) for array, t in zip(arrays, types, strict=True)))

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def taps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Along depth, height and width."""
        return self.tap_z, self.tap_y, self.tap_x

    def take(self, index: np.ndarray) -> Entries:
        """Some of the entries, or all in another order."""
        return Entries(*(array[index] for array in vars(self).values()))


@dataclass(frozen=True, eq=False)
class Connection:
    """Kept weights between two traced layers, with their geometry.

    A weight that reads several values at once (a sum, a gate) is counted in one connection only.
    The axes are depth, height and width.
    """

    name: str
    source: int
    target: int
    entries: Entries
    axes: tuple[Axis, Axis, Axis]
    kept_weights: int
    total_weights: int


class TokensFirst(Exception):
    """The network reads the features of an input (positions, features): trace it as such.

    Parameters
    ----------
    key : int
        Of the input's layer.
    """

    def __init__(self, key: int) -> None:
        super().__init__(key)
        self.key = key


class Network:
    """The state of one run of a network, to which operations add.

    Parameters
    ----------
    model : torch.nn.Module
    identity_shortcuts : bool
        Whether a shortcut without weights becomes edges of weight 1.
    attends : bool
        Whether attention is followed.
    apart : set of frozenset of int
        Members of layers that stay apart where a sum would join them with others.
    tokens_first : set of int
        Keys of inputs whose first axis is that of positions and whose last one that of channels.

    Attributes
    ----------
    layers : list of TracedLayer
        In the order in which the network computes them; keys are places in it.
    connections : list of Connection
    spaces : Spaces
    padding : dict of int to numpy.ndarray of int64, shape (3, 2)
        Of every input layer, by its key, what those that read it pad: depth, height, width; before,
        after.
    outputs : set of int
        Keys of the output layers, once the run has ended.
    read_alone : set of frozenset of int
        Members of layers that became part of another one, and that are also read alone.
    modules : list of tuple of str
        Names and types of the modules that run, the innermost last.
    owners : dict of int to str
        Of a program, which may have no modules: the layer of each parameter (by its id).
    weight : torch.Tensor
        One of the network's; where it is, the network believes all tensors to be.
    """

    def __init__(
        self,
        model: nn.Module,
        identity_shortcuts: bool,
        attends: bool,
        apart: frozenset[frozenset[int]],
        tokens_first: frozenset[int] = frozenset(),
    ) -> None:
        self.identity_shortcuts, self.attends = identity_shortcuts, attends
        self.tokens_first = tokens_first
        self.apart = apart
        self.layers: list[TracedLayer] = []
        self.connections: list[Connection] = []
        self.spaces = Spaces()
        self.padding: dict[int, np.ndarray] = {}
        self.outputs: set[int] = set()
        self.read_alone: set[frozenset[int]] = set()
        self.modules = [(type(model).__name__, type(model).__name__)]
        self.owners: dict[int, str] = {}
        if isinstance(model, torch.export.UnflattenedModule):
            named = model.named_parameters()
            self.owners = {id(p): text.name(name.rpartition(".")[0]) for name, p in named}
        self.weight = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))

    @property
    def module(self) -> str:
        """Name of the module that runs."""
        return self.modules[-1][0]

    @contextmanager
    def part(self, name: str, kind: str) -> Iterator[None]:
        """While it lasts, a part runs of the module that does."""
        self.modules.append((name, kind))
        yield
        self.modules.pop()

    def new_layer(
        self, name: str, channels: int, sizes: Sequence[int] = (1, 1, 1)
    ) -> tuple[int, Value]:
        """A new node layer, after all others: its key and its value."""
        place = 1 + max([layer.place for layer in self.layers], default=-1)
        return self._add(TracedLayer(name, channels, tuple(sizes), place, frozenset({place})))

    def new_input(self, name: str, channels: int, sizes: Sequence[int]) -> Value:
        """A layer of input nodes: its value. Nothing ends in it."""
        key, value = self.new_layer(name, channels, sizes)
        self.layers[key].read = True
        self.padding[key] = np.zeros((3, 2), np.int64)
        return value

    def joint_layer(self, keys: Sequence[int]) -> tuple[int, Value]:
        """A node layer in place of the layers that end in it; they are no more read alone."""
        joined = [self.layers[key] for key in keys]
        last = max(joined, key=lambda layer: layer.place)
        members = frozenset().union(*(layer.members for layer in joined))
        if len(keys) == 1:  # with a shortcut, a member too: the sum is not taken for the branch
            members |= {-1 - len(self.layers)}
        key, value = self._add(
            TracedLayer(last.name, last.channels, last.sizes, last.place, members)
        )
        for layer in joined:
            layer.joined = key
            self.layers[key].ancestors |= layer.ancestors
        return key, value

    def _add(self, layer: TracedLayer) -> tuple[int, Value]:
        self.layers.append(layer)
        key = len(self.layers) - 1
        return key, of_space(self.spaces.of_layer(key, layer.shape))

    def connect(self, connection: Connection, channels: int) -> None:
        """Add edges that read some channels of a layer, given as bits."""
        source = self.layers[connection.source]
        self.note_reading(connection.source)
        source.read = True
        self.layers[connection.target].ancestors |= source.ancestors | channels
        self.connections.append(connection)

    def note_reading(self, key: int) -> None:
        """Note a layer that is read although it is part of another one: it has to stay apart."""
        if self.layers[key].joined is not None:
            self.read_alone.add(self.layers[key].members)

    def root(self, key: int) -> int:
        """Key of the node layer that a layer is now part of."""
        while self.layers[key].joined is not None:
            key = self.layers[key].joined
        return key

    def refusal(self, reason: str, error: BaseException | None = None) -> UnsupportedNetwork:
        """What cannot be a graph: the module, why, and the line of the network's code."""
        frames = traceback.extract_stack()
        if error is not None:
            frames += traceback.extract_tb(error.__traceback__)
        lines = [
            frame
            for frame in frames
            if not any(Path(frame.filename).is_relative_to(folder) for folder in OURS)
        ]
        where = ""
        if "forward" in [frame.name for frame in lines] and lines[-1].line:
            frame = lines[-1]
            where = f" (line {frame.lineno} of {Path(frame.filename).name}: {frame.line.strip()})"
        name, kind = self.modules[-1]
        label = f"{name} ({kind})" if name != kind else kind
        return UnsupportedNetwork(f"{label}: {' '.join(str(reason).split())}{where}")
