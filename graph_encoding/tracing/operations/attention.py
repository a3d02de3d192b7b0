"""Softmax attention in the three forms that networks give it; see `tracing.attention`."""

from __future__ import annotations

from typing import Any

import torch

from ..attention import BLOCKED, REFUSED, Scores, attended, scores
from ..linear import linear
from ..network import BY_LINEAR, ONE_BY_ONE, Network
from ..tensors import value_of, values_in
from ..values import Known, Value
from . import registry
from .arguments import read
from .registry import Call, handles

PLAIN = frozenset(
    str.split(
        """
        view reshape flatten unflatten permute transpose swapaxes swapdims movedim moveaxis squeeze
        unsqueeze expand getitem narrow select chunk split unbind mT
        contiguous detach clone float double half bfloat16 type to type_as nan_to_num dropout
        """
    )
)
"""What may be done to scores as to any other value."""

PRODUCT = (
    "a product of two values of the input that no softmax follows, as of a mean that is weighted "
    "by them or of attention by kernels,"
)


def has_scores(call: Call) -> bool:
    """Whether a function is given scores."""
    return any(isinstance(value, Scores) for value in values_in((call.args, call.kwargs)))


def of_scores(call: Call) -> Any:
    """What a function makes of scores."""
    if call.name == "einsum":
        return registry.apply(call)
    first = value_of(call.args[0]) if call.args else None
    if not isinstance(first, Scores) and call.name in ("where", "add", "mul"):
        first = value_of(call.args[1])
    if not isinstance(first, Scores):
        of = next(value for value in map(value_of, call.args) if isinstance(value, Scores))
        raise NotImplementedError(_refusal(call.name, of))
    name, args = call.name, call.args
    others = [each for each in args if value_of(each) is not first]
    if name in ("matmul", "bmm"):
        return of_matrices(call, first, value_of(args[1]))
    if name == "softmax":
        return _softmax(first, *args[1:], **call.kwargs)
    if name in PLAIN:
        found = registry.apply(call)
        if isinstance(found, list):
            return [Scores(each.alternatives, first.are_shares) for each in found]
        return Scores(found.alternatives, first.are_shares)
    if call.handler is None or call.is_property:  # a shape, a length
        return registry.apply(call)
    constants = [_constant(each) for each in others]
    if name in ("add", "sub") and constants and not (first.are_shares or call.kwargs):
        bias = torch.as_tensor(constants[0])
        return first.biased(-bias if name == "sub" else bias)
    if name == "masked_fill":
        mask, fill = constants if len(constants) == 2 else (constants[0], call.kwargs["value"])
        return _filled(first, ~mask, fill)
    if name == "where" and value_of(args[1]) is first:
        return _filled(first, constants[0], constants[1])
    if name in ("mul", "div") and constants:
        factor = torch.as_tensor(constants[0])
        removes = first.are_shares and name == "mul"
        return first.where(factor != 0 if removes else torch.ones_like(factor, dtype=torch.bool))
    if name == "linear" and value_of(args[1]) is None:
        return _mixed(first, *args[1:], **call.kwargs)
    raise NotImplementedError(_refusal(name, first))


def _refusal(name: str, first: Scores) -> str:
    what = "attention's shares" if first.are_shares else PRODUCT
    return f"{name} of {what} has no multipartite graph; {ONE_BY_ONE}"


