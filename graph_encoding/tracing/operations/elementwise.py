"""Functions that leave every element where it is; biases, norms and activations add nothing."""

from __future__ import annotations

from typing import Any

import torch

from models.inputs import replaced

from ..sums import Moment
from ..tensors import value_of, values_in
from ..values import Value
from .registry import Call, handles


@handles(
    """
    relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish sigmoid logsigmoid tanh hardtanh
    hardswish hardsigmoid hardshrink softshrink tanhshrink softplus softsign softmax log_softmax
    softmin threshold clamp clamp_min clamp_max clip sign abs neg exp log sqrt square pow erf
    sin cos
    batch_norm instance_norm layer_norm group_norm rms_norm local_response_norm normalize
    clone requires_grad nan_to_num
    """
)
@handles(
    """
    contiguous detach float double half bfloat16 type cpu cuda .data real .real positive
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    """,
    aliases=True,
)
def same(call: Call, *args: Any, **kwargs: Any) -> Value:
    """The value that the function is given first, and no other."""
    first, *rest = values_in((args, kwargs))
    if rest or (args and value_of(args[0]) is not first):
        raise NotImplementedError(f"{call.name} by a value that depends on the input")
    return first


@handles("rsqrt reciprocal")
def inverted(call: Call, input: Any) -> Value:
    """The same value; of a norm's moment, one that multiplies."""
    value = same(call, input)
    if isinstance(value, Moment):
        return Moment(value.of, value.shape, value.mean, True)
    return value


@handles("to type_as", aliases=True)
def typed(call: Call, tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Value | torch.Tensor:
    """The same value; a constant is converted to the type of a value, which gives no more."""

    def of_type(other: torch.Tensor) -> torch.Tensor:
        if value_of(other) is None:
            return other
        return torch.empty(0, dtype=other.dtype, device=call.network.weight.device)

    if (value := value_of(tensor)) is not None:
        return value
    return call.func(tensor, *replaced(args, of_type), **replaced(kwargs, of_type))


@handles(".device .is_cuda .is_meta")
def place(call: Call, tensor: torch.Tensor, *args: Any) -> Any:
    """Where the network believes the tensor to be."""
    return getattr(call.network.weight, call.name)
