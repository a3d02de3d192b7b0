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
import copy
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from . import operations
from .trace import Connection, Trace, TracedLayer, UnsupportedNetwork
from .values import IMAGES, Handle, Memory, Spaces, Value, of_space, value_of
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
    alone: frozenset[frozenset[int]] = frozenset()
    while True:
        run = _Run(model, identity_shortcuts, alone)
        found = run.trace_from(input_shape)
        if run.read_alone <= alone:
            return found
        # Nodes of a sum that are also read without it: keep them apart from the sum's.
        alone |= run.read_alone


class _Run:
    """One run of a network; the state that operations add to."""

    def __init__(
        self, model: nn.Module, identity_shortcuts: bool, alone: frozenset[frozenset[int]]
    ) -> None:
        self.model = model
        self.identity_shortcuts = identity_shortcuts
        self.alone = alone
        self.read_alone: set[frozenset[int]] = set()
        self.trace = Trace()
        self.spaces = Spaces()
        self.padding = np.zeros((2, 2), np.int64)  # of the input: rows, columns; before, after
        self.modules: list[tuple[str, str]] = []  # names and types of those that run
        self.weight = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
        self.written: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def trace_from(self, input_shape: tuple[int, ...]) -> Trace:
        if not 1 <= len(input_shape) <= 3 or min(input_shape) < 1:
            raise UnsupportedNetwork(
                f"an input of shape {tuple(input_shape)} is neither an image (channels, height, "
                "width) nor a vector; it has no axis of images"
            )
        for name, module in self.model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                label = name or type(module).__name__
                raise UnsupportedNetwork(f"{label}: TorchScript cannot be followed, its source can")
        channels, *sizes = input_shape
        height, width = (1, 1, *sizes)[-2:]
        value = self.new_layer("input", channels, height, width)
        self.trace.layers[0].read = True  # nothing ends in it
        shape = (IMAGES, *input_shape)
        tensor = self.new_tensor(Value((value.alternatives[0].reshape(shape),)), Memory())
        with self.unchanged(), self.named_modules(), _eager(), torch.no_grad(), _Mode(self):
            for module in self.model.modules():  # eval() may do more: LoRA merges its weights
                module.training = False
            try:
                out = self.model(tensor)
            except UnsupportedNetwork:
                raise
            except Exception as error:
                # The network's own code failed on a shape, or on a value without data.
                lines = [*filter(str.strip, str(error).splitlines()), type(error).__name__]
                reason = f"fails when it is traced: {lines[0]}"  # further lines may be frames
                raise self.refusal(reason, error) from error
        try:
            self.end_with(out)
        except NotImplementedError as error:
            raise self.refusal(str(error)) from error
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

    def new_tensor(self, value: Value, memory: Memory) -> torch.Tensor:
        """A tensor without data that stands for a value."""
        tensor = torch.empty(value.shape, device="meta")
        tensor._topology = Handle(self, value, memory, memory.version)
        return tensor

    def connect(self, connection: Connection, channels: int) -> None:
        """Add edges that read some channels, given as bits; no branch of a sum may be read."""
        source = self.trace.layers[connection.source]
        if source.joined is not None:
            self.read_alone.add(source.members)
        source.read = True
        self.trace.layers[connection.target].ancestors |= source.ancestors | channels
        self.trace.connections.append(connection)

    def end_with(self, out: Any) -> None:
        """Let the layer of the network's output be the last one."""
        values = [value for value in map(value_of, tensors(out)) if value is not None]
        keys = set().union(*(self.spaces.layers(value) for value in values))
        if not keys or 0 in keys:
            raise UnsupportedNetwork(
                f"{type(self.model).__name__}: its output does not come from its input through "
                "weights"
            )
        for key in keys:
            if self.trace.layers[key].joined is not None:
                self.read_alone.add(self.trace.layers[key].members)
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
    def unchanged(self) -> Iterator[None]:
        """Leave the modules and random state as they were, whatever a forward pass does to them."""
        before = [(module, dict(module.__dict__)) for module in self.model.modules()]
        held = [
            (value, copy.copy(value))
            for _module, attributes in before
            for value in attributes.values()
            if type(value) in (dict, OrderedDict, list, set)
        ]
        device = self.weight.device
        try:
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                yield
        finally:
            for module, attributes in before:
                module.__dict__.clear()
                module.__dict__.update(attributes)
            for value, content in held:
                value.clear()
                value.extend(content) if isinstance(value, list) else value.update(content)
            for tensor, data, content in reversed(self.written):
                tensor.data = data
                data.copy_(content)

    def keep(self, constants: Iterable[torch.Tensor]) -> None:
        """Remember what weights and constants hold before the network writes to them."""
        for tensor in constants:
            self.written.append((tensor, tensor.data, tensor.detach().clone()))

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
        name = getattr(func, "__name__", str(func))
        given = list(tensors((args, kwargs)))
        if not any(tensor.is_meta or value_of(tensor) is not None for tensor in given):
            if is_in_place(name):
                self.run.keep(tensors(args[:1]))
            self.run.keep(tensors(kwargs.get("out")))
            return func(*args, **kwargs)  # on weights and constants
        try:
            return self.follow(func, name, args, kwargs, given)
        except NotImplementedError as error:
            raise self.run.refusal(str(error)) from error

    def follow(self, func: Callable, name: str, args: tuple, kwargs: dict, given: list) -> Any:
        if name == "__setitem__":
            _put_back(*args)
        handles = [self.require_known(tensor, name) for tensor in given if tensor.is_meta]
        if name == "__get__":
            name = func.__self__.__name__
            if name in ("device", "is_cuda", "is_meta"):
                return getattr(self.run.weight, name)  # where the network believes to be
            if name not in operations.PROPERTIES:
                return func(*args, **kwargs)  # a shape, a type
        if name in ("__set__", "__delitem__") or kwargs.get("out") is not None:
            raise NotImplementedError(f"{name.strip('_')} writes where it cannot be followed")
        plain = operations.plain_name(name)
        in_place = is_in_place(name)
        if in_place and value_of(args[0]) is None:
            raise NotImplementedError(f"{plain} writes into a tensor that is no value; add instead")
        if name == "__setitem__":
            return self.write(args[0], operations.assigned(args[0]._topology.value, *args[1:]))
        found = operations.apply(self.run, plain, func, args, kwargs)
        if plain in operations.SAME and (in_place or kwargs.get("inplace")):
            return args[0]  # the same tensor, which stands for the same nodes
        if in_place:
            if plain in operations.LAYOUT or not isinstance(found, Value):
                raise NotImplementedError(f"{plain} in place cannot be followed")
            self.write(args[0], found)
            return args[0]
        memory = handles[0].memory if plain in operations.ALIASES else None
        if isinstance(found, Value):
            new = self.run.new_tensor(found, memory or Memory())
            if name == "__getitem__":
                new._topology.taken = handles[0], args[1], handles[0].version
            return new
        if isinstance(found, list):
            return tuple(self.run.new_tensor(value, memory or Memory()) for value in found)
        return found  # a shape, a length

    def require_known(self, tensor: torch.Tensor, name: str) -> Handle:
        """What is known of a tensor, which must be all there is to know."""
        handle = getattr(tensor, "_topology", None)
        if handle is None or handle.run is not self.run:
            raise NotImplementedError(f"{name.strip('_')} reads a value that could not be followed")
        if handle.version != handle.memory.version:
            raise NotImplementedError(
                f"{name.strip('_')} reads a tensor that was written to in place by another name"
            )
        return handle

    def write(self, tensor: torch.Tensor, value: Value) -> None:
        """Write to a tensor; others that may lie in the same memory are out of date."""
        handle = tensor._topology
        if value.shape != handle.value.shape:
            raise NotImplementedError("a sum in place that changes the shape")
        handle.value = value
        handle.memory.version += 1
        handle.version = handle.memory.version


