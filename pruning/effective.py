"""Weights that are effective: on some path from an input to an output.

Numbers are replaced by whether they are zero, in both directions: forwards by whether an input
reaches them (`pruning.flow.Reach`), backwards by whether they reach an output. The gradient of a
weight is then the number of its effective edges. This is exact at any depth and in any precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves

from pruning.flow import NotLinear, Reach, flows
from pruning.inputs import ones
from pruning.linear import run_as, together
from pruning.masks import Masks
from pruning.weights import prunable_weights
from pruning.working_copy import device_of, working_copy


def effective_masks(
    model: nn.Module, input_shape: tuple[int, ...] = (3, 32, 32), example_input: Any = None
) -> Masks:
    """Find the weights of which some use lies on a path from an input to an output.

    Shortcuts without weights carry, as in the network, whatever the wiring of its graph. The
    network's padding is no input.

    Parameters
    ----------
    model : torch.nn.Module
        Its weights as they are: zero is removed. Not altered.
    input_shape : tuple of int
        Of one input.
    example_input : torch.Tensor, tuple or dict, optional
        What the network is called with, in its place: as `graph_encoding.encode` takes it.

    Returns
    -------
    dict of str to torch.Tensor
        Boolean CPU masks by parameter name; True is effective, and no zero is.

    Raises
    ------
    NotLinear
        If it cannot be told: the network does what has no fixed paths.

    Notes
    -----
    Vysogorets and Kempe, "Connectivity Matters: Neural Network Pruning Through the Lens of
    Effective Sparsity", JMLR 24, 2023.
    """
    twin = working_copy(model, device_of(model)).float().eval().requires_grad_(False)
    weights = prunable_weights(twin)
    for weight in weights.values():
        weight.requires_grad_(True)
    given = ones(input_shape, example_input, device=device_of(twin))
    with torch.enable_grad():
        out = together(run_as(twin, given, Connecting()))
        found = torch.autograd.grad(out.sum(), list(weights.values()), allow_unused=True)
    return {
        name: torch.zeros(weight.shape, dtype=torch.bool)
        if counts is None
        else ((counts > 0.5) & (weight != 0)).cpu()
        for (name, weight), counts in zip(weights.items(), found, strict=True)
    }


class Connecting(Reach):
    """`Reach`, whose gradients tell what reaches an output.

    A maximum passes its gradient to one of what it compares. Here all of them count, as they do in
    the graph, so it is a sum.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "").strip("_")
        if name in POOLING or (name in PAIRS and all(map(flows, args))):
            func = POOLING.get(name, torch.add)
        return super().__torch_function__(func, types, args, kwargs)

    def through(self, func, input, weight, *rest, **kwargs) -> torch.Tensor:
        return _Through.apply(input, weight, lambda x, w: func(x, w, *rest, **kwargs))


class _Through(torch.autograd.Function):
    """A layer between zeros and ones, forwards and backwards."""

    @staticmethod
    def forward(ctx, input: torch.Tensor, weight: torch.Tensor, layer: Callable) -> torch.Tensor:
        ctx.layer = layer
        ones, edges = ((numbers != 0).to(input.dtype) for numbers in (input, weight))
        ctx.save_for_backward(ones, edges)
        return _whole(layer(ones, edges))

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        ends = tuple(numbers.requires_grad_() for numbers in map(torch.clone, ctx.saved_tensors))
        with torch.enable_grad():
            out = ctx.layer(*ends)
        back, counts = torch.autograd.grad(out, ends, (gradient != 0).to(out.dtype))
        return _whole(back), counts, None


def _whole(counts: torch.Tensor) -> torch.Tensor:
    """Whether counts are not zero; a fast algorithm of convolution may leave something near 0."""
    return (counts > 0.5).to(counts.dtype)


def _by_mean(average: Callable) -> Callable:
    def max_pool(
        input,
        kernel_size,
        stride=None,
        padding=0,
        dilation=1,
        ceil_mode=False,
        return_indices=False,
    ):
        if return_indices or set(tree_leaves(dilation)) != {1}:
            raise NotLinear("max pooling with dilation, or with indices, cannot be followed")
        return average(input, kernel_size, stride or None, padding, ceil_mode)

    return max_pool


def _adaptively_by_mean(average: Callable) -> Callable:
    return lambda input, size, *_: average(input, size)


POOLING = {
    **{f"max_pool{n}d": _by_mean(getattr(F, f"avg_pool{n}d")) for n in (1, 2, 3)},
    **{
        f"adaptive_max_pool{n}d": _adaptively_by_mean(getattr(F, f"adaptive_avg_pool{n}d"))
        for n in (1, 2, 3)
    },
    "amax": lambda input, dim=(), keepdim=False: torch.sum(input, dim, keepdim),
}
"""What takes the place of maxima over positions."""

PAIRS = ("maximum", "minimum")
