"""Small sparse networks drawn by hypothesis: every geometry that an encoder has to understand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

DENSITIES = (0.6, 0.3, 1.0, 0.1, 0.0)
"""Hypothesis draws the first ones more often."""


WEIGHTED = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


class Residual(nn.Module):
    """``relu(body(x) + shortcut(x))``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class Concatenated(nn.Module):
    """What goes in and what a body makes of it, side by side: every later layer reads both."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], dim=1)


class Gated(nn.Module):
    """Squeeze and excitation: a factor for each channel, computed from the map's mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.excitation = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.excitation(x.mean((2, 3), keepdim=True)))


class Shuffled(nn.Module):
    """Channels of two groups in turn, by views and a transposition."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = x.shape
        x = x.view(count, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        return x.view(count, channels, height, width)


class Doubled(nn.Module):
    """Every channel twice."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, F.relu(x)], dim=1)


class Split(nn.Module):
    """A convolution over the first half of the channels only, as ShuffleNet's."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, dim=1)
        return torch.cat((self.body(first), second), dim=1)


class ChannelsLast(nn.Module):
    """A linear layer at every position, on a map whose channels come last."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mixing(nn.Module):
    """A linear layer over the positions of every channel."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.linear = nn.Linear(positions, positions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.flatten(2)).unflatten(2, x.shape[2:])


@dataclass(frozen=True)
class Network:
    """A network and the shape of one of its inputs."""

    module: nn.Sequential
    input_shape: tuple[int, ...]


def sparsify(module: nn.Module, seed: int, densities: list[float]) -> None:
    """Draw the weights of all convolutions and linear layers; layer i keeps about densities[i]."""
    rng = np.random.default_rng(seed)
    layers = [m for m in module.modules() if isinstance(m, WEIGHTED)]
    with torch.no_grad():
        for index, layer in enumerate(layers):
            shape = tuple(layer.weight.shape)
            kept = rng.random(shape) < densities[index % len(densities)]
            weight = rng.standard_normal(shape).astype(np.float32) * kept
            layer.weight.copy_(torch.from_numpy(weight))


def numbered(network: Network) -> Network:
    """The same network, its kept weights numbered from 2: an edge then tells whose it is."""
    count = 2
    with torch.no_grad():
        for layer in network.module.modules():
            if isinstance(layer, WEIGHTED):
                kept = layer.weight != 0
                layer.weight[kept] = torch.arange(count, count + int(kept.sum())).float()
                count += int(kept.sum())
    return network


class _Drawing:
    """The network drawn so far: its modules and the shape of its current feature map."""

    def __init__(self, draw, shape: tuple[int, int, int], max_nodes: int) -> None:
        self.draw = draw
        self.channels, self.height, self.width = shape
        self.modules: list[nn.Module] = []
        self.nodes = self.channels * (self.height + 2) * (self.width + 2)
        self.max_nodes = max_nodes

    def pick(self, *choices):
        return self.draw(st.sampled_from(choices))

    def add_layer(self, channels: int, height: int, width: int) -> None:
        self.channels, self.height, self.width = channels, height, width
        self.nodes += channels * height * width

    def convolution(self) -> list[nn.Module]:
        kernel, stride, padding, dilation, sizes = [], [], [], [], []
        for size in (self.height, self.width):
            k, s, p, d = self.pick(1, 2, 3), self.pick(1, 1, 2), self.pick(0, 1), self.pick(1, 1, 2)
            if size + 2 * p < d * (k - 1) + 1:
                k = d = 1
            kernel.append(k), stride.append(s), padding.append(p), dilation.append(d)
            sizes.append((size + 2 * p - d * (k - 1) - 1) // s + 1)
        groups = self.pick(1, 1, 1, self.channels)
        channels = groups * self.pick(1, 2) if groups > 1 else self.pick(1, 2, 3, 4)
        layer = nn.Conv2d(
            self.channels, channels, kernel, stride, padding, dilation, groups, bias=self.pick(0, 1)
        )
        self.add_layer(channels, *sizes)
        return [layer, *self.decoration(nn.BatchNorm2d)]

    def decoration(self, norm: type[nn.Module]) -> list[nn.Module]:
        """What adds no node and no edge."""
        return [norm(self.channels), nn.ReLU()] if self.pick(False, True) else []

    def pooling(self) -> list[nn.Module]:
        size = tuple(self.pick(*range(1, 1 + min(3, n))) for n in (self.height, self.width))
        self.height, self.width = self.height // size[0], self.width // size[1]
        return [self.pick(nn.MaxPool2d, nn.AvgPool2d)(size)]

    def same_convolution(self, channels: int, stride: int) -> list[nn.Module]:
        """A convolution whose padding keeps the size at stride 1."""
        kernel, dilation = (self.pick(1, 3), self.pick(1, 3)), self.pick(1, 1, 2)
        padding = tuple(dilation * (k // 2) for k in kernel)
        layer = nn.Conv2d(self.channels, channels, kernel, stride, padding, dilation, bias=False)
        sizes = ((size - 1) // stride + 1 for size in (self.height, self.width))
        self.add_layer(channels, *sizes)
        return [layer, *self.decoration(nn.BatchNorm2d)]

    def residual(self, may_nest: bool = True) -> list[nn.Module]:
        inputs, keeps_shape = self.channels, self.pick(False, True)
        stride = 1 if keeps_shape else self.pick(1, 2)
        body = self.same_convolution(self.pick(1, 2, 3), stride)
        if may_nest and not keeps_shape and self.pick(False, True):
            # Both shortcuts end in one layer: their triangles share edges.
            body += self.residual(may_nest=False)
            stride *= body[-1].stride
        else:
            if self.pick(False, False, True):
                body += self.same_convolution(self.pick(1, 2, 3), 1)
            body += self.same_convolution(inputs if keeps_shape else self.pick(1, 2, 3), 1)
        shortcut: nn.Module = nn.Identity()
        if not keeps_shape or self.pick(False, True):
            shortcut = nn.Conv2d(inputs, self.channels, 1, stride, bias=False)
            if self.pick(False, True):
                shortcut = nn.Sequential(shortcut, nn.BatchNorm2d(self.channels))
        block = Residual(nn.Sequential(*body), shortcut)
        block.stride = stride
        return [block]

    def head(self) -> list[nn.Module]:
        kind = self.pick("none", "linear", "global average")
        if kind == "none":
            return []
        pool = [nn.AdaptiveAvgPool2d(1)] if kind == "global average" else []
        inputs = self.channels * (1 if pool else self.height * self.width)
        layers: list[nn.Module] = [*pool, nn.Flatten()]
        for _ in range(self.pick(1, 2)):
            outputs = self.pick(2, 5)
            layers.append(nn.Linear(inputs, outputs))
            inputs = outputs
            self.add_layer(outputs, 1, 1)
            layers += self.decoration(nn.BatchNorm1d)
        return layers


@st.composite
def networks(draw, max_nodes: int = 500) -> Network:
    """Networks of a convolution, up to three more stages, and a head.

    A stage is a convolution (rectangular, strided, padded, dilated or grouped), a non-overlapping
    pooling (that may drop a border) or a residual block (with an identity or a 1 x 1 convolution
    as its shortcut, perhaps another block inside). The head is a linear layer or two over the
    flattened or the globally averaged map, or none. No stage starts above `max_nodes` nodes.
    """
    shape = (draw(st.integers(1, 3)), draw(st.integers(4, 8)), draw(st.integers(4, 8)))
    drawing = _Drawing(draw, shape, max_nodes)
    modules = drawing.convolution()
    for _ in range(draw(st.integers(0, 3))):
        if drawing.nodes > max_nodes:
            break
        stage = drawing.pick(drawing.convolution, drawing.pooling, drawing.residual)
        modules += stage()
    modules += drawing.head()
    module = nn.Sequential(*modules).eval()
    densities = draw(st.lists(st.sampled_from(DENSITIES), min_size=1, max_size=4))
    sparsify(module, draw(st.integers(0, 2**32 - 1)), densities)
    return Network(module, shape)


@st.composite
def mixed_networks(draw, max_nodes: int = 120) -> Network:
    """Networks of what researchers build: concatenations, gates, parallel and grouped layers,
    overlapping pooling, channels last or shuffled, shortcuts of all kinds, in any order."""
    channels = draw(st.sampled_from((2, 4)))
    height, width = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    modules: list[nn.Module] = [nn.Conv2d(draw(st.integers(1, 2)), channels, 3, padding=1)]
    inputs = modules[0].in_channels
    nodes = inputs * (height + 2) * (width + 2) + channels * height * width
    positions = height * width
    shape = (inputs, height, width)
    for _ in range(draw(st.integers(1, 4))):
        if nodes > max_nodes:
            break
        kind = draw(st.integers(0, 9))
        if kind == 0:
            added = draw(st.sampled_from((2, 4)))
            modules.append(Concatenated(nn.Conv2d(channels, added, 3, padding=1)))
            channels, nodes = channels + added, nodes + added * positions
        elif kind == 1:
            modules.append(Gated(channels))
            nodes += channels
        elif kind == 2:
            modules.append(Shuffled())
        elif kind == 8 and channels <= 4:
            modules.append(Doubled())
            channels *= 2
        elif kind == 9:
            mixing = Mixing(positions)
            modules.append(draw(st.sampled_from((mixing, Residual(mixing, nn.Identity())))))
            nodes += channels * positions
        elif kind == 3:
            body = nn.Conv2d(channels // 2, channels // 2, (1, 3), padding=(0, 1))
            modules.append(Split(body))
            nodes += channels // 2 * positions
        elif kind == 4:
            modules.append(ChannelsLast(channels, draw(st.sampled_from((2, 4)))))
            channels = modules[-1].linear.out_features
            nodes += channels * positions
        elif kind == 5:  # two layers between the same nodes, or one and an identity
            body = nn.Conv2d(channels, channels, 3, padding=1, groups=draw(st.sampled_from((1, 2))))
            shortcut = draw(st.sampled_from((nn.Identity(), nn.Conv2d(channels, channels, 1))))
            modules.append(Residual(body, shortcut))
            nodes += channels * positions
        elif kind == 6:  # windows that overlap, and a kernel that reads some twice
            modules.append(draw(st.sampled_from((nn.MaxPool2d, nn.AvgPool2d)))(3, 1, 1))
            modules.append(nn.Conv2d(channels, 2, 3, padding=1))
            channels, nodes = 2, nodes + 2 * positions
        else:
            modules.append(nn.Conv2d(channels, channels, 3, padding=1, padding_mode="circular"))
            nodes += channels * positions
    if draw(st.booleans()):
        modules += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3)]
    else:
        modules.append(nn.Conv2d(channels, 2, 1))
    module = nn.Sequential(*modules).eval()
    densities = draw(st.lists(st.sampled_from((0.6, 0.3, 1.0)), min_size=1, max_size=4))
    sparsify(module, draw(st.integers(0, 2**32 - 1)), densities)
    return Network(module, shape)


@st.composite
def networks_along(draw, dims: int, max_nodes: int = 150) -> Network:
    """Networks over maps of one axis, as of sound, of two, or of three, as of films: also with
    transposed convolutions and maps that are resized or shuffled."""
    conv, norm = getattr(nn, f"Conv{dims}d"), getattr(nn, f"BatchNorm{dims}d")
    pools = [getattr(nn, f"{kind}Pool{dims}d") for kind in ("Max", "Avg")]
    some = st.sampled_from
    channels, sizes = draw(st.integers(1, 2)), [draw(some(SIZES[dims])) for _ in range(dims)]
    shape, nodes, modules = (channels, *sizes), channels * math.prod(sizes), []
    for stage in range(draw(st.integers(1, 3))):
        kind = draw(some(STAGES)) if stage else "convolution"
        if kind == "convolution":
            geometry = []
            for axis, size in enumerate(sizes):
                k, s, p = draw(some((2, 1, 3))), draw(some((1, 2))), draw(some((0, 1)))
                d = draw(some((1, 2)))
                if size + 2 * p < d * (k - 1) + 1:
                    k = d = 1
                geometry.append((k, s, p, d))
                sizes[axis] = (size + 2 * p - d * (k - 1) - 1) // s + 1
            groups = draw(some((1, channels)))
            out = groups * draw(st.integers(1, 2))
            modules += [conv(channels, out, *zip(*geometry, strict=True), groups), norm(out)]
            channels = out
        elif kind == "pooling":  # windows that overlap, or that drop a border
            if draw(st.booleans()):
                modules.append(draw(some(pools))(3, 1, 1))
            else:
                window = tuple(draw(some(range(1, 1 + min(2, size)))) for size in sizes)
                sizes = [size // w for size, w in zip(sizes, window, strict=True)]
                modules.append(draw(some(pools))(window))
        elif kind == "transposed":
            geometry = []
            for axis, size in enumerate(sizes):
                k, s, d = draw(some((2, 3, 1))), draw(some((2, 1, 3))), draw(some((1, 2)))
                p = draw(some((0, 1)))
                more = draw(some(range(max(s, d))))
                if (size - 1) * s - 2 * p + d * (k - 1) + more + 1 < 1:
                    p = 0
                geometry.append((k, s, p, more, d))
                sizes[axis] = (size - 1) * s - 2 * p + d * (k - 1) + more + 1
            k, s, p, more, d = zip(*geometry, strict=True)
            groups = draw(some((1, channels)))
            out = groups * draw(st.integers(1, 2))
            transposed = getattr(nn, f"ConvTranspose{dims}d")
            modules.append(transposed(channels, out, k, s, p, more, groups, dilation=d))
            channels = out
        elif kind == "resized":
            size = [draw(some((size, size + 1, 2 * size, max(size - 1, 1)))) for size in sizes]
            mode, align = draw(some(["nearest", *MODES[dims]])), None
            align = draw(st.booleans()) if mode.endswith(("linear", "cubic")) else None
            modules += [
                nn.Upsample(size, mode=mode, align_corners=align),
                conv(channels, 2, 2, padding=1),
            ]
            channels, sizes = 2, [length + 1 for length in size]
        elif kind == "shuffled" and dims == 2:
            modules += [conv(channels, 4, 1), nn.PixelShuffle(2), conv(1, 2, 3, padding=1)]
            nodes += 4 * math.prod(sizes)
            channels, sizes = 2, [2 * length for length in sizes]
        else:
            body = conv(channels, channels, 3, padding=1)
            modules.append(Residual(body, draw(some((nn.Identity(), conv(channels, channels, 1))))))
        nodes += channels * math.prod(sizes)
        if nodes > max_nodes:
            break
    head = draw(some(("convolution", "mean", "all")))
    if head == "convolution":
        modules.append(conv(channels, 2, 1))
    else:
        pool = [getattr(nn, f"AdaptiveAvgPool{dims}d")(1)] if head == "mean" else []
        inputs = channels * (1 if pool else math.prod(sizes))
        modules += [*pool, nn.Flatten(), nn.Linear(inputs, 3)]
    module = nn.Sequential(*modules).eval()
    sparsify(
        module,
        draw(st.integers(0, 2**32 - 1)),
        draw(st.lists(some((0.6, 0.3, 1.0)), min_size=1, max_size=3)),
    )
    return Network(module, shape)


STAGES = "convolution", "pooling", "residual", "transposed", "resized", "shuffled"
SIZES = {1: (8, 5, 12), 2: (4, 3, 5), 3: (3, 2, 4)}
MODES = {1: ["linear"], 2: ["bilinear", "bicubic", "area"], 3: ["trilinear", "area"]}


@st.composite
def bipartite_matrices(draw, max_side: int = 12) -> np.ndarray:
    """Random weights between two sides, float32 (left, right), zero where there is no edge."""
    sides = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = rng.random(sides) < draw(st.sampled_from(DENSITIES))
    return (rng.standard_normal(sides) * kept).astype(np.float32)
