"""Sums, products and gates of values: see `sums`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .. import sums
from ..tensors import value_of
from ..values import Value
from .arguments import read
from .registry import Call, handles


@handles("add sub subtract rsub")
def added(call: Call, input: Any, other: Any, **kwargs: Any) -> Value:
    """A sum; constants add nothing."""
    values, _ = _of_one_shape(call, input, other)
    return sums.summed(call.network, values)


@handles("mul multiply div divide true_divide rdiv maximum minimum")
def multiplied(call: Call, input: Any, other: Any, **kwargs: Any) -> Value:
    """The nodes of both; where a constant factor is 0, those of none."""
    values, shape = _of_one_shape(call, input, other)
    if len(values) == 2:
        return sums.beside(call.network, values)
    if value_of(input) is not None and value_of(other) is not None:  # a norm
        return values[0]
    factor = torch.as_tensor(other if value_of(input) else input)
    zero = (factor == 0).to("cpu").broadcast_to(shape)
    if not bool(zero.any()):
        return values[0]
    return values[0].changed(lambda numbers: numbers.masked_fill(zero, -1))


@handles("addcmul")
def product_added(call: Call, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Value:
    """A product, as of a scale, added to something, as to a shift."""
    shape = torch.broadcast_shapes(input.shape, tensor1.shape, tensor2.shape)
    terms = [found] if (found := value_of(input)) is not None else []
    if value_of(tensor1) is not None or value_of(tensor2) is not None:
        terms.append(multiplied(call, tensor1, tensor2))
    return sums.summed(
        call.network, [term.changed(lambda numbers: numbers.broadcast_to(shape)) for term in terms]
    )


def _of_one_shape(call: Call, *terms: Any) -> tuple[list[Value], torch.Size]:
    shape = torch.Size(np.broadcast_shapes(*(getattr(term, "shape", ()) for term in terms)))
    values = [value for term in terms if (value := value_of(term)) is not None]
    return [
        value if value.shape == shape else value.changed(lambda n: n.broadcast_to(shape))
        for value in sums.normed(values, call.name)
    ], shape


@handles("glu")
def gated(call: Call, input: Any, dim: int = -1) -> Value:
    """The nodes of both halves."""
    halves = [numbers.chunk(2, dim) for numbers in read(input).alternatives]
    return sums.beside(call.network, [Value(half) for half in zip(*halves, strict=True)])
