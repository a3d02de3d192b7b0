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
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from models.inputs import RAGGED, tensors_in

from ..weights import UnsupportedNetwork
from .attention import Scores
from .inputs import arguments
from .modules import eager, named, unchanged
from .network import Network, TokensFirst
from .operations import Call, apply
from .result import Trace, end_with, trace_of
from .tensors import Handle, handle_of, put_back, stand_in, value_of, values_in, write
from .values import IMAGES, Value


def trace(
    model: nn.Module,
    example: Any,
    identity_shortcuts: bool = False,
    attends: bool = False,
) -> Trace:
    """Trace a network.

    Parameters
    ----------
    model : torch.nn.Module
        Traced in evaluation mode, and left as it was.
    example : torch.Tensor, tuple or dict
        What the network is called with: see `inputs`.
    identity_shortcuts : bool
        Whether a shortcut without weights becomes edges of weight 1.
    attends : bool
        Whether attention is followed (see `attention`), and not refused.

    Returns
    -------
    Trace

    Raises
    ------
    UnsupportedNetwork
        Naming the module, the function and the line of code that has no multipartite graph.
    """
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            label = name or type(module).__name__
            raise UnsupportedNetwork(
                f"{label}: TorchScript inside of a module cannot be followed; give the module "
                "that it was made of"
            )
    apart: frozenset[frozenset[int]] = frozenset()
    tokens_first: frozenset[int] = frozenset()
    while True:
        network = Network(model, identity_shortcuts, attends, apart, tokens_first)
        try:
            _run(model, network, example)
        except TokensFirst as found:
            tokens_first |= {found.key}
            continue
        if network.read_alone <= apart:
            return trace_of(network)
        # Nodes of a sum that are also read without it: keep them apart from the sum's.
        apart |= network.read_alone


def _run(model: nn.Module, network: Network, example: Any) -> None:
    args, kwargs = arguments(network, model, example)
    with (
        unchanged(model, network.weight.device) as keep,
        named(model, network),
        eager(),
        torch.no_grad(),
        Mode(network, keep),
    ):
        for module in model.modules():  # eval() may do more: LoRA merges its weights
            module.training = False
        try:
            out = model(*args, **kwargs)
        except UnsupportedNetwork as error:
            if not isinstance(model, torch.export.UnflattenedModule):
                raise
            line = str(error).splitlines()[0]  # torch adds where it was
            raise UnsupportedNetwork(line + _of_program(model)) from None
        except TokensFirst:
            raise
        except Exception as error:
            # The network's own code failed on a shape, or on a value without data.
            lines = [*filter(str.strip, str(error).splitlines()), type(error).__name__]
            reason = f"fails when it is traced: {lines[0]}"  # further lines may be frames
            raise network.refusal(reason, error) from error
    try:
        tensors = [*tensors_in(out)]
    except NotImplementedError as error:
        raise network.refusal(f"its output: {error}") from None
    if not tensors:
        raise network.refusal(
            f"its output, of type {type(out).__name__}, has no tensors in tuples, lists, "
            "dictionaries or dataclasses, where they are looked for; wrap it so that it gives them"
        )
    try:
        end_with(network, [value for value in values_in(tensors) if not isinstance(value, Scores)])
    except NotImplementedError as error:
        raise network.refusal(str(error)) from error


def _of_program(model: torch.export.UnflattenedModule) -> str:
    """What may be wrong with a program of ``torch.export`` that cannot be followed."""
    inputs = (node.meta.get("val") for node in model.graph.nodes if node.op == "placeholder")
    images = [of.shape[0] for of in inputs if getattr(of, "shape", None)]
    if all(isinstance(number, torch.SymInt) or number == IMAGES for number in images):
        return ""
    return (
        "; a program of a fixed number of images may have it in its shapes: export it with "
        "dynamic_shapes in which the first axis is free (torch.export.Dim)"
    )


class Mode(TorchFunctionMode):
    """Sees every function of torch that the network calls.

    Parameters
    ----------
    network : Network
    keep : callable
        Takes weights and constants before the network writes to them.
    """

    def __init__(self, network: Network, keep: Callable[[Iterable[torch.Tensor]], None]) -> None:
        super().__init__()
        self.network = network
        self.keep = keep

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Follow a function of values; run one of weights and constants as it is."""
        call = Call(self.network, func, args, kwargs or {})
        given = list(tensors_in((call.args, call.kwargs)))
        if not any(tensor.is_meta or value_of(tensor) is not None for tensor in given):
            if call.in_place:
                self.keep(tensors_in(args[:1]))
            self.keep(tensors_in(call.kwargs.get("out")))
            return func(*args, **call.kwargs)
        try:
            return self.follow(call, [tensor for tensor in given if tensor.is_meta])
        except NotImplementedError as error:
            raise self.network.refusal(str(error)) from error

    def follow(self, call: Call, given: list[torch.Tensor]) -> Any:
        """What a function of values gives: tensors that stand for it, or what it gives itself."""
        if call.full_name == "__setitem__":
            put_back(*call.args)
        if call.name.lstrip("_").startswith("nested_") or any(tensor.is_nested for tensor in given):
            raise NotImplementedError(RAGGED)
        handles = [self.require_known(tensor, call.name) for tensor in given]
        if call.full_name in ("__set__", "__delitem__") or call.kwargs.get("out") is not None:
            raise NotImplementedError(f"{call.name} writes where it cannot be followed")
        first = value_of(call.args[0]) if call.args else None
        if call.in_place and first is None:
            raise NotImplementedError(
                f"{call.name} writes into a tensor that is no value; add instead"
            )
        with self.owner_of(call):
            found = apply(call)
        if found is first and (call.in_place or call.kwargs.get("inplace")):
            return call.args[0]  # the same tensor, which stands for the same nodes
        if call.in_place:
            if not isinstance(found, Value):
                raise NotImplementedError(f"{call.name} in place cannot be followed")
            write(call.args[0], found)
            return call.args[0]
        memory = handles[0].memory if call.may_alias else None
        if isinstance(found, list):
            return tuple(
                stand_in(self.network, value, memory) if value is not None else None
                for value in found
            )
        if not isinstance(found, Value):
            return found  # a shape, a length
        tensor = stand_in(self.network, found, memory)
        if call.full_name == "__getitem__":
            handle_of(tensor).taken = handles[0], call.args[1], handles[0].version
        return tensor

    def owner_of(self, call: Call) -> contextlib.AbstractContextManager:
        """While it lasts, the layer of a program runs whose parameter a function is given."""
        owners = self.network.owners
        name = next((owners[id(p)] for p in tensors_in(call.args) if id(p) in owners), None)
        if not name:
            return contextlib.nullcontext()
        return self.network.part(name, call.name)

    def require_known(self, tensor: torch.Tensor, name: str) -> Handle:
        """What is known of a tensor, which must be all there is to know."""
        handle = handle_of(tensor)
        if handle is None or handle.owner is not self.network:
            raise NotImplementedError(f"{name} reads a value that could not be followed")
        if handle.version != handle.memory.version:
            raise NotImplementedError(
                f"{name} reads a tensor that was written to in place by another name"
            )
        return handle
