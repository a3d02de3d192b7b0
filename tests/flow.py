"""The linear flow of a network by torch's own forward and backward pass, and that of its graph.

A sparse network's graph is right if a vector that is pushed along its edges arrives as it does
through the network itself, once that is a linear flow: absolute weights, no biases, norms or
activations, sums in place of pooling, and a gate that adds. The same holds for a vector that is
pulled back, which torch's autograd does.
"""

from __future__ import annotations

import numpy as np
import torch
from flow_sets import adaptive_windows, added, beside, over_axes, pooled, resized, windows_of_kernel
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from graph_encoding import Graph, NodeLayer

UNCHANGED = {
    *("relu", "relu6", "leaky_relu", "silu", "gelu", "sigmoid", "hardswish", "hardsigmoid"),
    *("hardtanh", "tanh", "atan", "softmax", "dropout", "batch_norm", "layer_norm", "group_norm"),
}


class LinearFlow(TorchFunctionMode):
    """Replaces the functions that are not linear, while a network runs; what flows needs a
    gradient, weights and constants do not."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.__name__.strip("_")
        name = {"iadd": "add", "imul": "mul"}.get(name, name)
        if name in ("cat", "concat"):
            return beside(func, *args, **kwargs)
        if name == "linear":
            args, kwargs = (*args, *kwargs.values()), {}
        flowing = [a for a in args if isinstance(a, torch.Tensor) and a.requires_grad]
        if not flowing:
            return func(*args, **kwargs)
        x = flowing[0]
        if name in UNCHANGED:
            return x
        if name.startswith("conv"):
            return func(x, args[1].double().abs(), None, *args[3:], **kwargs)
        if name == "addmm":
            return flowing[0] @ args[2].double().abs()
        if name == "linear":
            return F.linear(x, args[1].double().abs())
        if name[:-2] in ("max_pool", "avg_pool"):
            names = ("kernel_size", "stride", "padding")
            given = dict(zip(names, args[1:4], strict=False)) | kwargs
            assert given.get("dilation", 1) == 1
            return pooled(x, windows_of_kernel(given, x.shape[2:]))
        if name.startswith("adaptive_"):
            sizes = zip(x.shape[2:], func(x, args[1]).shape[2:], strict=True)
            return pooled(x, [adaptive_windows(size, new) for size, new in sizes])
        if name == "interpolate":
            return resized(x, lambda maps: func(maps, *args[1:], **kwargs))
        if name == "multi_head_attention_forward":
            return _heads(*args, **kwargs)
        if name == "scaled_dot_product_attention":
            return _uniform(*args, **kwargs)
        if name == "matmul":  # scores know no data, shares are what masks leave of them
            if len(flowing) > 1:
                return torch.zeros(*x.shape[:-1], args[1].shape[-1])
            return (args[0].abs() > 1e-9).double() @ x
        if name == "einsum":
            return _einsum(*args)
        if name in ("mean", "sum", "norm"):
            if name == "norm":
                return over_axes(x, kwargs["dim"], kwargs["keepdim"])
            return over_axes(x, *args[1:], **kwargs)
        if name == "div":  # by what a norm is of
            return x
        if name in ("mul", "add", "sub", "addcmul"):
            return added(flowing)
        return func(*args, **kwargs)


def _uniform(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, **_) -> torch.Tensor:
    """Attention that sums up all values that a mask leaves."""
    reads = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool)
    if is_causal:
        reads = reads.tril()
    if attn_mask is not None:
        reads = reads & (attn_mask if attn_mask.dtype == torch.bool else attn_mask > -50)
    return reads.double() @ v


def _einsum(equation: str, *operands: torch.Tensor) -> torch.Tensor:
    """Scores, as of `matmul`, shares of values, or a linear layer of absolute weights."""
    if all(each.requires_grad for each in operands):
        return torch.zeros(torch.einsum(equation, *operands).shape)
    given = []
    for each in operands:
        if each.requires_grad:
            given.append(each)
        elif isinstance(each, nn.Parameter):
            given.append(each.double().abs())
        else:
            given.append((each.abs() > 1e-9).double())
    return torch.einsum(equation, *given)


def _heads(query, key, value, size, heads, weight, bias, *rest, **kwargs) -> tuple:
    """`F.multi_head_attention_forward` of one matrix of projections, the same way."""
    out, mask = rest[4], kwargs["attn_mask"]
    v = F.linear(value, weight.double().abs()[-size:])
    if mask is not None:
        mask = ~mask if mask.dtype == torch.bool else mask > -50
    apart = [
        each.view(len(each), -1, heads, size // heads).permute(1, 2, 0, 3) for each in (query, v)
    ]
    found = _uniform(apart[0], apart[1], apart[1], mask).permute(2, 0, 1, 3).reshape(query.shape)
    return F.linear(found, out.double().abs()), None


def torch_flow(
    model: nn.Module, pushed: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What arrives at the outputs, a vector to pull at them, and what arrives at the inputs."""
    model.eval().requires_grad_(False)
    x = torch.from_numpy(pushed)[None].requires_grad_()
    with LinearFlow():
        out = model(x)
    generator = torch.Generator().manual_seed(seed)
    pulled = torch.rand(out.shape, dtype=torch.float64, generator=generator)
    (back,) = torch.autograd.grad(out, x, pulled)
    return out.detach().numpy().ravel(), pulled.numpy().ravel(), back[0].numpy()


