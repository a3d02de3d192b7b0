"""Follow a torch network from its input to its outputs and write down its multipartite wiring.

The network is traced with torch.fx, so nothing is computed: every traced value is a `Feature`,
the nodes that it stands for. Convolutions and linear layers make new node layers; pooling
and flattening change which nodes a position stands for; batch norm, activations and dropout add
nothing; an addition joins the branches that end in it into one node layer, and an identity
shortcut adds no edges.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.fx
from torch import nn
from torch.nn import functional as F

from .axis import Axis
from .feature import Feature, adaptive_windows, pooling_windows


@dataclass
class TracedLayer:
    """A node layer of the trace; `joined` names the layer it became part of at an addition."""

    name: str
    channels: int
    height: int
    width: int
    joined: int | None = None
    read: bool = False


@dataclass(frozen=True, eq=False)
class Connection:
    """A weight tensor between two traced layers, with its geometry."""

    name: str
    source: int
    target: int
    weight: np.ndarray
    rows: Axis
    columns: Axis
    groups: int = 1


@dataclass
class Trace:
    """Node layers and connections of a network, in the order it computes them.

    ``layers[0]`` is the input; its size includes the padding that the first convolution adds.
    """

    layers: list[TracedLayer] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    def root(self, layer: int) -> int:
        """Key of the node layer that `layer` is now part of."""
        while self.layers[layer].joined is not None:
            layer = self.layers[layer].joined
        return layer


class UnsupportedNetwork(ValueError):
    """The network holds something that has no multipartite graph."""


PASS_THROUGH_MODULES = (
    nn.Identity,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.dropout._DropoutNd,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Softmax,
    nn.LogSoftmax,
)
PASS_THROUGH_FUNCTIONS = {
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.hardswish, F.hardsigmoid),
    *(F.dropout, F.dropout2d, F.softmax, F.log_softmax, F.sigmoid, F.tanh),
    *(torch.relu, torch.relu_, torch.sigmoid, torch.tanh, F.relu_),
}
PASS_THROUGH_METHODS = {"relu", "relu_", "sigmoid", "tanh", "contiguous", "clone", "detach"}


def trace(model: nn.Module, input_shape: tuple[int, int, int]) -> Trace:
    """Trace a network.

    Parameters
    ----------
    model : torch.nn.Module
    input_shape : tuple of int
        Channels, height and width of one input.

    Returns
    -------
    Trace

    Raises
    ------
    UnsupportedNetwork
        Naming the module or function that has no multipartite graph.
    """
    try:
        traced = torch.fx.symbolic_trace(model)
    except (torch.fx.proxy.TraceError, TypeError) as error:
        raise UnsupportedNetwork(
            f"{type(model).__name__} cannot be traced: {str(error).splitlines()[0]}"
        ) from error
    return _Tracer(traced, input_shape).run()


class _Tracer:
    """Walks over the traced program once; the state is the trace and the values so far."""

    def __init__(self, program: torch.fx.GraphModule, input_shape: tuple[int, int, int]) -> None:
        self.program = program
        self.input_shape = input_shape
        self.trace = Trace()
        self.values: dict[torch.fx.Node, Any] = {}

    def run(self) -> Trace:
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self.values[node] = self.input(node)
            elif node.op != "output":
                try:
                    self.values[node] = self.evaluate(node)
                except NotImplementedError as error:
                    raise UnsupportedNetwork(f"{self.label(node)}: {error}") from error
        return self.trace

    def label(self, node: torch.fx.Node) -> str:
        return node.target if node.op == "call_module" else f"{node.name} ({node.target})"

    def evaluate(self, node: torch.fx.Node) -> Any:
        args = torch.fx.node.map_arg(tuple(node.args), self.values.__getitem__)
        kwargs = torch.fx.node.map_arg(dict(node.kwargs), self.values.__getitem__)
        if node.op == "get_attr":
            raise NotImplementedError("a tensor that is not a layer's weight enters the flow")
        if not any(isinstance(value, Feature) for value in (*args, *kwargs.values())):
            if node.op == "call_function":
                return node.target(*args, **kwargs)
            raise NotImplementedError("has no input that can be followed")
        if node.op == "call_module":
            return self.module(node.target, self.program.get_submodule(node.target), args[0])
        if node.op == "call_function":
            return self.function(node.target, args, kwargs)
        return self.method(node.target, args)

    def input(self, node: torch.fx.Node) -> Feature:
        if self.trace.layers:
            raise UnsupportedNetwork("a network with several inputs is not supported")
        channels, height, width = self.input_shape
        pads = [self.input_padding(user) for user in node.users]
        (top, bottom), (left, right) = np.max(pads or [((0, 0), (0, 0))], axis=0).tolist()
        self.trace.layers.append(
            TracedLayer("input", channels, height + top + bottom, width + left + right)
        )
        rows, columns = np.arange(height) + top, np.arange(width) + left
        return Feature(
            0,
            channels,
            np.stack([rows, rows + 1], axis=1),
            np.stack([columns, columns + 1], axis=1),
        )

    def input_padding(self, user: torch.fx.Node) -> list[tuple[int, int]]:
        """Padding that a reader of the network's input adds around it, a pair an axis."""
        if user.op == "call_module":
            module = self.program.get_submodule(user.target)
            if isinstance(module, nn.Conv2d):
                return _padding(module)
        return [(0, 0), (0, 0)]

    def module(self, name: str, module: nn.Module, value: Feature) -> Feature:
        if isinstance(module, nn.Conv2d):
            return self.convolution(name, module, value)
        if isinstance(module, nn.Linear):
            return self.linear(name, module, value)
        if isinstance(module, PASS_THROUGH_MODULES):
            return value
        if isinstance(module, nn.MaxPool2d):
            sizes = (module.kernel_size, module.stride, module.padding)
            return _pool(value, *sizes, module.dilation, module.ceil_mode)
        if isinstance(module, nn.AvgPool2d):
            return _pool(
                value, module.kernel_size, module.stride, module.padding, 1, module.ceil_mode
            )
        if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
            return _adaptive_pool(value, module.output_size)
        if isinstance(module, nn.Flatten) and module.start_dim == 1 and module.end_dim == -1:
            return value.flattened()
        raise NotImplementedError(f"{type(module).__name__} has no multipartite graph")

    def function(self, function: Any, args: tuple, kwargs: dict) -> Any:
        if function in PASS_THROUGH_FUNCTIONS:
            return args[0]
        if function in (operator.add, operator.iadd, torch.add):
            return self.addition(*args)
        if function is torch.flatten:
            if (args + tuple(kwargs.values()))[1:] not in ((1,), (1, -1)):
                raise NotImplementedError("only flattening from dimension 1 on is supported")
            return args[0].flattened()
        if function is F.max_pool2d:
            return _pool(*_bind(args, kwargs, POOL_PARAMETERS))
        if function is F.avg_pool2d:
            value, kernel, stride, padding, ceil_mode = _bind(
                args, kwargs, ["input", "kernel_size", "stride", "padding", "ceil_mode"]
            )
            return _pool(value, kernel, stride, padding, 1, ceil_mode)
        if function in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
            return _adaptive_pool(*_bind(args, kwargs, ["input", "output_size"]))
        if function is getattr and args[1] == "shape":
            return _shape(args[0])
        raise NotImplementedError("has no multipartite graph")

    def method(self, name: str, args: tuple) -> Any:
        value, *rest = args
        if name in PASS_THROUGH_METHODS:
            return value
        if name in ("add", "add_"):
            return self.addition(value, *rest)
        if name == "size":
            return _shape(value)[rest[0]] if rest else _shape(value)
        if name == "flatten" and rest in ([1], [1, -1]):
            return value.flattened()
        if name in ("view", "reshape"):
            shape = rest[0] if isinstance(rest[0], tuple | list) else rest
            if len(shape) == 2 and shape[1] in (-1, value.channels * value.height * value.width):
                return value.flattened()
        if name == "mean" and sorted(d % 4 for d in np.atleast_1d(rest[0])) == [2, 3]:
            return _adaptive_pool(value, 1).flattened()
        raise NotImplementedError("has no multipartite graph")

    def convolution(self, name: str, module: nn.Conv2d, value: Feature) -> Feature:
        if module.padding_mode != "zeros":
            raise NotImplementedError(f"padding_mode {module.padding_mode!r} is not supported")
        pads = _padding(module)
        reads_input = value.layer == 0 and _is_unpooled(value)
        axes = []
        for axis, (windows, (before, after)) in enumerate(
            zip((value.rows, value.columns), pads, strict=True)
        ):
            kernel, stride = module.kernel_size[axis], module.stride[axis]
            dilation = module.dilation[axis]
            size = (len(windows) + before + after - dilation * (kernel - 1) - 1) // stride + 1
            if size < 1:
                raise NotImplementedError("the kernel does not fit into its input")
            source_size = self.source_size(value.layer, axis)
            if reads_input:
                # Padding positions of the input are nodes of their own.
                before -= int(windows[0, 0])
                windows = None
            elif _is_identity(windows, source_size):
                windows = None
            axes.append(Axis(source_size, size, kernel, stride, before, dilation, windows))
        weight = module.weight.detach().cpu().numpy()
        return self.connect(name, value, weight, *axes, groups=module.groups)

    def linear(self, name: str, module: nn.Linear, value: Feature) -> Feature:
        if not value.flat and value.height * value.width > 1:
            raise NotImplementedError("a linear layer over unflattened maps is not supported")
        height, width = value.height, value.width
        axes = []
        for axis, windows in enumerate((value.rows, value.columns)):
            source_size = self.source_size(value.layer, axis)
            if _is_identity(windows, source_size):
                windows = None
            axes.append(Axis(source_size, 1, (height, width)[axis], windows=windows))
        weight = module.weight.detach().cpu().numpy()
        weight = weight.reshape(module.out_features, value.channels, height, width)
        return self.connect(name, value, weight, *axes)

    def source_size(self, layer: int, axis: int) -> int:
        source = self.trace.layers[self.trace.root(layer)]
        return (source.height, source.width)[axis]

    def connect(
        self,
        name: str,
        value: Feature,
        weight: np.ndarray,
        rows: Axis,
        columns: Axis,
        groups: int = 1,
    ) -> Feature:
        if rows.repeats_edges or columns.repeats_edges:
            raise NotImplementedError(
                "a kernel larger than 1 over overlapping pooling windows joins nodes twice"
            )
        source, target = self.trace.root(value.layer), len(self.trace.layers)
        self.trace.layers[source].read = True
        channels = len(weight)
        self.trace.layers.append(TracedLayer(name, channels, rows.target_size, columns.target_size))
        self.trace.connections.append(
            Connection(name, source, target, weight, rows, columns, groups)
        )
        return Feature.of_layer(target, channels, rows.target_size, columns.target_size)

    def addition(self, first: Any, second: Any) -> Feature:
        for value in (first, second):
            if not isinstance(value, Feature):
                raise NotImplementedError("only feature maps can be added")
        one, other = self.trace.root(first.layer), self.trace.root(second.layer)
        if one == other:
            return first
        if _shape(first) != _shape(second):
            raise NotImplementedError("broadcast additions are not supported")
        one_open, other_open = (
            key != 0 and not self.trace.layers[key].read for key in (one, other)
        )
        if one_open and other_open:
            if not (_is_unpooled(first) and _is_unpooled(second)):
                raise NotImplementedError("a branch pooled after its last layer cannot be joined")
            # Both branches end here: their nodes are the same. The later one keeps its place.
            self.trace.layers[min(one, other)].joined = max(one, other)
            return first if one > other else second
        if one_open or other_open:
            return first if one_open else second
        raise NotImplementedError("an addition of two values that are both read elsewhere")


