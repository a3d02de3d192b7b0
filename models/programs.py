"""Networks that are no Python modules any more: programs of ``torch.export`` and TorchScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .weighted import mirrored, prunable

if TYPE_CHECKING:
    from torch import Tensor, nn


def as_module(model: Any) -> nn.Module:
    """A module of a program of ``torch.export``, with the modules that it was made of; or `model`.

    Its inputs are not checked: it is called with any number of images.
    """
    import torch

    if not isinstance(model, torch.export.ExportedProgram):
        return model
    module = torch.export.unflatten(model)
    module.check_input_constraints = False
    return module


def is_scripted(module: nn.Module) -> bool:
    """Whether it is of TorchScript."""
    import torch

    return isinstance(module, torch.jit.ScriptModule)


def is_program(model: Any) -> bool:
    """Whether weights of a network are in a program or in TorchScript, where no layer has them."""
    import torch

    if isinstance(model, torch.export.ExportedProgram):
        return True
    modules = [*model.modules()]
    if is_scripted(model) or any(is_scripted(each) and [*each.parameters()] for each in modules):
        return True
    return not prunable(model) and any([*called(each)] for each in modules)


def kinds(module: nn.Module) -> frozenset[str]:
    """Names of the classes of torch that a module is of; of TorchScript, was made of."""
    if is_scripted(module):
        return frozenset({module.original_name})
    classes = type(module).__mro__
    return frozenset(each.__name__ for each in classes if each.__module__.startswith("torch.nn."))


def called(module: nn.Module) -> Iterator[tuple[str, str, Tensor]]:
    """The functions with weights that a module of a program calls.

    Yields
    ------
    function : str
        As ``torch.ops.aten`` has it.
    name : str
        Of the layer, in the module.
    weight : torch.Tensor, shape (out, in, ...)
        Of an embedding, (rows, features).
    """
    for node in getattr(getattr(module, "graph", None), "nodes", ()):
        function = getattr(node.target, "__name__", "").partition(".")[0]
        place = {"embedding": 0}.get(function, 1)
        if node.op != "call_function" or not function.startswith(("conv", "linear", "embedding")):
            continue
        given = node.args[place]
        if given.op != "get_attr" or not str(given.target).endswith("weight"):
            continue
        weight = module.get_parameter(given.target).detach()
        if function.startswith("conv_transpose"):
            weight = mirrored(weight, node.args[6] if len(node.args) > 6 else 1)
        yield function, given.target.removesuffix("weight").removesuffix("."), weight
