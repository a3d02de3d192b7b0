"""The multipartite graph of a network written out edge by edge, by plain loops.

Independent of `graph_encoding`: it walks over the modules, keeps for every position of the
current feature map the list of nodes that the position stands for, and joins those to each output
position of a layer for every kept weight. Slow, explicit, and the measure of everything else.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
import scipy.sparse
from networks import ChannelsLast, Concatenated, Doubled, Gated, Mixing, Residual, Shuffled, Split
from torch import nn

from models.conv6 import Conv6
from models.resnet import Resnet
from models.wide_resnet import WideResnet

CONVOLUTIONS = nn.Conv1d, nn.Conv2d, nn.Conv3d
TRANSPOSED = nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d
MAXIMA, MEANS = (
    (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
)
POOLING = MAXIMA + MEANS
GLOBAL = nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d
NORMS = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d


@dataclass(frozen=True)
class ExplicitGraph:
    """A directed weighted graph with all its edges.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array of float64, shape (nodes, nodes)
        Absolute weights, source by target.
    offsets : list of int
        First node of every node layer, and the number of nodes at the end.
    """

    matrix: scipy.sparse.csr_array
    offsets: list[int]

    @property
    def num_nodes(self) -> int:
        return self.offsets[-1]


class _Edges:
    """Edges and node layers collected so far."""

    def __init__(self) -> None:
        self.sources, self.targets, self.weights = array("q"), array("q"), array("d")
        self.offsets = [0]

    def new_layer(self, size: int) -> int:
        self.offsets.append(self.offsets[-1] + size)
        return self.offsets[-2]

    def add(self, sources: Iterable[int], target: int, weight: float) -> None:
        for source in sources:
            self.sources.append(source)
            self.targets.append(target)
            self.weights.append(weight)

    def graph(self) -> ExplicitGraph:
        size = self.offsets[-1]
        ends = np.array(self.sources, np.int64), np.array(self.targets, np.int64)
        # Weights that join the same nodes are one edge: its weight is their sum.
        matrix = scipy.sparse.coo_array((np.array(self.weights), ends), shape=(size, size)).tocsr()
        return ExplicitGraph(matrix, self.offsets)


def explicit_graph(
    model: nn.Module, input_shape: tuple[int, ...], wiring: str = "exact"
) -> ExplicitGraph:
    """Multipartite graph of a network that starts with a convolution or a flattening.

    Parameters
    ----------
    model : torch.nn.Module
        Made of the modules below and `Residual`, or one of the paper's networks.
    input_shape : tuple of int
        Channels and sizes.
    wiring : {"exact", "identity", "published"}
        ``identity`` joins the ends of identity shortcuts; ``published`` lays stride-2 3 x 3
        convolutions as the released code does.
    """
    model = _as_sequence(model)
    edges = _Edges()
    first = next(m for m in model.modules() if isinstance(m, (*CONVOLUTIONS, nn.Flatten)))
    channels, *sizes = input_shape
    if isinstance(first, CONVOLUTIONS):
        sizes = [size + 2 * before for size, before in zip(sizes, first.padding, strict=True)]
    start = edges.new_layer(channels * math.prod(sizes))
    _Walk(edges, wiring, first).walk(model, _map_of(start, channels, *sizes))
    return edges.graph()


def explicit_bipartite(matrix: np.ndarray) -> ExplicitGraph:
    """Bipartite graph of a matrix of weights (left, right); zero means no edge."""
    left, right = matrix.shape
    edges = _Edges()
    edges.new_layer(left)
    edges.new_layer(right)
    for i in range(left):
        for j in range(right):
            if matrix[i, j] != 0:
                edges.add([i], left + j, abs(float(matrix[i, j])))
    return edges.graph()


def _map_of(start: int, *shape: int) -> np.ndarray:
    """Feature map whose every position stands for one node: object array of lists of ids."""
    positions = np.empty(shape, object)
    for node, place in enumerate(np.ndindex(shape), start):
        positions[place] = [node]
    return positions


class _Walk:
    """Follows the feature map through the modules. `target` is the first node of the layer that
    a shortcut ends in; without it a layer makes a node layer of its own."""

    def __init__(self, edges: _Edges, wiring: str, first: nn.Module) -> None:
        self.edges, self.wiring, self.first = edges, wiring, first

    def walk(self, module: nn.Module, view: np.ndarray, target: int | None = None) -> np.ndarray:
        if isinstance(module, nn.Sequential):
            for child in module:
                view = self.walk(child, view, target)
            return view
        if isinstance(module, Residual):
            out = self.walk(module.body, view)
            if isinstance(module.shortcut, nn.Identity) and self.wiring == "identity":
                for place, (node,) in np.ndenumerate(out):
                    self.edges.add(view[place], node, 1.0)
            self.walk(module.shortcut, view, target=out.flat[0][0])
            return out
        if isinstance(module, Concatenated):
            return np.concatenate([view, self.walk(module.body, view)])
        if isinstance(module, Doubled):
            return np.concatenate([view, view])
        if isinstance(module, Split):
            half = len(view) // 2
            return np.concatenate([self.walk(module.body, view[:half]), view[half:]])
        if isinstance(module, Gated):
            factor = self.walk(module.excitation, _pooled(view, view.shape[1:]))
            both = np.empty_like(view)
            for c, y, x in np.ndindex(view.shape):
                both[c, y, x] = view[c, y, x] + factor[c, 0, 0]
            return both
        if isinstance(module, Shuffled):
            return np.concatenate([view[c :: len(view) // 2] for c in range(len(view) // 2)])
        if isinstance(module, Mixing):
            return self.mixing(module.linear, view)
        if isinstance(module, ChannelsLast):
            kernel = nn.Conv2d(view.shape[0], module.linear.out_features, 1)
            kernel.weight.data = module.linear.weight.data[:, :, None, None]
            return self.convolution(kernel, view, target)
        if isinstance(module, CONVOLUTIONS):
            return self.convolution(module, view, target)
        if isinstance(module, TRANSPOSED):
            return self.transposed(module, view)
        if isinstance(module, nn.Upsample):
            return _resized(view, module)
        if isinstance(module, nn.PixelShuffle):
            return _shuffled(view, module.upscale_factor)
        if isinstance(module, nn.Linear):
            return self.linear(module, view)
        if isinstance(module, POOLING):
            if module.padding in (1, (1,)):
                return _pooled_around(view)
            return _pooled(view, module.kernel_size)
        if isinstance(module, GLOBAL):
            assert module.output_size == 1
            return _pooled(view, view.shape[1:])
        if isinstance(module, nn.Flatten):
            return view.reshape(-1, 1, 1)
        assert isinstance(module, (*NORMS, nn.ReLU, nn.Identity)), module
        return view

    def convolution(self, layer: nn.Module, view: np.ndarray, target: int | None) -> np.ndarray:
        weight, dims = layer.weight.detach().numpy(), len(layer.kernel_size)
        # The padding of the network's input is made of nodes already.
        padding = (0,) * dims if layer is self.first else layer.padding
        if layer.padding_mode == "circular":
            view = np.pad(view, ((0, 0), *((p, p) for p in padding)), mode="wrap")
            padding = (0,) * dims
        channels, *sizes = view.shape
        axes = [*zip(layer.stride, layer.dilation, padding, strict=True)]
        size = [len(weight)]
        for length, taps, (stride, dilation, pad) in zip(
            sizes, weight.shape[2:], axes, strict=True
        ):
            size.append((length + 2 * pad - dilation * (taps - 1) - 1) // stride + 1)
        if target is None:
            target = self.edges.new_layer(math.prod(size))
        out = _map_of(target, *size)
        if self.wiring == "published" and self._is_miswired(layer):
            # One row and one column of positions fewer, but the numbering goes on without them:
            # the input's nodes are counted off in the smaller map, then come the output's.
            start = view[0, 0, 0][0]
            sizes = [length - 1 for length in sizes]
            view = _map_of(start, channels, *sizes)
            targets = _map_of(start + channels * math.prod(sizes), *size)
        else:
            targets = out
        for c_out, c_in, *taps in np.argwhere(weight):
            value = abs(float(weight[(c_out, c_in, *taps)]))
            source_channel = c_in + c_out // (len(weight) // layer.groups) * weight.shape[1]
            for place in np.ndindex(*size[1:]):
                source = [
                    stride * at + dilation * tap - pad
                    for at, tap, (stride, dilation, pad) in zip(place, taps, axes, strict=True)
                ]
                if all(0 <= at < length for at, length in zip(source, sizes, strict=True)):
                    sources = view[(source_channel, *source)]
                    self.edges.add(sources, targets[(c_out, *place)][0], value)
        return out

    def transposed(self, layer: nn.Module, view: np.ndarray) -> np.ndarray:
        """Every source position gives to those of the output under its kernel."""
        weight = layer.weight.detach().numpy()
        channels, *sizes = view.shape
        given = layer.stride, layer.dilation, layer.padding, layer.output_padding
        axes = [*zip(*given, strict=True)]
        size = [weight.shape[1] * layer.groups]
        for length, taps, (stride, dilation, pad, more) in zip(
            sizes, weight.shape[2:], axes, strict=True
        ):
            size.append((length - 1) * stride - 2 * pad + dilation * (taps - 1) + more + 1)
        out = _map_of(self.edges.new_layer(math.prod(size)), *size)
        for c_in, c_out, *taps in np.argwhere(weight):
            value = abs(float(weight[(c_in, c_out, *taps)]))
            channel = c_out + c_in // (channels // layer.groups) * weight.shape[1]
            for source in np.ndindex(*sizes):
                place = [
                    stride * at + dilation * tap - pad
                    for at, tap, (stride, dilation, pad, _) in zip(source, taps, axes, strict=True)
                ]
                if all(0 <= at < length for at, length in zip(place, size[1:], strict=True)):
                    self.edges.add(view[(c_in, *source)], out[(channel, *place)][0], value)
        return out

    def _is_miswired(self, layer: nn.Conv2d) -> bool:
        geometry = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        return layer is not self.first and geometry == ((3, 3), (2, 2), (1, 1), (1, 1))

    def mixing(self, layer: nn.Linear, view: np.ndarray) -> np.ndarray:
        weight = layer.weight.detach().numpy()
        out = _map_of(self.edges.new_layer(view.size), *view.shape)
        for channel, target in zip(view, out, strict=True):
            for j, i in np.argwhere(weight):
                value = abs(float(weight[j, i]))
                self.edges.add(channel.ravel()[i], target.ravel()[j][0], value)
        return out

    def linear(self, layer: nn.Linear, view: np.ndarray) -> np.ndarray:
        weight = layer.weight.detach().numpy()
        start = self.edges.new_layer(len(weight))
        for j, i in np.argwhere(weight):
            self.edges.add(view[i, 0, 0], start + int(j), abs(float(weight[j, i])))
        return _map_of(start, len(weight), 1, 1)


def _pooled(view: np.ndarray, window: int | tuple[int, ...]) -> np.ndarray:
    """Every position stands for all nodes of its window; a border that fills none is dropped."""
    channels, *sizes = view.shape
    window = (window,) * len(sizes) if isinstance(window, int) else window
    pooled = np.empty((channels, *(s // w for s, w in zip(sizes, window, strict=True))), object)
    for c, *place in np.ndindex(pooled.shape):
        part = tuple(slice(at * w, (at + 1) * w) for at, w in zip(place, window, strict=True))
        pooled[(c, *place)] = sorted({node for nodes in view[(c, *part)].ravel() for node in nodes})
    return pooled


def _pooled_around(view: np.ndarray) -> np.ndarray:
    """Windows of 3 around every position; a node that is in one twice is in it."""
    around = np.empty_like(view)
    for c, *place in np.ndindex(view.shape):
        part = view[(c, *(slice(max(at - 1, 0), at + 2) for at in place))]
        around[(c, *place)] = sorted({node for nodes in part.ravel() for node in nodes})
    return around


def _resized(view: np.ndarray, layer: nn.Upsample) -> np.ndarray:
    """Every position stands for all that it is interpolated from, by the formulas of the modes."""
    channels, *sizes = view.shape
    new = [layer.size] * len(sizes) if isinstance(layer.size, int) else layer.size
    resized = np.empty((channels, *new), object)
    for c, *place in np.ndindex(resized.shape):
        axes = zip(place, sizes, new, strict=True)
        near = [_neighbours(*axis, layer.mode, layer.align_corners) for axis in axes]
        nodes = {node for at in product(*near) for node in view[(c, *at)]}
        resized[(c, *place)] = sorted(nodes)
    return resized


def _neighbours(at: int, size: int, new: int, mode: str, align_corners: bool | None) -> set[int]:
    """Positions of an axis with a share in one of the resized axis."""
    if mode == "nearest":
        return {at * size // new}
    if mode == "area":
        return set(range(at * size // new, -(-(at + 1) * size // new)))
    if align_corners:
        place = Fraction(at * (size - 1), max(new - 1, 1))
    else:
        place = (at + Fraction(1, 2)) * Fraction(size, new) - Fraction(1, 2)
    if mode != "bicubic":
        place = max(place, Fraction(0))
    first = math.floor(place)
    reach = [0] if place == first else [-1, 0, 1, 2] if mode == "bicubic" else [0, 1]
    return {min(max(first + step, 0), size - 1) for step in reach}


def _shuffled(view: np.ndarray, factor: int) -> np.ndarray:
    channels, height, width = view.shape
    out = np.empty((channels // factor**2, height * factor, width * factor), object)
    for c, y, x in np.ndindex(out.shape):
        phase = (c * factor + y % factor) * factor + x % factor
        out[c, y, x] = view[phase, y // factor, x // factor]
    return out


def _as_sequence(model: nn.Module) -> nn.Module:
    """The paper's networks as sequences of the modules above."""
    if isinstance(model, Conv6):
        return nn.Sequential(model.convs1, nn.Flatten(), model.linear)
    if isinstance(model, Resnet):
        blocks = [
            Residual(nn.Sequential(block.conv1, block.conv2), block.shortcut)
            for group in (model.layer1, model.layer2, model.layer3)
            for block in group
        ]
        return nn.Sequential(model.conv1, *blocks, model.pool, nn.Flatten(), model.linear)
    if isinstance(model, WideResnet):
        blocks = [
            Residual(nn.Sequential(block.conv1, block.conv2), block.convShortcut or nn.Identity())
            for group in (model.block1, model.block2, model.block3)
            for block in group.layer
        ]
        return nn.Sequential(model.conv1, *blocks, model.pool, nn.Flatten(), model.fc)
    return model
