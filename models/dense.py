"""Networks whose weights are sparse tensors or quantised, as networks of plain numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .weighted import OF_TORCH


def plain(model: nn.Module) -> nn.Module:
    """A network whose weights are dense floating-point numbers.

    Parameters
    ----------
    model : torch.nn.Module
        Parameters may be of a sparse layout (COO, CSR, ...). Quantised modules (``torch.ao.nn``)
        become what they were made of: convolutions, Linear, embeddings, norms and activations.

    Returns
    -------
    torch.nn.Module
        The network itself if all of it is plain, or else a copy that shares what is. What it
        computes is not rounded any more.
    """
    memo: dict[int, Any] = {}  # what takes the place of which object
    for module in model.modules():
        if type(module).__module__.startswith(OF_TORCH):
            found = _dequantised(module)
            if found is not None:
                memo[id(module)] = found
    tensors = [*_tensors_of(model)]
    for tensor in tensors:
        if tensor.layout is not torch.strided:
            dense = dense_of(tensor)
            kept = isinstance(tensor, nn.Parameter)
            memo[id(tensor)] = nn.Parameter(dense, tensor.requires_grad) if kept else dense
    if not memo:
        return model
    for tensor in tensors:
        memo.setdefault(id(tensor), tensor)
    return copy.deepcopy(model, memo)


def _tensors_of(model: nn.Module) -> Iterator[Tensor]:
    """Parameters, buffers, and attributes, such as the weight that a mask has made."""
    yield from (*model.parameters(), *model.buffers())
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, Tensor))


def dense_of(tensor: Tensor) -> Tensor:
    """Numbers of a tensor that may be sparse or quantised."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    return tensor.dequantize() if tensor.is_quantized else tensor


def _dequantised(module: nn.Module) -> nn.Module | None:
    """The module that a quantised one was made of, None if that is not known."""
    from torch.ao.nn import quantized
    from torch.ao.nn.quantized.modules.conv import _ConvNd

    if isinstance(module, quantized.Linear | _ConvNd):
        return _layer_of(module)
    if isinstance(module, quantized.Embedding | quantized.EmbeddingBag):
        made = nn.EmbeddingBag if isinstance(module, quantized.EmbeddingBag) else nn.Embedding
        return made.from_pretrained(dense_of(module.weight()), freeze=True)
    if isinstance(module, quantized.Quantize | quantized.DeQuantize):
        return nn.Identity()
    if isinstance(module, quantized.QFunctional):
        return quantized.FloatFunctional()
    for kind in type(module).__mro__:
        if kind.__module__.startswith("torch.nn.modules") and kind is not nn.Module:
            return _of_kind(kind, module)
    return None


def _of_kind(kind: type[nn.Module], module: nn.Module) -> nn.Module:
    """A quantised module as one of torch's, of `kind` or of what derives from it by its name."""
    named = (getattr(nn, each.__name__, nn.Module) for each in type(module).__mro__)
    found = copy.copy(module)
    found.__class__ = next((each for each in named if issubclass(each, kind)), kind)
    if type(module).__name__.startswith("BNReLU"):
        found._forward_hooks = found._forward_hooks.copy()
        found.register_forward_hook(_then_relu)
    return found


def _layer_of(module: nn.Module) -> nn.Module:
    weight, bias = dense_of(module.weight()), module.bias()
    name = type(module).__name__
    if hasattr(module, "in_features"):
        layer = nn.Linear(module.in_features, module.out_features, bias is not None)
    else:
        kind = getattr(nn, ("ConvTranspose" if module.transposed else "Conv") + name[-2:])
        given = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        more = {"output_padding": module.output_padding} if module.transposed else {}
        layer = kind(
            module.in_channels,
            module.out_channels,
            bias=bias is not None,
            **{each: getattr(module, each) for each in given},
            **more,
        )
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(dense_of(bias))
    if "ReLU" in name:
        layer.register_forward_hook(_then_relu)
    return layer.train(module.training)


def _then_relu(module: nn.Module, args: tuple, out: Tensor) -> Tensor:
    return F.relu(out)