IN_PLACE = (
    "__iadd__",
    "__isub__",
    "__imul__",
    "__itruediv__",
    "__idiv__",
    "__setitem__",
    "__set__",
)


def _put_back(tensor: torch.Tensor, index: Any, source: Any) -> None:
    """Let ``x[index] += y`` put back what it took from x: only that has been written to since."""
    whole, part = (getattr(given, "_topology", None) for given in (tensor, source))
    if whole and part and part.taken:
        of, at, version = part.taken
        if of is whole and at is index and version == whole.version:
            whole.version = part.version


def is_in_place(name: str) -> bool:
    """Whether a function writes to what it is given first."""
    return name in IN_PLACE or (name.endswith("_") and not name.endswith("__"))


def _eager() -> contextlib.AbstractContextManager:
    """What ``torch.compile`` was asked to compile runs as it is written."""
    if "torch._dynamo" not in sys.modules:  # nothing was; do not import the compiler
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")


def tensors(of: Any) -> Iterator[torch.Tensor]:
    """All tensors in nested tuples, lists and dictionaries."""
    if isinstance(of, torch.Tensor):
        yield of
    elif isinstance(of, tuple | list):
        for item in of:
            yield from tensors(item)
    elif isinstance(of, dict):
        yield from tensors(list(of.values()))
