"""What a network is called with: tensors that stand for the nodes of its input layers.

An example says which arguments there are: a tensor, a tuple of them, or a dictionary of those with
keywords, nested as the network takes them. A tensor of numbers, images first, is a layer of input
nodes. Whole numbers (but bytes) are none: they are known, as masks are, until an Embedding looks
rows up by them, and the rows are an input layer. Anything else is given as it is.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.inputs import RAGGED, is_known, replaced, split, tensors_in

from ..weights import UnsupportedNetwork
from .network import Network
from .tensors import stand_in
from .values import IMAGES, Tokens, Value


def arguments(network: Network, model: nn.Module, example: Any) -> tuple[tuple, dict[str, Any]]:
    """Arguments and keyword arguments of a forward pass that is followed.

    Parameters
    ----------
    network : Network
        It gets the input layers.
    model : torch.nn.Module
    example : torch.Tensor, tuple or mapping

    Raises
    ------
    UnsupportedNetwork
        If the network cannot be called with it, or a tensor is no batch of images or of vectors.
    """
    args, kwargs = split(example)
    named = _named(network, model, args, kwargs)
    try:
        tensors = [*tensors_in([*named.values()])]
    except NotImplementedError as error:
        raise UnsupportedNetwork(f"the example input: {error}") from None
    if any(tensor.is_nested for tensor in tensors):
        raise UnsupportedNetwork(f"the example input: {RAGGED}")
    single = len(tensors) == 1
    if not tensors:
        raise UnsupportedNetwork("the example input holds no tensor; give what the network reads")
    images = next((len(tensor) for tensor in tensors if tensor.dim()), None)

    def given(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if not tensor.dim():
            return tensor
        if len(tensor) != images:
            if is_known(tensor):
                return tensor
            raise UnsupportedNetwork(
                f"{name} of the example input has {len(tensor)} images, and its first tensor has "
                f"{images}: give it as many, or as true and false if it is a mask"
            )
        if is_known(tensor):
            one = torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor.cpu()
            return stand_in(network, Tokens(torch.cat([one[:1]] * IMAGES)))
        value = _new_input(network, "input" if single else name, tuple(tensor.shape[1:]), single)
        return stand_in(network, value)

    made = {
        name: replaced(value, lambda tensor, name=name: given(name, tensor))
        for name, value in named.items()
    }
    return tuple(made.values())[: len(args)], {name: made[name] for name in kwargs}


def _new_input(network: Network, name: str, shape: tuple[int, ...], single: bool) -> Value:
    if not single <= len(shape) <= 4 or min(shape, default=1) < 1:
        raise UnsupportedNetwork(
            f"an input of shape {shape} is neither an image (channels, and one to three sizes) nor "
            "a vector; it has no axis of images"
        )
    tokens_first = len(network.layers) in network.tokens_first
    channels, *sizes = (shape[::-1] if tokens_first else shape) or (1,)
    value = network.new_input(name, channels, (1, 1, 1, *sizes)[-3:])
    if tokens_first:
        value = value.changed(lambda numbers: numbers.transpose(1, -1))
    return value.changed(lambda numbers: numbers.reshape(IMAGES, *shape))


def _named(
    network: Network, model: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> dict[str, Any]:
    """All arguments by name, those without a keyword first; refuses what a network cannot take."""
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):  # of no Python function: whatever it takes
        names = []
    else:
        try:
            names = [*signature.bind(*args, **kwargs).arguments]
        except TypeError:
            raise network.refusal(_other_arguments(model, signature, args, kwargs)) from None
    names = names if len(names) >= len(args) else []
    first = [name for name in names if name not in kwargs][: len(args)]
    first += [f"input {number}" for number in range(len(first), len(args))]
    return dict(zip(first, args, strict=True)) | kwargs


def _other_arguments(
    model: nn.Module, signature: inspect.Signature, args: tuple, kwargs: dict[str, Any]
) -> str:
    needed = [
        each.name
        for each in signature.parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    given = ", ".join(kwargs) or ("one tensor" if len(args) == 1 else f"{len(args)} of them")
    code = getattr(inspect.unwrap(model.forward), "__code__", None)
    where = f" (line {code.co_firstlineno} of {Path(code.co_filename).name})" if code else ""
    return (
        f"its forward takes {len(needed)} inputs ({', '.join(needed)}), and here it is given "
        f"{given}; {GIVE_ALL}{where}"
    )


GIVE_ALL = (
    "give example_input, a tuple of them or a dictionary with their names; to main.py, as the "
    "network's attribute example_input"
)
"""What to do about a network that takes other arguments than one tensor."""
