"""Follow a torch network from its input to its output and write down its multipartite wiring.

The network runs once, on tensors without data (torch's ``meta`` device) and under a
``TorchFunctionMode``: every function that it calls on a value is seen with its arguments, and
`operations` says what becomes of the nodes that the value stands for. So whatever plain Python
the network's ``forward`` is, it is followed; what depends on the data is not there to be followed,
and is refused. Weights are those that the forward pass uses: masks of ``torch.nn.utils.prune`` and
other parametrizations are applied.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from . import operations
from .trace import Connection, Trace, TracedLayer, UnsupportedNetwork
from .values import IMAGES, Spaces, Value, of_space
from .weights import padded_input

OPAQUE = (
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
    nn.Transformer,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
)
"""Modules refused by their name, which says more than the functions that they are made of."""


def trace(
    model: nn.Module, input_shape: tuple[int, ...], identity_shortcuts: bool = False
) -> Trace:
    """Trace a network.

    Parameters
    ----------
    model : torch.nn.Module
        Traced in evaluation mode, and left as it was.
    input_shape : tuple of int
        Of one input: channels, height and width, or features.
    identity_shortcuts : bool
        Whether a shortcut without weights becomes edges of weight 1.

    Returns
    -------
    Trace

    Raises
    ------
    UnsupportedNetwork
        Naming the module, the function and the line of code that has no multipartite graph.
    """
    alone: set[frozenset[int]] = set()
    while True:
        try:
            return _Run(model, identity_shortcuts, alone).trace_from(input_shape)
        except operations.ReadAlone as found:
            # Nodes of a sum that are also read without it: keep them apart from the sum's.
            alone.add(found.members)


class _Run:
    """One run of a network; the state that operations add to."""

    def __init__(
        self, model: nn.Module, identity_shortcuts: bool, alone: set[frozenset[int]]
    ) -> None:
        self.model = model
        self.identity_shortcuts = identity_shortcuts
        self.alone = alone
        self.trace = Trace()
        self.spaces = Spaces()
        self.padding = np.zeros((2, 2), np.int64)  # of the input: rows, columns; before, after
        self.modules: list[tuple[str, str]] = []  # names and types of those that run
        self.weight = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))

    def trace_from(self, input_shape: tuple[int, ...]) -> Trace:
        if not 1 <= len(input_shape) <= 3:
            raise UnsupportedNetwork(
                f"an input of shape {tuple(input_shape)} is neither an image (channels, height, "
                "width) nor a vector"
            )
        channels, *sizes = input_shape
        height, width = (1, 1, *sizes)[-2:]
        value = self.new_layer("input", channels, height, width)
        self.trace.layers[0].read = True  # nothing ends in it
        shape = (IMAGES, *input_shape)
        tensor = attach(None, Value((value.alternatives[0].reshape(shape),)))
        with self.named_modules(), _evaluating(self.model), torch.no_grad(), _Mode(self):
            try:
                out = self.model(tensor)
            except (UnsupportedNetwork, operations.ReadAlone):
                raise
            except Exception as error:
                # The network's own code failed on a shape, or on a value without data.
                raise self.refusal(f"fails when it is traced: {error}", error) from error
        self.end_with(out)
        padded_input(self.trace, self.padding)
        return self.trace

    def new_layer(
        self,
        name: str,
        channels: int,
        height: int,
        width: int,
        members: frozenset[int] | None = None,
        place: int | None = None,
    ) -> Value:
        """A new node layer; its last arguments are those of a sum of layers."""
        key = len(self.trace.layers)
        if place is None:
            place = 1 + max([layer.place for layer in self.trace.layers], default=-1)
        self.trace.layers.append(
            TracedLayer(name, channels, height, width, place, members or frozenset({place}))
        )
        return of_space(self.spaces.of_layer(key, (channels, height, width)))

    def connect(self, connection: Connection) -> None:
        """Add edges; their source must be a whole node layer, no branch of a sum."""
        source = self.trace.layers[connection.source]
        if source.joined is not None:
            raise operations.ReadAlone(source.members)
        source.read = True
        target = self.trace.layers[connection.target]
        target.ancestors |= source.ancestors | 1 << connection.source
        self.trace.connections.append(connection)

    def end_with(self, out: Any) -> None:
        """Let the layer of the network's output be the last one."""
        values = [tensor._value for tensor in tensors(out) if value_of(tensor) is not None]
        keys = set().union(*(self.spaces.layers(value) for value in values))
        if not keys or 0 in keys:
            raise UnsupportedNetwork(
                f"{type(self.model).__name__}: its output does not come from its input through "
                "weights"
            )
        for key in keys:
            if self.trace.layers[key].joined is not None:
                raise operations.ReadAlone(self.trace.layers[key].members)
        if len(keys) > 1:
            names = ", ".join(sorted(self.trace.layers[key].name for key in keys))
            raise UnsupportedNetwork(
                f"{type(self.model).__name__}: its output is made of several layers ({names}); "
                "wrap it so that it returns one of them"
            )
        (key,) = keys
        last = self.trace.layers[key]
        if last.read and any(c.source == key for c in self.trace.connections):
            raise UnsupportedNetwork(
                f"{type(self.model).__name__}: its output {last.name} is also read by other layers"
            )
        last.place = 1 + max(layer.place for layer in self.trace.layers)

    @property
    def module(self) -> str:
        """Name of the module that runs."""
        return self.modules[-1][0] if self.modules else type(self.model).__name__

    def refusal(self, reason: str, error: BaseException | None = None) -> UnsupportedNetwork:
        """What cannot be a graph: the module, why, and the line of the network's code."""
        frames = traceback.extract_stack()
        if error is not None:
            frames += traceback.extract_tb(error.__traceback__)
        ours = (Path(torch.__file__).parent, Path(__file__).parent)
        lines = [
            frame
            for frame in frames
            if not any(Path(frame.filename).is_relative_to(p) for p in ours)
        ]
        names = [frame.name for frame in lines]
        where = ""
        if "forward" in names and lines[-1].line:
            frame = lines[-1]
            where = f" (line {frame.lineno} of {Path(frame.filename).name}: {frame.line.strip()})"
        reason = " ".join(str(reason).split())
        name, kind = self.modules[-1] if self.modules else ("", type(self.model).__name__)
        label = f"{name} ({kind})" if name not in ("", kind) else kind
        return UnsupportedNetwork(f"{label}: {reason}{where}")

    @contextlib.contextmanager
    def named_modules(self) -> Iterator[None]:
        """Know which module runs, and refuse those that cannot be followed."""
        handles = []

        def enter(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, args: Any) -> None:
                self.modules.append((name, type(module).__name__))
                if isinstance(module, OPAQUE):
                    raise self.refusal("has no multipartite graph: its edges depend on the data")

            return hook

        def leave(module: nn.Module, args: Any, out: Any) -> None:
            self.modules.pop()

        for name, module in self.model.named_modules():
            label = name or type(self.model).__name__
            handles.append(module.register_forward_pre_hook(enter(label)))
            handles.append(module.register_forward_hook(leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


class _Mode(TorchFunctionMode):
    """Sees every function of torch that the network calls."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self.run = run

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = list(tensors((args, kwargs)))
        if not any(tensor.is_meta for tensor in given):
            return func(*args, **kwargs)  # on weights and constants
        name = getattr(func, "__name__", str(func))
        if any(tensor.is_meta and value_of(tensor) is None for tensor in given):
            raise self.run.refusal(f"{name} reads a value that could not be followed")
        if name == "__get__":
            name = func.__self__.__name__
            if name in ("device", "is_cuda", "is_meta"):
                return getattr(self.run.weight, name)  # where the network believes to be
            if name not in operations.PROPERTIES:
                return func(*args, **kwargs)  # a shape, a type
        try:
            found = operations.apply(self.run, name, func, args, kwargs)
        except NotImplementedError as error:
            raise self.run.refusal(str(error)) from error
        if isinstance(found, Value):
            in_place = (name.endswith("_") and not name.endswith("__")) or name.startswith("__i")
            return attach(args[0] if in_place else None, found)
        if isinstance(found, list):
            return tuple(attach(None, value) for value in found)
        return found  # a constant, a shape, a length


def attach(tensor: torch.Tensor | None, value: Value) -> torch.Tensor:
    """Let a tensor without data, or a new one, stand for a value."""
    shape = value.alternatives[0].shape
    if tensor is None:
        tensor = torch.empty(shape, device="meta")
    elif tensor.shape != shape:
        raise RuntimeError(f"{tuple(shape)} does not fit into {tuple(tensor.shape)} in place")
    tensor._value = value
    return tensor


def value_of(tensor: torch.Tensor) -> Value | None:
    """What a tensor stands for."""
    return getattr(tensor, "_value", None)


def tensors(of: Any) -> Iterator[torch.Tensor]:
    """All tensors in nested tuples, lists and dictionaries."""
    if isinstance(of, torch.Tensor):
        yield of
    elif isinstance(of, tuple | list):
        for item in of:
            yield from tensors(item)
    elif isinstance(of, dict):
        yield from tensors(list(of.values()))


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