def _mixed(first: Scores, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Scores:
    """Scores or shares of heads, which lie along the last axis and read alike, mixed.

    They only decide shares. A head takes none if all that is mixed for it is 0.
    """
    (codes,) = first.alternatives
    if len(weight) != codes.shape[-1] or ((codes < 0) != (codes[..., :1] < 0)).any():
        raise NotImplementedError("linear of attention's scores, of heads that do not read alike")
    if not first.are_shares:
        return first
    takes = (weight != 0).any(1)
    return first.where(takes if bias is None else takes | (bias != 0))


def _softmax(first: Scores, dim: int | None = None, *rest: Any, **kwargs: Any) -> Scores:
    if dim not in (-1, len(first.shape) - 1):
        raise NotImplementedError("softmax of attention's scores along another axis than the last")
    return Scores(first.alternatives, True)


def _filled(first: Scores, reads: torch.Tensor, fill: Any) -> Scores:
    fill = float(fill)
    if fill != 0 if first.are_shares else fill > -BLOCKED:
        raise NotImplementedError("scores of attention are filled with what does not rule keys out")
    return first.where(reads)


def _constant(given: Any) -> Any:
    """An argument that must not depend on the input."""
    value = value_of(given)
    if isinstance(value, Known):
        return value.data
    if value is not None:
        raise NotImplementedError("scores of attention that something else of the input changes")
    return given


@handles("matmul bmm mm sparse_mm")
def product(call: Call, input: Any, other: Any) -> Value:
    """The scores of queries and keys; no other product of values can be followed."""
    one, two = value_of(input), value_of(other)
    if one is None or two is None:
        raise NotImplementedError(f"{call.name} {BY_LINEAR}")
    return of_matrices(call, one, two)


def of_matrices(call: Call, one: Value, two: Value | None) -> Value:
    """What attention's two products give: scores of queries and keys, or shares of values."""
    if isinstance(one, Scores):
        if not one.are_shares or two is None or isinstance(two, Scores):
            raise NotImplementedError("scores that meet values without softmax cannot be followed")
        return attended(call.network, one, two)
    if not call.network.attends:
        raise NotImplementedError(f"{call.name} of two values: {REFUSED}")
    lead = torch.broadcast_shapes(one.shape[:-2], two.shape[:-2])
    return scores(one.changed(lambda n: n.broadcast_to(*lead, *n.shape[-2:])), two.shape[-1])


@handles("scaled_dot_product_attention")
def dot_product_attention(
    call: Call,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """The sets that queries attend to."""
    values = read(value)
    if enable_gqa:
        times = query.shape[-3] // value.shape[-3]
        values = values.changed(lambda numbers: numbers.repeat_interleave(times, -3))
    return _attention(call.network, _value(query), values, _constant(attn_mask), is_causal)


def _attention(
    network: Network, queries: Value, values: Value, mask: Any, is_causal: bool
) -> Value:
    if not network.attends:
        raise NotImplementedError(REFUSED)
    keys = values.shape[-2]
    lead = torch.broadcast_shapes(queries.shape[:-2], values.shape[:-2])
    if mask is not None:
        lead = torch.broadcast_shapes(lead, mask.shape[:-2])
    found = scores(queries.changed(lambda n: n.broadcast_to(*lead, *n.shape[-2:])), keys)
    if mask is not None:
        found = found.where(mask) if mask.dtype == torch.bool else found.biased(mask)
    if is_causal:
        found = found.where(torch.ones(queries.shape[-2], keys, dtype=torch.bool).tril())
    return attended(network, found, values)


@handles("multi_head_attention_forward")
def multi_head_attention(
    call: Call,
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: torch.Tensor,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> list[Value | None]:
    """Projections, the sets that queries attend to, and the projection of these.

    Keys and values that are parameters (`bias_k`, `add_zero_attn`) are no nodes.
    """
    network = call.network
    if not network.attends:
        raise NotImplementedError(REFUSED)
    if query.dim() != 3 or static_k is not None or static_v is not None:
        raise NotImplementedError("attention reads (images, positions, features)")
    positions, images = query.shape[:2]
    given = query, key, value
    with network.part(f"{network.module}.in_proj", "Linear"):
        if use_separate_proj_weight:
            weights = q_proj_weight, k_proj_weight, v_proj_weight
            projected = [_linear(network, *each) for each in zip(given, weights, strict=True)]
        elif query is key is value:
            whole = _linear(network, query, in_proj_weight)
            parts = [numbers.chunk(3, -1) for numbers in whole.alternatives]
            projected = [Value(each) for each in zip(*parts, strict=True)]
        else:
            weights = in_proj_weight.chunk(3)
            projected = [_linear(network, *each) for each in zip(given, weights, strict=True)]
    queries, _, values = (
        each.changed(lambda n: n.reshape(len(n), images, num_heads, -1).permute(1, 2, 0, 3))
        for each in projected
    )
    mask, padded = _added(attn_mask), _added(key_padding_mask)
    if mask is not None and mask.dim() == 3:
        mask = mask.reshape(images, num_heads, *mask.shape[1:])
    if padded is not None:
        mask = padded[:, None, None] + (0 if mask is None else mask)
    found = _attention(network, queries, values, mask, is_causal and mask is None)
    joined = found.changed(lambda n: n.permute(2, 0, 1, 3).reshape(positions, images, -1))
    with network.part(f"{network.module}.out_proj", "Linear"):
        out = linear(network, joined, out_proj_weight)
    if not need_weights:
        return [out, None]
    shares = scores(queries, len(key))
    if average_attn_weights:
        shares = Scores((shares.alternatives[0][:, 0],))
    return [out, Scores(shares.alternatives, True)]


def _added(mask: Any) -> torch.Tensor | None:
    """What a mask adds to scores: where it is True, what rules a key out."""
    mask = _constant(mask)
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape).masked_fill(mask.to("cpu"), -torch.inf)


def _value(tensor: torch.Tensor) -> Value:
    """What a tensor stands for: a constant for nothing."""
    value = value_of(tensor)
    return Value((torch.full(tensor.shape, -1),)) if value is None else value


def _linear(network: Network, tensor: torch.Tensor, weight: torch.Tensor) -> Value:
    if value_of(tensor) is None:
        return Value((torch.full((*tensor.shape[:-1], len(weight)), -1),))
    return linear(network, read(tensor), weight)
