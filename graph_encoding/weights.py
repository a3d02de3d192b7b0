"""Connections from weights: what a convolution or a linear layer reads of a value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from .axis import Axis
from .merging import summed
from .pooling import is_identity
from .trace import Connection, Entries, Trace, UnsupportedNetwork
from .values import IMAGES, Part, Value, of_one_image, parts

MAX_TAPS = 2**15 - 1

if TYPE_CHECKING:
    from .tracing import _Run


def convolution(
    run: _Run,
    value: Value,
    weight: torch.Tensor,
    stride: tuple[int, int],
    padding: list[tuple[int, int]],
    dilation: tuple[int, int],
    groups: int,
    size: tuple[int, int],
) -> Value:
    """A new layer of nodes that read a map.

    Parameters
    ----------
    run : _Run
    value : Value
        (images, channels, height, width).
    weight : torch.Tensor, shape (out channels, in channels / groups, taps_y, taps_x)
    stride, dilation : tuple of int
    padding : list of tuple of int
        Positions before and after each axis.
    groups : int
    size : tuple of int
        Height and width of the output.
    """
    kernels = array(weight, run.module)
    alternatives = value.alternatives  # settles a sum, which may make a layer
    layer = run.new_layer(run.module, len(kernels), *size)
    target = len(run.trace.layers) - 1
    counted = np.zeros(kernels.shape[1] * groups, bool)
    for tensor in alternatives:
        for part in parts(of_one_image(tensor), run.spaces):
            axes = []
            for axis, windows in enumerate((part.rows, part.columns)):
                extent = run.trace.layers[part.layer].shape[1 + axis]
                before, after = padding[axis]
                if part.layer == 0:
                    windows, before, after = _without_border(windows, extent, before, after)
                if is_identity(windows, extent):
                    windows = None
                    if part.layer == 0:
                        grown = np.maximum(run.padding[axis], [before, after])
                        run.padding[axis] = grown
                taps = kernels.shape[2 + axis]
                axes.append(
                    Axis(extent, size[axis], taps, stride[axis], before, dilation[axis], windows)
                )
            fresh = ~counted[part.channels]
            counted[part.channels] = True
            entries, kept = _entries(kernels, part, groups, fresh)
            total = kernels[:, 0].size * int(fresh.sum()) // groups
            run.connect(
                Connection(run.module, part.layer, target, entries, *axes, kept, total),
                run.spaces.bits(part.space, part.space_channels),
            )
    return layer


def linear(run: _Run, value: Value, weight: torch.Tensor) -> Value:
    """A new layer of nodes that read the last axis of a value.

    A value of one position an image is read whole; otherwise every position reads its features.

    Parameters
    ----------
    run : _Run
    value : Value
        (images, ..., features).
    weight : torch.Tensor, shape (out features, features)
    """
    shape = value.alternatives[0].shape
    rows = value.alternatives[0].reshape(-1, shape[-1]).numpy()
    for tensor in value.alternatives[1:]:
        rows = np.maximum(rows, tensor.reshape(rows.shape).numpy())
    image = rows.max(axis=1) & 1
    first, second = np.flatnonzero(image == 0), np.flatnonzero(image == 1)
    if rows.max(axis=1).min() < 0:
        raise NotImplementedError("linear layer over positions that stand for no node")
    if len(first) != len(second):
        raise NotImplementedError("linear layer over one image of a batch without the others")
    if len(first) == 1:
        return _vector(run, value, weight, first[0], shape)

    images = [
        torch.stack([tensor.reshape(rows.shape)[i] for i in (first, second)])
        for tensor in value.alternatives
    ]
    if len(shape) == 4 and shape[0] == IMAGES:
        height, width = shape[1:3]
    else:
        height, width = _grid(run, [tensor[0].numpy() >> 1 for tensor in images])
    maps = tuple(
        tensor.transpose(1, 2).reshape(IMAGES, shape[-1], height, width) for tensor in images
    )
    one = (1, 1)
    layer = convolution(
        run, Value(maps), weight[:, :, None, None], one, [(0, 0)] * 2, one, 1, (height, width)
    )
    out = torch.empty((len(rows), len(weight)), dtype=torch.int64)
    numbers = layer.alternatives[0].flatten(2).transpose(1, 2)
    out[first], out[second] = numbers[0], numbers[1]
    return Value((out.reshape(*shape[:-1], len(weight)),))


def _vector(
    run: _Run, value: Value, weight: torch.Tensor, row: int, shape: tuple[int, ...]
) -> Value:
    matrix = array(weight, run.module)
    layer = run.new_layer(run.module, len(matrix), 1, 1)
    target = len(run.trace.layers) - 1
    out, feature = np.nonzero(matrix)
    kept = np.abs(matrix[out, feature])
    counted = np.zeros(matrix.shape[1], bool)
    for tensor in value.alternatives:
        images = tensor.reshape(-1, shape[-1])
        numbers = of_one_image(images if row == 0 else images.flip(0))
        home = np.where(numbers >= 0, run.spaces.of(numbers), -1)
        turn = _occurrence(numbers)
        for index, time in sorted(set(zip(home[home >= 0].tolist(), turn[home >= 0], strict=True))):
            space = run.spaces.all[index]
            reads = (home == index) & (turn == time)
            chosen = reads[feature]
            channel, place = np.divmod(numbers[feature[chosen]] - space.start, space.positions)
            tap_y, tap_x = np.divmod(place, len(space.columns))
            if max(len(space.rows), len(space.columns)) > MAX_TAPS:
                raise NotImplementedError(
                    f"a linear layer over more than {MAX_TAPS:,} positions in a row"
                )
            entries = Entries(
                out[chosen].astype(np.int32),
                space.channels[channel].astype(np.int32),
                tap_y.astype(np.int16),
                tap_x.astype(np.int16),
                kept[chosen],
            )
            if len(np.unique(space.channels)) < len(space.channels):
                entries = summed([entries])  # a channel that was pooled more than once
            axes = []
            for axis, windows in enumerate((space.rows, space.columns)):
                extent = run.trace.layers[space.layer].shape[1 + axis]
                taps = len(windows)
                unpooled = None if is_identity(windows, extent) else windows
                axes.append(Axis(extent, 1, taps, windows=unpooled))
            fresh = reads & ~counted
            counted |= reads
            counts = int(fresh[feature].sum()), len(matrix) * int(fresh.sum())
            run.connect(
                Connection(run.module, space.layer, target, entries, *axes, *counts),
                run.spaces.bits(space, (numbers[reads] - space.start) // space.positions),
            )
    return Value((layer.alternatives[0].reshape(*shape[:-1], len(matrix)),))


def shortcut(run: _Run, value: Value, target: int, name: str) -> None:
    """Edges of weight 1 from every element of a map to the node at its place in a layer.

    Parameters
    ----------
    run : _Run
    value : Value
        (images, channels, height, width) of the target layer.
    target : int
        Key of the layer.
    name : str
    """
    layer = run.trace.layers[target]
    for tensor in value.alternatives:
        for part in parts(of_one_image(tensor), run.spaces):
            zero = np.zeros(len(part.channels), np.int16)
            entries = Entries(
                part.channels.astype(np.int32),
                part.layer_channels.astype(np.int32),
                zero,
                zero,
                np.ones(len(zero), np.float32),
            )
            axes = []
            for axis, windows in enumerate((part.rows, part.columns)):
                extent = run.trace.layers[part.layer].shape[1 + axis]
                unpooled = None if is_identity(windows, extent) else windows
                axes.append(Axis(extent, layer.shape[1 + axis], windows=unpooled))
            order = np.argsort(entries.target_channel, kind="stable")
            run.connect(
                Connection(name, part.layer, target, entries.take(order), *axes, 0, 0),
                run.spaces.bits(part.space, part.space_channels),
            )


def padded_input(trace: Trace, padding: np.ndarray) -> None:
    """Let the input layer hold the padding that convolutions add around it: nodes of their own."""
    layer = trace.layers[0]
    layer.height += int(padding[0].sum())
    layer.width += int(padding[1].sum())
    sizes = layer.height, layer.width
    for index, connection in enumerate(trace.connections):
        if connection.source == 0:
            axes = [
                _moved(axis, size, int(before))
                for axis, size, before in zip(
                    (connection.rows, connection.columns), sizes, padding[:, 0], strict=True
                )
            ]
            trace.connections[index] = replace(connection, rows=axes[0], columns=axes[1])


def array(weight: torch.Tensor, name: str) -> np.ndarray:
    """Weights as float32, without a copy where they are."""
    found = weight.detach().float().cpu().numpy()
    if not np.isfinite(found).all():
        raise UnsupportedNetwork(
            f"layer {name}: weights must be finite in single precision, found NaN or infinity"
        )
    if weight.dtype == torch.float64 and np.count_nonzero(found) < weight.count_nonzero():
        raise UnsupportedNetwork(f"layer {name}: weights must not be less than a float32 holds")
    return found


def _entries(
    kernels: np.ndarray, part: Part, groups: int, fresh: np.ndarray
) -> tuple[Entries, int]:
    """The kept weights that read a part of a value, and how many of them not counted before."""
    out, inp, tap_y, tap_x = np.nonzero(kernels)
    inputs = inp + out // (len(kernels) // groups) * kernels.shape[1]
    of_layer = np.full(kernels.shape[1] * groups, -1)
    of_layer[part.channels] = part.layer_channels
    is_fresh = np.zeros(len(of_layer), bool)
    is_fresh[part.channels] = fresh
    source = of_layer[inputs]
    found = Entries(
        out.astype(np.int32),
        source.astype(np.int32),
        tap_y.astype(np.int16),
        tap_x.astype(np.int16),
        np.abs(kernels[out, inp, tap_y, tap_x]),
    )
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


def _moved(axis: Axis, size: int, before: int) -> Axis:
    """The axis after positions have been added around its sources."""
    if axis.windows is None:
        return replace(axis, source_size=size, padding=axis.padding - before)
    there = axis.windows[:, :1] < axis.windows[:, 1:]
    return replace(axis, source_size=size, windows=np.where(there, axis.windows + before, 0))


def as_maps(run: _Run, value: Value) -> Value:
    """A value (images, channels, positions) with height and width again."""
    rows = [tensor[0].numpy().T >> 1 for tensor in value.alternatives]
    height, width = _grid(run, rows)
    shape = (*value.shape[:2], height, width)
    return Value(tuple(tensor.reshape(shape) for tensor in value.alternatives))


def _grid(run: _Run, alternatives: list[np.ndarray]) -> tuple[int, int]:
    """Height and width of a row of positions (positions, features), by the layer behind them."""
    length = len(alternatives[0])
    for numbers in alternatives:
        there = (numbers >= 0).any(axis=0)
        if not there.any():
            continue
        column = numbers[:, there.argmax()]
        space = run.spaces.all[int(run.spaces.of(column.max()))]
        rows = (column - space.start) // len(space.columns)
        width = int((rows == rows[0]).argmin()) or length
        if width < length and length % width == 0:
            return length // width, width
    return 1, length


def _occurrence(numbers: np.ndarray) -> np.ndarray:
    """How often each number has stood before in the array."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    new = np.diff(ordered, prepend=ordered[:1] - 1) != 0
    start = np.maximum.accumulate(np.where(new, np.arange(len(ordered)), 0))
    found = np.empty(len(ordered), np.int64)
    found[order] = np.arange(len(ordered)) - start
    return found
