"""The weights of every layer of a network, each a matrix from inputs to outputs.

No forward pass is asked for: what a layer's weights join is told by its type alone. So there are
more layers than `prunable`, which can be followed through a network: projections of attention, the
gates of recurrent layers, embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import nn

from .programs import called, is_scripted, kinds
from .weighted import has_own_layers, masked, mirrored, prunable, weight_of

if TYPE_CHECKING:
    from torch import Tensor

GATES = {"LSTM": "ifgo", "LSTMCell": "ifgo", "GRU": "rzn", "GRUCell": "rzn"}
"""In the order in which torch has them one below the other (its documentation names them so)."""


def matrices(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The layers of a network, with their weights as the forward pass uses them.

    Parameters
    ----------
    model : torch.nn.Module

    Yields
    ------
    name : str
        Of the module; with what part of it the weights are where it has several (``attention.q``,
        ``lstm.weight_ih_l0.f``). In ``named_modules()`` order.
    weight : torch.Tensor, shape (out, in, ...)
        Detached. An embedding is a layer whose inputs are the rows of its table.

    Raises
    ------
    ValueError
        If weights are in the code of TorchScript, where no layer has them.
    """
    plain = prunable(model)
    for name, module in model.named_modules():
        if is_scripted(module) and _is_frozen(module):
            raise ValueError(
                f"{name or 'the network'} is frozen, its weights are in its code: give the script "
                "as it was before torch.jit.freeze, or take the encoding unrolled"
            )
        if name in plain:
            yield name, weight_of(module)
            continue
        for part, weight in _parts(module):
            yield ".".join(filter(None, (name, part))), weight.detach()


def _is_frozen(script: nn.Module) -> bool:
    """Whether a script has tensors in its code, and no mode: freezing takes that away."""
    if hasattr(script, "training"):
        return False
    constants = script.graph.findAllNodes("prim::Constant")
    held = (node.kindOf("value") for node in constants if node.hasAttribute("value"))
    return not {"t", "ival"}.isdisjoint(held)


def _parts(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    names = kinds(module)
    if "MultiheadAttention" in names:
        if has_own_layers(module):
            return
        if getattr(module, "in_proj_weight", None) is not None:
            yield from zip("qkv", masked(module, "in_proj_weight").chunk(3), strict=True)
        else:
            for part in "qkv":
                yield part, masked(module, f"{part}_proj_weight")
    elif names & {"RNNBase", "RNNCellBase", "RNN", "RNNCell", *GATES}:
        yield from _of_recurrent(module, names)
    elif names & {"Embedding", "EmbeddingBag"} or _is_transposed_linear(module):
        yield "", masked(module, "weight").T
    elif is_scripted(module):
        yield from _of_script(module)
    else:
        for function, name, weight in called(module):
            yield name, weight.T if function == "embedding" else weight


def _of_script(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    (kind,) = kinds(module)
    if not kind.startswith(("Conv", "Linear", "NonDynamicallyQuantizableLinear")):
        return
    weight = module.weight
    if kind.startswith("ConvTranspose"):
        if not hasattr(module, "groups"):
            raise ValueError(
                "a transposed convolution of torch.jit.trace does not tell its groups: give the "
                "network that was traced, or torch.jit.script it"
            )
        weight = mirrored(weight, module.groups)
    if isinstance(weight, torch.Tensor) and weight.dim() > 1:
        yield "", weight


def _of_recurrent(module: nn.Module, kinds: frozenset[str]) -> Iterator[tuple[str, Tensor]]:
    gates = next((gates for kind, gates in GATES.items() if kind in kinds), "")
    own = [name for name, _ in module.named_parameters(recurse=False)]
    for name in getattr(module, "_flat_weights_names", own):
        if not name.startswith("weight"):
            continue
        weight = masked(module, name)
        if not gates or name.startswith("weight_hr"):  # the projection of an LSTM has no gates
            yield name, weight
        else:
            for gate, part in zip(gates, weight.chunk(len(gates)), strict=True):
                yield f"{name}.{gate}", part


def _is_transposed_linear(module: nn.Module) -> bool:
    """Whether it is the layer of GPT-2 in ``transformers``: a linear one, (in, out)."""
    weight = getattr(module, "weight", None)
    is_named = type(module).__name__ == "Conv1D" and hasattr(module, "nf")
    return is_named and isinstance(weight, torch.Tensor) and weight.dim() == 2