def graph_flow(
    graph: Graph, pushed: np.ndarray, pulled: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What arrives at the last nodes and, pulled back, at the input's own ones.

    The input layer holds the image and padding nodes around it, as much before as after it (or
    one position less).
    """
    ((along,), (back,)) = graph_flows(graph, [pushed], [pulled])
    return along, back


def graph_flows(
    graph: Graph, pushed: list[np.ndarray], pulled: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The same of all inputs and outputs, in the order of their layers."""
    along, against = graph_along(graph, pushed), np.zeros(graph.num_nodes)
    # A network may end in pooling: an output then stands for all positions of a channel.
    ends = [*zip(graph.output_layers, pulled, strict=True)]
    for layer, numbers in ends:
        against[layer.offset : layer.stop] = np.repeat(numbers, layer.size // len(numbers))
    # A layer is final once all layers behind it are.
    for block in sorted(graph.product.blocks, key=lambda block: -block.target.offset):
        block.backward(against, against)
    out = [
        along[layer.offset : layer.stop].reshape(len(numbers), -1).sum(axis=1)
        for layer, numbers in ends
    ]
    back = [
        _inside(layer, against, numbers).reshape(numbers.shape)
        for layer, numbers in zip(graph.input_layers, pushed, strict=True)
    ]
    return out, back


def graph_along(graph: Graph, pushed: list[np.ndarray]) -> np.ndarray:
    """What arrives at every node."""
    along = np.zeros(graph.num_nodes)
    for layer, numbers in zip(graph.input_layers, pushed, strict=True):
        inside = _inside(layer, along, numbers)
        inside[:] = numbers.reshape(inside.shape)
    # A layer is final once all layers before it are.
    for block in sorted(graph.product.blocks, key=lambda block: block.source.offset):
        block.forward(along, along)
    return along


def _inside(layer: NodeLayer, vector: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The part of a vector that is an input's own nodes."""
    channels, *sizes = numbers.shape
    sizes = (1, 1, 1, *sizes)[-3:]
    shape = (channels, layer.depth, layer.height, layer.width)
    before = [(outer - size) // 2 for outer, size in zip(shape[1:], sizes, strict=True)]
    inside = (slice(None), *(slice(b, b + size) for b, size in zip(before, sizes, strict=True)))
    return vector[layer.offset : layer.stop].reshape(shape)[inside]


def largest_difference(
    model: nn.Module, graph: Graph, input_shape: tuple[int, ...], seed: int = 0
) -> float:
    """Largest relative difference between the two flows, both ways; inf if nothing flows."""
    pushed = np.random.default_rng(seed).random(input_shape)
    out, pulled, back = torch_flow(model, pushed, seed)
    along, against = graph_flow(graph, pushed, pulled)
    if not out.any() or not back.any():
        return np.inf
    return max(_difference(along, out), _difference(against, back))


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


class Nothing(nn.Module):
    """In place of an identity shortcut, which adds no edges by default."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


def without_identity_shortcuts(model: nn.Module) -> nn.Module:
    """A network of torchvision without its identity shortcuts (changed in place)."""
    for module in model.modules():
        if getattr(module, "use_res_connect", False):  # MobileNetV2, EfficientNet
            module.use_res_connect = False
        if hasattr(module, "downsample") and module.downsample is None:  # ResNet
            module.downsample = Nothing()
        if type(module).__name__ == "CNBlock":  # ConvNeXt
            module.forward = lambda x, block=module: block.layer_scale * block.block(x)
        if type(module).__name__ == "EncoderBlock":  # ViT
            module.forward = lambda x, block=module: block.mlp(block.ln_2(_attended(block, x)))
        if type(module).__name__ == "SwinTransformerBlock":
            module.forward = lambda x, block=module: block.mlp(
                block.norm2(block.attn(block.norm1(x)))
            )
    return model


def _attended(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    x = block.ln_1(x)
    return block.self_attention(x, x, x, need_weights=False)[0]