POOL_PARAMETERS = ["input", "kernel_size", "stride", "padding", "dilation", "ceil_mode"]
POOL_DEFAULTS = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}


def _bind(args: tuple, kwargs: dict, names: list[str]) -> list[Any]:
    bound = dict(zip(names, args, strict=False)) | kwargs
    return [bound[name] if name in bound else POOL_DEFAULTS[name] for name in names]


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _pool(
    value: Feature, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Feature:
    stride = kernel if stride is None or stride == () else stride
    rows, columns = (
        pooling_windows(size, k, s, p, d, ceil_mode)
        for size, k, s, p, d in zip(
            (value.height, value.width),
            *map(_pair, (kernel, stride, padding, dilation)),
            strict=True,
        )
    )
    return value.pooled(rows, columns)


def _adaptive_pool(value: Feature, output_size: Any) -> Feature:
    sizes = [
        size if wanted is None else wanted
        for wanted, size in zip(_pair(output_size), (value.height, value.width), strict=True)
    ]
    return value.pooled(
        adaptive_windows(value.height, sizes[0]), adaptive_windows(value.width, sizes[1])
    )


def _shape(value: Feature) -> tuple[int, ...]:
    if value.flat:
        return (1, value.channels * value.height * value.width)
    return (1, value.channels, value.height, value.width)


def _is_identity(windows: np.ndarray, source_size: int) -> bool:
    return len(windows) == source_size and bool((np.diff(windows, axis=1) == 1).all())


def _is_unpooled(value: Feature) -> bool:
    return all(bool((np.diff(w, axis=1) == 1).all()) for w in (value.rows, value.columns))


def _padding(module: nn.Conv2d) -> list[tuple[int, int]]:
    """Positions added (before, after) the map along each axis."""
    if module.padding == "valid":
        return [(0, 0), (0, 0)]
    if module.padding == "same":
        totals = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(p, p) for p in module.padding]
