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

import torch
from torch import nn

from models.own import example_of
from pruning.flow import Flow, NotLinear, Reach, flows
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


def outputs(linear: nn.Module, images: torch.Tensor, is_proven: bool = False) -> torch.Tensor:
    """Run a network as a linear one.

    Parameters
    ----------
    linear : torch.nn.Module
        What `linearised` returned, its weights possibly masked since.
    images : torch.Tensor
        A batch, not negative, of the network's dtype and on its device.
    is_proven : bool
        Whether it has run before, with weights of which some may be zero since: see `Flow`.

    Returns
    -------
    torch.Tensor
        Its outputs, not negative.

    Raises
    ------
    NotLinear
        If no linear network can be made of it.
    """
    return run_as(linear, images, Flow(is_proven))


def reached(model: nn.Module, input_shape: tuple[int, ...]) -> torch.Tensor:
    """Tell which outputs of a network some input reaches along its weights.

    The value of any other output is the same for every image. Normalisations and biases count for
    nothing, shortcuts without weights carry: it is reachability in the multipartite graph of the
    wiring ``identity``, found without the graph.

    Parameters
    ----------
    model : torch.nn.Module
        Its weights as they are: zero is removed. Not altered.
    input_shape : tuple of int
        Of one input.

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
        ones = torch.ones((1, *input_shape), device=device_of(twin))
        arrived = torch.atleast_1d(run_as(twin, ones, Reach())[0]) > 0
    return arrived.reshape(len(arrived), -1).any(dim=1).cpu()


def run_as(model: nn.Module, images: torch.Tensor, mode: Flow) -> torch.Tensor:
    """Run a network while a mode replaces what it does; raises `NotLinear` naming the module."""
    images = images.clone()
    images._flow = object()
    modules: list[str] = []  # those that run
    try:
        with _named(model, modules), mode:
            out = model(images)
    except NotLinear as error:
        raise NotLinear(f"{modules[-1] if modules else type(model).__name__}: {error}") from None
    except Exception as error:  # of the network's own code, on this input
        where = modules[-1] if modules else type(model).__name__
        line = next(iter(str(error).splitlines()), type(error).__name__)
        shape = tuple(images.shape[1:])
        if example_of(model) is not None:
            line += "; its example_input is for graphs, pruning runs it on one tensor: "
            is_asked = isinstance(mode, Reach)  # which --effective is
            other = "choose a pruner that does not run it, such as uniform or erk"
            line += "leave --effective out" if is_asked else other
        raise NotLinear(f"{where} fails on an input of shape {shape}: {line}") from error
    if not flows(out) or not out.dim():
        raise NotLinear(
            f"{type(model).__name__}: its output is not one tensor that comes from its input"
        )
    return out


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
