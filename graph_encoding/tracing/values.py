"""What flows along a traced network: tensors of numbers that say which nodes an element stands for.

Every element of a value has a *number*; a run of numbers, a `Space`, belongs to a node layer or to
a pooled view of one. Whatever rearranges a tensor (view, permute, cat, chunk, pad, roll, ...) is
done by torch itself on the numbers. Only where weights read a value is its structure looked for:
`parts` finds the channels, rows and columns again.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from .windows import widen

UNORDERED = (
    "the positions it reads are not rows and columns of a map; let it read one as a layer made it"
)

MOST_PARTS = 256
"""Into how many parts a map may be cut, as each channel holds positions of several of a layer."""

IMAGES = 2
"""Images in the batch that is traced; element ``2 * number + image`` says which one it is of."""

Windows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Along depth, height and width, intervals as of `windows`."""

MIXED = (
    f"the images of a batch, {IMAGES} here, are mixed; keep their axis, the first, as "
    "torch.flatten(x, 1) does"
)


class Unordered(NotImplementedError):
    """What is read is no map of rows and columns."""


@dataclass(frozen=True, eq=False)
class Space:
    """A run of numbers, one for every element of a map (channels, depth, height, width).

    Attributes
    ----------
    start : int
        The first number.
    layer : int
        Key of the node layer behind it.
    channels : numpy.ndarray of int
        The layer's channel behind each channel of the map.
    windows : tuple of three numpy.ndarray of int64, shape (size, 2)
        Along depth, height and width: interval of the layer's positions that each position stands
        for.
    whole : bool
        Whether it is the node layer itself.
    first_channel : int
        Of its channels among those of all spaces.
    """

    start: int
    layer: int
    channels: np.ndarray
    windows: Windows
    whole: bool
    first_channel: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Depth, height and width."""
        return tuple(map(len, self.windows))

    @property
    def positions(self) -> int:
        """Elements a channel."""
        return math.prod(self.sizes)

    @property
    def stop(self) -> int:
        """One past the last number."""
        return self.start + len(self.channels) * self.positions

    def bits(self, channels: np.ndarray) -> int:
        """Some of its channels, each a bit of one number."""
        there = np.zeros(int(channels.max(initial=0)) + 1, np.uint8)
        there[channels] = 1
        bits = np.packbits(there, bitorder="little").tobytes()
        return int.from_bytes(bits, "little") << self.first_channel


class Value:
    """A value of the network.

    Parameters
    ----------
    alternatives : tuple of torch.Tensor of int64
        Each of the value's shape, -1 where an element stands for no node (padding, constants). An
        element stands for the nodes of all alternatives together.
    """

    def __init__(self, alternatives: tuple[torch.Tensor, ...]) -> None:
        self.alternatives = alternatives

    @property
    def shape(self) -> torch.Size:
        """Of the tensor, images first."""
        return self.alternatives[0].shape

    def changed(self, by: Callable[[torch.Tensor], torch.Tensor]) -> Value:
        """The value after a function of its numbers."""
        return Value(tuple(by(numbers) for numbers in self.alternatives))


class Known(Value):
    """A constant whose elements are known.

    Parameters
    ----------
    data : torch.Tensor
    is_given : bool
        Whether it is made of an example input, as masks are; or else of a value's shape or type.
    """

    def __init__(self, data: torch.Tensor, is_given: bool = False) -> None:
        super().__init__((torch.full(data.shape, -1),))
        self.data, self.is_given = data, is_given


class Tokens(Known):
    """Whole numbers of an example input, such as token ids: what they look up is an input."""

    def __init__(self, data: torch.Tensor) -> None:
        super().__init__(data, True)


@dataclass(frozen=True, eq=False)
class Part:
    """Channels of a value that are channels of one space, at the same positions.

    Attributes
    ----------
    space : Space
    space_channels, channels : numpy.ndarray of int
        Which channels they are of the space, and of the value.
    windows : tuple of three numpy.ndarray of int64, shape (size, 2)
        As in `Space`; empty intervals where it stands for no node.
    """

    space: Space
    space_channels: np.ndarray
    channels: np.ndarray
    windows: Windows

    @property
    def layer(self) -> int:
        """Key of the node layer."""
        return self.space.layer

    @property
    def layer_channels(self) -> np.ndarray:
        """Which channels of the node layer they are."""
        return self.space.channels[self.space_channels]


class Spaces:
    """All spaces of a network."""

    def __init__(self) -> None:
        self.all: list[Space] = []
        self.starts: list[int] = []
        self.stop = 0
        self.channels = 0

    def add(self, layer: int, channels: np.ndarray, windows: Windows, whole: bool = False) -> Space:
        """A new space."""
        space = Space(self.stop, layer, channels, windows, whole, self.channels)
        self.all.append(space)
        self.starts.append(space.start)
        self.stop = space.stop
        self.channels += len(channels)
        return space

    def of_layer(self, layer: int, shape: tuple[int, ...]) -> Space:
        """The space of a node layer itself."""
        channels, *sizes = shape
        return self.add(layer, np.arange(channels), tuple(map(_each, sizes)), whole=True)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Index of the space of each number (none may be negative)."""
        return np.searchsorted(self.starts, numbers, side="right") - 1

    def holding(self, number: int) -> Space:
        """The space of a number."""
        return self.all[bisect_right(self.starts, number) - 1]

    def layers(self, value: Value) -> set[int]:
        """Keys of all node layers that a value stands for."""
        return {space.layer for space, _ in self._found(value)}

    def layers_of(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Where in an array the numbers are of one node layer, for each."""
        homes, home = np.unique(self.of(numbers), return_inverse=True)
        keys = np.array([self.all[index].layer for index in homes])[home.ravel()]
        return [np.flatnonzero(keys == key) for key in np.unique(keys)]

    def bits(self, value: Value) -> int:
        """The channels of all spaces that a value stands for, each a bit of one number."""
        found = 0
        for space, numbers in self._found(value):
            found |= space.bits((numbers - space.start) // space.positions)
        return found

    def _found(self, value: Value) -> Iterator[tuple[Space, np.ndarray]]:
        """The spaces that a value stands for, and its numbers in each."""
        for tensor in value.alternatives:
            numbers = tensor.numpy().ravel() >> 1
            numbers = np.sort(numbers[numbers >= 0])
            while len(numbers):  # a value holds few spaces
                space = self.holding(int(numbers[0]))
                stop = np.searchsorted(numbers, space.stop)
                yield space, numbers[:stop]
                numbers = numbers[stop:]


def of_space(space: Space) -> Value:
    """The value that a space describes, shape (images, channels, depth, height, width)."""
    shape = (len(space.channels), *space.sizes)
    numbers = torch.arange(space.start, space.stop).view(shape)
    return Value((torch.stack([2 * numbers + image for image in range(IMAGES)]),))


def of_one_image(tensor: torch.Tensor) -> np.ndarray:
    """The numbers of the first image; the value's first axis is that of the images."""
    first, second = tensor[0].numpy(), tensor[-1].numpy()
    absent = first < 0
    same = np.array_equal(np.where(absent, -1, first + 1), second)
    if len(tensor) != IMAGES or not same or (first[~absent] & 1).any():
        raise NotImplementedError(MIXED)
    return first >> 1


def is_mixed(value: Value) -> bool:
    """Whether what lies along the last axis is somewhere of several images."""
    numbers = torch.cat(value.alternatives, -1)
    image = (numbers & 1).masked_fill(numbers < 0, -1)
    return bool(((image == 0).any(-1) & (image == 1).any(-1)).any())


def parts(numbers: np.ndarray, spaces: Spaces, may_cut: bool = True) -> list[Part]:
    """Find the channels and the positions along each axis of a map again.

    Parameters
    ----------
    numbers : numpy.ndarray of int64, shape (channels, depth, height, width)
    may_cut : bool
        Whether a channel may hold elements of several channels of a layer.

    Returns
    -------
    list of Part
        Channels that stand for no node are in none of them.

    Raises
    ------
    Unordered
        If a channel is no grid of positions of one layer's channel.
    """
    try:
        return _parts(numbers, spaces)
    except Unordered:
        if not may_cut:
            raise
        apart, channels = _apart(numbers, spaces)
        if len(apart) == len(numbers):
            raise
    found = _parts(apart, spaces)
    if len(found) > MOST_PARTS:
        raise Unordered(UNORDERED)
    return [replace(part, channels=channels[part.channels]) for part in found]


def _apart(numbers: np.ndarray, spaces: Spaces) -> tuple[np.ndarray, np.ndarray]:
    """Channels that hold elements of several channels of spaces, one for each of these.

    So it is after a pixel shuffle: every phase is a channel of its own, with holes.

    Returns
    -------
    apart : numpy.ndarray of int64, shape (n, depth, height, width)
        -1 where the map holds elements of another channel.
    channels : numpy.ndarray of int64, shape (n,)
        Which channel of the map each belongs to.
    """
    there = numbers >= 0
    home = spaces.of(numbers[there])
    first, start, positions = np.array(
        [(space.first_channel, space.start, space.positions) for space in spaces.all]
    ).T
    of = np.full(numbers.shape, -1)
    of[there] = first[home] + (numbers[there] - start[home]) // positions[home]
    apart, channels = [], []
    members = np.arange(len(numbers))
    while len(members):
        last = of[members].max(axis=(1, 2, 3))
        members, last = members[last >= 0], last[last >= 0]
        mine = of[members] == last[:, None, None, None]
        apart.append(np.where(mine, numbers[members], -1))
        channels.append(members)
        of[members] = np.where(mine, -1, of[members])
        if len(apart) > MOST_PARTS:
            raise Unordered(UNORDERED)
    return np.concatenate(apart), np.concatenate(channels)


def _parts(numbers: np.ndarray, spaces: Spaces) -> list[Part]:
    any_number = numbers.reshape(len(numbers), -1).max(axis=1, initial=-1)
    home = np.where(any_number >= 0, spaces.of(any_number), -1)
    found = []
    for index in np.unique(home[home >= 0]):
        space = spaces.all[index]
        members = np.flatnonzero(home == index)
        found += _parts_of(space, members, numbers, any_number[members])
    return found


def _parts_of(
    space: Space, members: np.ndarray, numbers: np.ndarray, any_number: np.ndarray
) -> list[Part]:
    if numbers.shape == (len(space.channels), *space.sizes):
        flat = numbers.reshape(-1)
        if flat[0] == space.start and (np.diff(flat) == 1).all():  # the space as it is
            return [Part(space, np.arange(len(members)), members, space.windows)]
    channel = (any_number - space.start) // space.positions
    base = space.start + channel * space.positions
    place = numbers[members]
    absent = place < 0
    place -= base[:, None, None, None]
    if ((place < 0) & ~absent).any() or (place[~absent] >= space.positions).any():
        raise Unordered(UNORDERED)
    place[absent] = -1
    lines, there, grid, rest, stride = [], True, 0, place, 1
    for axis, size in zip((3, 2, 1), reversed(space.sizes), strict=True):
        others = tuple({1, 2, 3} - {axis})
        if size > 1:
            line = np.where(absent, -1, rest % size).max(axis=others, keepdims=True)
        else:  # most maps have no depth
            line = -absent.all(axis=others, keepdims=True).astype(np.int64)
        lines.insert(0, line.reshape(len(line), -1))
        there, grid = there & (line >= 0), grid + stride * line
        rest, stride = rest // size if size > 1 else rest, stride * size
    if not np.array_equal(place, np.where(there, grid, -1)):
        raise Unordered(UNORDERED)
    kinds, kind = np.unique(np.hstack(lines), axis=0, return_inverse=True)
    kind = kind.ravel()
    cuts = np.cumsum([line.shape[1] for line in lines])[:-1]
    found = []
    for number, of_axes in enumerate(kinds):
        of_kind = kind == number
        windows = tuple(map(_chosen, space.windows, np.split(of_axes, cuts)))
        found.append(Part(space, channel[of_kind], members[of_kind], windows))
    return found


def pooled(numbers: np.ndarray, spaces: Spaces, windows: Windows) -> list[torch.Tensor]:
    """A map after pooling.

    Parameters
    ----------
    numbers : numpy.ndarray of int64, shape (channels, depth, height, width)
    windows : tuple of three numpy.ndarray, shape (pooled size, 2)
        Along each axis, interval of the map's positions that each pooled position stands for.

    Returns
    -------
    list of torch.Tensor of int64, shape (images, channels, pooled depth, height and width)
        Alternatives: a window may hold elements of several channels of layers.
    """
    shape = IMAGES, len(numbers), *map(len, windows)
    results = [torch.full(shape, -1)]
    for part in parts(numbers, spaces):
        wide = tuple(map(widen, part.windows, windows))
        space = spaces.add(part.layer, part.layer_channels, wide)
        channels = torch.from_numpy(part.channels)
        if bool((results[-1][0, channels] >= 0).any()):
            results.append(torch.full(shape, -1))
        results[-1][:, channels] = of_space(space).alternatives[0]
    return results


def _each(size: int) -> np.ndarray:
    start = np.arange(size)
    return np.stack([start, start + 1], axis=1)


def _chosen(windows: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.where((index >= 0)[:, None], windows[index], 0)
