"""The linear network that a network is, once only its weights count: what SynFlow means by R.

Tanaka et al. (NeurIPS 2020) give the weights their moduli and push an input of ones through. That
is a flow, which is conserved and never negative, if nothing but the weights shapes it; with ReLU
and batch normalisation in evaluation mode nothing else does. Other networks are made so while they
run, under a ``TorchFunctionMode`` that sees modules and functional calls alike:

- activations, which grow with what they are given, are the identity, and so is dropout;
- normalisations by what flows itself (of layers, groups, instances, positions) are the identity up
  to the modulus of their own factor; batch normalisation keeps abs(gamma) / sqrt(running variance
  + eps), and has no other statistics;
- what divides by a value that depends on the input normalises, and is left out;
- what is constant adds nothing (biases, shifts, embeddings) and multiplies by its modulus; a
  difference is a sum;
- a product of two values that depend on the input, as of squeeze-and-excitation, is their sum: so
  both carry, and what runs once is not squared. A value times itself (x * sigmoid(x)) is itself.

The authors' code gives all tensors of the state their moduli, the shifts of batch normalisation
(beta, running mean) too. At initialisation these are zero; later they would subtract from the flow,
which then is neither conserved nor positive, and are left out here.

Every other function runs as it is and must prove linear: twice the input gives twice the output,
none of it negative. Pooling, reshaping and the like are; softmax attention and cells are not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from models.inputs import is_known, replaced, split, tensors_in
from pruning.flow import Flow, NotLinear, Reach, flows, tokens
from pruning.inputs import ones
from pruning.weights import prunable_weights
from pruning.working_copy import device_of, working_copy


def linearised(model: nn.Module, device: torch.device | None = None) -> nn.Module:
    """Return a float64 copy of `model` whose parameters are their moduli, for `outputs`.

    Parameters
    ----------
    model : torch.nn.Module
        The network; not altered.
    device : torch.device or None
        Where the copy lives; the model's device if None.

    Returns
    -------
    torch.nn.Module
        The copy, in evaluation mode; only its prunable weights require gradients.
    """
    twin = working_copy(model, device or device_of(model)).double().eval().requires_grad_(False)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.abs_()
    for weight in prunable_weights(twin).values():
        weight.requires_grad_(True)
    return twin


def outputs(linear: nn.Module, given: Any, is_proven: bool = False) -> torch.Tensor:
    """Run a network as a linear one.

    Parameters
    ----------
    linear : torch.nn.Module
        What `linearised` returned, its weights possibly masked since.
    given : torch.Tensor, tuple or dict
        What it is called with, not negative, of the network's dtype and on its device
        (`pruning.inputs.ones`).
    is_proven : bool
        Whether it has run before, with weights of which some may be zero since: see `Flow`.

    Returns
    -------
    torch.Tensor
        Its outputs, not negative; those of several tensors in a row.

    Raises
    ------
    NotLinear
        If no linear network can be made of it.
    """
    return together(run_as(linear, given, Flow(is_proven)))


def together(outputs: list[torch.Tensor]) -> torch.Tensor:
    """All outputs, those of several tensors in a row."""
    return outputs[0] if len(outputs) == 1 else torch.cat([out.reshape(-1) for out in outputs])


def reached(model: nn.Module, input_shape: tuple[int, ...], example: Any = None) -> torch.Tensor:
    """Tell which outputs of a network some input reaches along its weights.

    The value of any other output is the same for every image. Normalisations and biases count for
    nothing, shortcuts without weights carry: it is reachability in the multipartite graph of the
    wiring ``identity``, found without the graph.

    Parameters
    ----------
    model : torch.nn.Module
        Its weights as they are: zero is removed. Not altered.
    input_shape, example
        As for `pruning.inputs.ones`.

    Returns
    -------
    torch.Tensor of bool, shape (outputs,)
        On the CPU. Of an output that is a map, channels.

    Raises
    ------
    NotLinear
        If it cannot be told.
    """
    twin = working_copy(model, device_of(model)).float().eval().requires_grad_(False)
    with torch.no_grad():
        given = ones(input_shape, example, device=device_of(twin))
        arrived, *more = run_as(twin, given, Reach())
        if more:
            raise NotLinear(f"{type(model).__name__}: its output is not one tensor")
        arrived = torch.atleast_1d(arrived[0]) > 0
    return arrived.reshape(len(arrived), -1).any(dim=1).cpu()


def run_as(model: nn.Module, given: Any, mode: Flow) -> list[torch.Tensor]:
    """Run a network while a mode replaces what it does.

    Parameters
    ----------
    model : torch.nn.Module
    given : torch.Tensor, tuple or dict
        What it is called with; left as it is.
    mode : Flow

    Returns
    -------
    list of torch.Tensor
        Its outputs that come from its inputs, wherever they are in tuples and the like. One that is
        given twice, or before and after an activation, is there once.

    Raises
    ------
    NotLinear
        Naming the module.
    """
    args, kwargs = replaced(split(given), _entering)
    modules: list[str] = []  # those that run
    try:
        with _named(model, modules), mode:
            out = model(*args, **kwargs)
        found = {each._flow: each for each in tensors_in(out) if flows(each)}
    except NotLinear as error:
        raise NotLinear(f"{modules[-1] if modules else type(model).__name__}: {error}") from None
    except Exception as error:  # of the network's own code, on this input
        where = modules[-1] if modules else type(model).__name__
        line = next(iter(str(error).splitlines()), type(error).__name__)
        shapes = [str(tuple(each.shape[1:])) for each in tensors_in(split(given)) if each.dim()]
        what = f"an input of shape {shapes[0]}" if len(shapes) == 1 else "inputs of the shapes "
        what += ", ".join(shapes) if len(shapes) > 1 else ""
        raise NotLinear(f"{where} fails on {what}: {line}") from error
    if not found or not all(each.dim() for each in found.values()):
        raise NotLinear(
            f"{type(model).__name__}: its output is no tensor with an axis of images that comes "
            "from its input"
        )
    return list(found.values())


def _entering(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of what a network is called with, which flows or is known."""
    tensor = tensor.clone()
    if is_known(tensor):
        return tokens(tensor)
    if tensor.dim():
        tensor._flow = object()
    return tensor


@contextlib.contextmanager
def _named(model: nn.Module, modules: list[str]) -> Iterator[None]:
    """Know which module runs."""

    def enter(name: str) -> Callable[..., None]:
        return lambda module, args: modules.append(name)

    with contextlib.ExitStack() as hooks:
        for name, module in model.named_modules():
            kind = type(module).__name__
            for handle in (
                module.register_forward_pre_hook(enter(f"{name} ({kind})" if name else kind)),
                module.register_forward_hook(lambda *_: modules.pop() and None),
            ):
                hooks.callback(handle.remove)
        yield
