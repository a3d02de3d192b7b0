"""Connections from weights: what a convolution reads of a value, and an identity shortcut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..axis import Axis
from ..weights import array
from .merging import summed
from .network import Connection, Entries, Network
from .values import MOST_PARTS, Part, Space, Spaces, Unordered, Value, of_one_image, parts
from .windows import is_identity, unless_identity

MAX_TAPS = 2**15 - 1


def parts_of(network: Network, value: Value, may_cut: bool = True) -> list[list[Part]]:
    """The parts of each alternative of a map (images, channels, depth, height, width).

    Parameters
    ----------
    may_cut : bool
        Whether a map may be cut into more parts than it has channels: as of `values.parts`, and
        row by row, as where rows lie one behind the other in one row of a layer.
    """
    found = []
    for tensor in value.alternatives:  # settles a sum, which may make a layer
        numbers = of_one_image(tensor)
        try:
            found.append(parts(numbers, network.spaces, may_cut))
        except Unordered:
            depth, height = numbers.shape[1:3]
            if not may_cut or not 1 < depth * height <= MOST_PARTS:
                raise
            found.append([])
            for z, y in np.ndindex(depth, height):
                row = np.full_like(numbers, -1)
                row[:, z, y] = numbers[:, z, y]
                found[-1] += parts(row, network.spaces)
    return found


def convolution(
    network: Network,
    found: list[list[Part]],
    weight: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
    size: Sequence[int],
    pads_input: bool = True,
) -> Value:
    """A new layer of nodes that read a map.

    Parameters
    ----------
    network : Network
    found : list of list of Part
        Of what it reads, by `parts_of`.
    weight : torch.Tensor, shape (out channels, in channels / groups, taps_z, taps_y, taps_x)
    stride, dilation : sequence of int
    padding : sequence of tuple of int
        Positions before and after each axis.
    groups : int
    size : sequence of int
        Depth, height and width of the output.
    pads_input : bool
        Whether padding around the network's input is nodes of the input layer.
    """
    kernels = array(weight, network.module)
    target, layer = network.new_layer(network.module, len(kernels), size)
    counted = np.zeros(kernels.shape[1] * groups, bool)
    for several in found:
        for part in several:
            axes = []
            for axis, (extent, windows) in enumerate(_extents(network, part)):
                before, after = padding[axis]
                pads = pads_input and part.layer in network.padding
                if pads:
                    windows, before, after = _without_border(windows, extent, before, after)
                if is_identity(windows, extent):
                    windows = None
                    if pads:
                        padded = network.padding[part.layer]
                        padded[axis] = np.maximum(padded[axis], [before, after])
                taps = kernels.shape[2 + axis]
                axes.append(
                    Axis(extent, size[axis], taps, stride[axis], before, dilation[axis], windows)
                )
            fresh = ~counted[part.channels]
            counted[part.channels] = True
            entries, kept = _entries(kernels, part, groups, fresh)
            total = kernels[:, 0].size * int(fresh.sum()) // groups
            network.connect(
                Connection(network.module, part.layer, target, entries, tuple(axes), kept, total),
                part.space.bits(part.space_channels),
            )
    return layer


def transposed_convolution(
    network: Network,
    value: Value,
    weight: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    size: Sequence[int],
) -> Value:
    """A new layer of nodes to which those of a map give: a convolution's mirror image.

    Source position y gives to ``stride * y + dilation * tap - padding``. So it is that of a
    convolution with the mirrored kernel over the map with ``stride - 1`` holes after each position.
    What `padding` takes from the output is no nodes.

    Parameters
    ----------
    network : Network
    value : Value
        (images, channels, depth, height, width).
    weight : torch.Tensor, shape (in channels, out channels / groups, taps_z, taps_y, taps_x)
    stride, padding, output_padding, dilation : sequence of int
    groups : int
    size : sequence of int
        Depth, height and width of the output.
    """
    sizes = value.shape[2:]
    axes = zip(sizes, stride, output_padding, strict=True)
    spread = [(length - 1) * step + 1 + more for length, step, more in axes]
    places = tuple(
        slice(0, (length - 1) * step + 1, step) for length, step in zip(sizes, stride, strict=True)
    )

    def with_holes(numbers: torch.Tensor) -> torch.Tensor:
        found = torch.full((*numbers.shape[:2], *spread), -1)
        found[(..., *places)] = numbers
        return found

    inputs, outputs, *taps = weight.shape
    kernels = weight.reshape(groups, inputs // groups, outputs, *taps).transpose(1, 2)
    kernels = kernels.reshape(groups * outputs, inputs // groups, *taps).flip(2, 3, 4)
    sides = [(d * (k - 1) - p,) * 2 for d, k, p in zip(dilation, taps, padding, strict=True)]
    one = (1, 1, 1)
    found = parts_of(network, value.changed(with_holes))
    return convolution(network, found, kernels, one, sides, dilation, groups, size, False)


def connect_rows(
    network: Network,
    name: str,
    target: int,
    numbers: np.ndarray,
    matrix: np.ndarray,
    counted: np.ndarray,
) -> None:
    """Let channel ``row * outputs + out`` of a layer read a row of numbers by a row of weights.

    Parameters
    ----------
    numbers : numpy.ndarray of int64, shape (rows, features)
    matrix : numpy.ndarray of float32, shape (outputs, features)
    counted : numpy.ndarray of bool, shape (features,)
        Features of which the weights have been counted; those that are now are noted.
    """
    spaces, rows = network.spaces, np.arange(len(numbers))[:, None]
    out, feature = np.nonzero(matrix)
    kept = np.abs(matrix[out, feature])
    home = np.where(numbers >= 0, spaces.of(numbers), -1)
    turn = _occurrence((numbers + rows * spaces.stop).ravel()).reshape(numbers.shape)
    for index, time in sorted(set(zip(home[home >= 0].tolist(), turn[home >= 0], strict=True))):
        space = spaces.all[index]
        reads = (home == index) & (turn == time)
        row, chosen = np.nonzero(reads[:, feature])
        channel, place = np.divmod(numbers[row, feature[chosen]] - space.start, space.positions)
        if max(space.sizes) > MAX_TAPS:
            raise NotImplementedError(
                f"a linear layer over more than {MAX_TAPS:,} positions in a row"
            )
        ends = row * len(matrix) + out[chosen], space.channels[channel]
        entries = Entries.of(*ends, *np.unravel_index(place, space.sizes), kept[chosen])
        if len(np.unique(space.channels)) < len(space.channels):
            entries = summed([entries])  # a channel that was pooled more than once
        axes = tuple(
            Axis(extent, 1, len(windows), windows=unless_identity(windows, extent))
            for extent, windows in _extents(network, space)
        )
        fresh = reads.any(axis=0) & ~counted
        counted |= fresh
        counts = int(fresh[feature].sum()), len(matrix) * int(fresh.sum())
        network.connect(
            Connection(name, space.layer, target, entries, axes, *counts),
            space.bits((numbers[reads] - space.start) // space.positions),
        )


def shortcut(network: Network, value: Value, target: int, name: str) -> None:
    """Edges of weight 1 from every element of a map to the node at its place in a layer.

    Parameters
    ----------
    network : Network
    value : Value
        (images, channels, depth, height, width) of the target layer.
    target : int
        Key of the layer.
    name : str
    """
    shape = network.layers[target].shape
    for tensor in value.alternatives:
        numbers = of_one_image(tensor)
        if shape[1:] == (1, 1, 1):  # its elements may lie anywhere
            one = np.ones((1, 1), np.float32)
            connect_rows(network, name, target, numbers.reshape(-1, 1), one, np.ones(1, bool))
            continue
        for part in _parts_by_rows(numbers, network.spaces):
            zero = np.zeros(len(part.channels), np.int16)
            entries = Entries.of(part.channels, part.layer_channels, *[zero] * 3, zero + 1)
            axes = tuple(
                Axis(extent, size, windows=unless_identity(windows, extent))
                for size, (extent, windows) in zip(shape[1:], _extents(network, part), strict=True)
            )
            order = np.argsort(entries.target_channel, kind="stable")
            network.connect(
                Connection(name, part.layer, target, entries.take(order), axes, 0, 0),
                part.space.bits(part.space_channels),
            )


def _parts_by_rows(numbers: np.ndarray, spaces: Spaces) -> list[Part]:
    """Parts of a map; those of each row of the maps behind, where each lies in one."""
    try:
        return parts(numbers, spaces)
    except Unordered:
        of_position = numbers.max(axis=0)
        home = np.where(of_position >= 0, spaces.of(of_position), -1)
        found = []
        for index in np.unique(home[home >= 0]):
            space = spaces.all[index]
            row = np.where(home == index, (of_position - space.start) // space.sizes[2], -1)
            rows = np.unique(row[row >= 0])
            if len(rows) > MOST_PARTS:
                raise
            for one in rows:
                found += parts(np.where(row == one, numbers, -1), spaces)
        return found


def _extents(network: Network, of: Space | Part) -> list[tuple[int, np.ndarray]]:
    """Along each axis, positions of the layer behind a map, and those that the map stands for."""
    return [*zip(network.layers[of.layer].sizes, of.windows, strict=True)]


def _entries(
    kernels: np.ndarray, part: Part, groups: int, fresh: np.ndarray
) -> tuple[Entries, int]:
    """The kept weights that read a part of a value, and how many of them not counted before."""
    flat = kernels.reshape(-1)
    found = np.flatnonzero(flat)
    out, inp, *taps = np.unravel_index(found, kernels.shape)
    inputs = inp + out // (len(kernels) // groups) * kernels.shape[1]
    of_layer = np.full(kernels.shape[1] * groups, -1)
    of_layer[part.channels] = part.layer_channels
    is_fresh = np.zeros(len(of_layer), bool)
    is_fresh[part.channels] = fresh
    source = of_layer[inputs]
    found = Entries.of(out, source, *taps, np.abs(flat[found]))
    if len(part.channels) < len(of_layer):
        found = found.take(np.flatnonzero(source >= 0))
    if len(np.unique(part.layer_channels)) < len(part.layer_channels):
        found = summed([found])  # a channel that the value holds more than once
    return found, int(is_fresh[inputs].sum())


def _without_border(
    windows: np.ndarray, extent: int, before: int, after: int
) -> tuple[np.ndarray, int, int]:
    """Positions padded around the network's input are as the padding of a convolution."""
    there = np.flatnonzero(windows[:, 0] < windows[:, 1])
    if len(there) and len(there) < len(windows):
        inner = windows[there[0] : there[-1] + 1]
        if is_identity(inner, extent):
            return inner, before + int(there[0]), after + len(windows) - 1 - int(there[-1])
    return windows, before, after


def as_maps(network: Network, value: Value) -> Value:
    """A value (images, channels, positions) with depth, height and width again."""
    rows = [tensor[0].numpy().T >> 1 for tensor in value.alternatives]
    shape = (*value.shape[:2], *grid(network, rows))
    return value.changed(lambda numbers: numbers.reshape(shape))


def grid(network: Network, alternatives: list[np.ndarray]) -> tuple[int, int, int]:
    """Depth, height and width of a row of positions (positions, features), by the layer behind."""
    length = len(alternatives[0])
    for numbers in alternatives:
        there = (numbers >= 0).any(axis=0)
        if not there.any():
            continue
        column = numbers[:, there.argmax()]
        space = network.spaces.holding(int(column.max()))
        rows = (column - space.start) // space.sizes[2]
        width = _run(rows)
        area = width * _run((rows // space.sizes[1])[::width])
        if space.sizes[0] > 1 and area < length and length % area == 0:
            return length // area, area // width, width
        if width < length and length % width == 0:
            return 1, length // width, width
    return 1, 1, length


def _run(numbers: np.ndarray) -> int:
    """How many are as the first one, at the beginning."""
    return int((numbers == numbers[0]).argmin()) or len(numbers)


def _occurrence(numbers: np.ndarray) -> np.ndarray:
    """How often each number has stood before in the array."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    new = np.diff(ordered, prepend=ordered[:1] - 1) != 0
    start = np.maximum.accumulate(np.where(new, np.arange(len(ordered)), 0))
    found = np.empty(len(ordered), np.int64)
    found[order] = np.arange(len(ordered)) - start
    return found
