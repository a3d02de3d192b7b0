"""Function by function, what a network does once it is linear (see `pruning.linear`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from models.inputs import STILL_TOKENS
from pruning.error import PruningError


class NotLinear(PruningError):
    """A network of which no linear one can be made; one line that names module and function."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


IDENTITY = _names(
    """
    relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish sigmoid logsigmoid log_sigmoid
    expit tanh atan arctan erf sin asinh arcsinh hardtanh hardswish hardsigmoid hardshrink
    softshrink tanhshrink softplus softsign softmax log_softmax threshold clamp clamp_min clamp_max
    clip exp expm1 log log1p sqrt square abs absolute neg negative
    local_response_norm normalize
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout
    clone detach data to type type_as float double half bfloat16 nan_to_num
    """
)
"""Functions that are replaced by the identity (the network is in double precision throughout)."""

STATISTICS = _names("rsqrt var std norm linalg_norm linalg_vector_norm")
"""What only ever divides, to normalise: it is 1."""

CREATED = _names(
    """
    zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full
    new_empty new_tensor
    """
)
"""Functions that take no more than a shape from a value; what they give is constant."""

ASIDE = _names(
    """
    hash repr format requires_grad requires_grad_ is_leaf grad grad_fn register_hook retain_grad
    data_ptr stride is_contiguous storage_offset untyped_storage
    """
)
"""Functions that have no part in the flow."""

NUMBERS = _names("__float__ __int__ __array__ item tolist numpy")
"""Functions of which Python goes on with the numbers."""

ATTENTION = _names("scaled_dot_product_attention multi_head_attention_forward")
"""On an input of ones every position attends alike, and it would pass for linear."""

FACTORS = _names("matmul rmatmul imatmul mm bmm mv einsum tensordot")
"""Functions of which a constant argument counts by its modulus."""

HANDLERS = {
    **dict.fromkeys(_names("conv1d conv2d conv3d linear"), "weighted"),
    **dict.fromkeys(_names("conv_transpose1d conv_transpose2d conv_transpose3d"), "weighted"),
    **dict.fromkeys(_names("batch_norm instance_norm"), "batch_norm"),
    **{name: name for name in ("group_norm", "layer_norm", "rms_norm")},
    **dict.fromkeys(_names("add iadd radd sub isub rsub subtract"), "added"),
    **dict.fromkeys(_names("mul imul rmul multiply"), "product"),
    **dict.fromkeys(_names("div idiv itruediv truediv divide true_divide"), "quotient"),
    "glu": "gated",
    "addcmul": "product_added",
    "interpolate": "resized",
}
"""Functions with a method of `Flow` of their own."""

IN_PLACE = _names("__iadd__ __isub__ __imul__ __itruediv__ __imatmul__ __ipow__ __setitem__")


def flows(value: Any) -> bool:
    """Whether a value depends on the input."""
    return isinstance(value, torch.Tensor) and hasattr(value, "_flow")


def are_tokens(value: Any) -> bool:
    """Whether a value is whole numbers that the network is called with."""
    return isinstance(value, torch.Tensor) and hasattr(value, "_tokens")


def tokens(value: torch.Tensor) -> torch.Tensor:
    """Note of a tensor that it is such."""
    value._tokens = True
    return value


def _modulus(constant: Any) -> Any:
    """The modulus of a constant factor."""
    if isinstance(constant, torch.Tensor):
        signed = constant.dtype != torch.bool and constant.dtype != torch.uint8
        return constant.abs() if signed and not flows(constant) else constant
    return abs(constant) if isinstance(constant, int | float) else constant


class Flow(TorchFunctionMode):
    """Replaces, while a network runs, what is not linear.

    A tensor that depends on the input has an attribute ``_flow``: an object that it shares with
    those that are its images under activations and shifts.

    Parameters
    ----------
    is_proven : bool
        Whether the network has run so before, with weights that may since have become zero: what
        was linear then is so still, and is not proven again.

    Attributes
    ----------
    looked_up : list of torch.Tensor
        Ones that took the place of what an Embedding looks up by token ids: as in the graphs, the
        table is no layer of weights, and its rows are what comes in. So they do not depend on which
        ids are given.
    """

    def __init__(self, is_proven: bool = False) -> None:
        super().__init__()
        self.is_proven = is_proven
        self.looked_up: list[torch.Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = tree_leaves((args, kwargs))
        if not any(map(flows, given)):
            return self.known(func, args, kwargs, any(map(are_tokens, given)))
        name = getattr(func, "__name__", str(func))
        in_place = name in IN_PLACE or (name.endswith("_") and not name.endswith("__"))
        plain = func.__self__.__name__ if name == "__get__" else name.strip("_")
        if name in NUMBERS:
            raise NotLinear(f"{plain} depends on the data")
        if plain in ASIDE or plain in CREATED or name in ASIDE:
            return func(*args, **kwargs)
        if plain == "iter":
            return iter(self.__torch_function__(torch.Tensor.unbind, types, args))
        if kwargs.get("out") is not None or plain in ("set", "delitem"):
            raise NotLinear(f"{plain} writes where what flows cannot be followed")
        if plain in ATTENTION:
            raise NotLinear("softmax attention cannot be made linear")
        if plain in ("to", "type_as") and not flows(args[0]):
            return func(*args, **kwargs)  # a constant, which is given the type
        if plain in STATISTICS:
            return torch.ones_like(func(*args, **kwargs))
        if plain in HANDLERS:
            found = getattr(self, HANDLERS[plain])(func, *args, **kwargs)
        elif plain in IDENTITY or (plain == "pow" and flows(args[0])):
            found = self.same(plain, *args, **kwargs)
        else:
            return self.proven(plain, func, args, kwargs, in_place)
        if not flows(found):
            _marked(found, object())
        if in_place:  # other tensors that lie in the same memory see it, too
            args[0].copy_(found)
            return _marked(args[0], found._flow)
        return found

    def known(self, func: Callable, args: tuple, kwargs: dict, has_tokens: bool) -> Any:
        """Run a function of constants as it is; what token ids look up is an input, and so ones."""
        found = func(*args, **kwargs)
        name = getattr(func, "__name__", "").strip("_")
        if has_tokens and name == "embedding":
            rows = torch.ones_like(found, requires_grad=torch.is_grad_enabled())
            self.looked_up.append(rows)
            return _marked(rows.clone(), object())
        if has_tokens and name in STILL_TOKENS:
            for value in tree_leaves(found):
                if isinstance(value, torch.Tensor):
                    tokens(value)
        return found

    def same(self, plain: str, *args: Any, **kwargs: Any) -> torch.Tensor:
        """A copy of what is given: the network may write to the one and still need the other."""
        (value, *more) = filter(flows, tree_leaves((args, kwargs)))
        if more or (args and args[0] is not value):
            raise NotLinear(f"{plain} by a value that depends on the input cannot be made linear")
        if plain == "pow" and _exponent(*args, **kwargs) < 0:
            return torch.ones_like(value)  # it divides
        return _marked(value.clone(), value._flow)

    def proven(self, plain: str, func: Callable, args: tuple, kwargs: dict, in_place: bool) -> Any:
        """Run a function as it is, and make sure that it is linear where it is applied."""

        def doubled(value: Any) -> Any:
            if flows(value):
                return 2 * value.detach()
            return value.clone() if in_place and isinstance(value, torch.Tensor) else value

        if plain in FACTORS:
            args, kwargs = tree_map(_modulus, (args, kwargs))
        if self.is_proven:
            found = func(*args, **kwargs)
            for value in (*tree_leaves(found), *(args[:1] if in_place else ())):
                if isinstance(value, torch.Tensor) and value.is_floating_point():
                    _marked(value, object())
            return found
        with torch.no_grad():
            given, named = tree_map(doubled, (args, kwargs))
            twice = func(*given, **named)
        found = func(*args, **kwargs)
        pairs = list(zip(tree_leaves(found), tree_leaves(twice), strict=True))
        if in_place:
            pairs.append((args[0], given[0]))
        for once, two in pairs:
            if isinstance(once, torch.Tensor) and once.is_floating_point():
                same = torch.allclose(two, 2 * once, atol=0.0, rtol=1e-6, equal_nan=True)
                if not same or bool((once < 0).any()):
                    raise NotLinear(f"{plain} cannot be made linear")
                _marked(once, object())
            elif isinstance(once, torch.Tensor):
                if once.is_complex() or not torch.equal(once, two):
                    raise NotLinear(f"{plain} depends on the data")
            elif (once == two) is not True:
                raise NotLinear(f"{plain} depends on the data")
        return found

    def weighted(self, func, input, weight, bias=None, *rest, **kwargs) -> torch.Tensor:
        """A convolution or a linear layer."""
        if not flows(input) or flows(weight):
            raise NotLinear("weights that depend on the input cannot be made linear")
        return self.through(func, input, weight, None, *rest, **kwargs)

    def through(self, func, input, weight, *rest, **kwargs) -> torch.Tensor:
        return func(input, weight.abs(), *rest, **kwargs)

    def batch_norm(
        self,
        func,
        input,
        running_mean=None,
        running_var=None,
        weight=None,
        bias=None,
        training=False,
        momentum=0.1,
        eps=1e-5,
        *rest,
        **more,
    ) -> torch.Tensor:
        """Batch and instance normalisation by running statistics, where there are any."""
        if running_var is None:
            return self.channels(input, weight)
        mean = torch.zeros_like(running_var)
        scale = None if weight is None else weight.abs()
        return F.batch_norm(input, mean, running_var, scale, None, eps=eps)

    def group_norm(self, func, input, num_groups, weight=None, bias=None, eps=1e-5, *rest):
        return self.channels(input, weight)

    def layer_norm(self, func, input, normalized_shape, weight=None, bias=None, eps=1e-5, *rest):
        return self.rms_norm(func, input, normalized_shape, weight)

    def rms_norm(self, func, input, normalized_shape, weight=None, eps=None):
        return self.scaled(input, weight)

    def channels(self, input: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        dims = (1 for _ in input.shape[2:])
        return self.scaled(input, None if weight is None else weight.reshape(-1, *dims))

    def scaled(self, input: torch.Tensor, factors: torch.Tensor | None) -> torch.Tensor:
        """What a norm leaves: its factors."""
        return input.clone() if factors is None else input * factors.abs()

    def added(self, func, input, other, alpha=1) -> torch.Tensor:
        """A sum or a difference; constants add nothing but their shape."""
        if not flows(other):
            return self.shaped(input, other)
        other = _marked(other * abs(alpha), other._flow) if alpha != 1 else other
        return input + other if flows(input) else self.shaped(other, input)

    def product(self, func, input, other, **kwargs) -> torch.Tensor:
        if kwargs:
            raise NotLinear("a product or quotient that is rounded cannot be made linear")
        if flows(input) and flows(other):
            return self.shaped(input, other) if input._flow is other._flow else input + other
        return _modulus(input) * _modulus(other)

    def product_added(self, func, input, tensor1, tensor2, value=1) -> torch.Tensor:
        if not flows(tensor1) and not flows(tensor2):
            return self.shaped(input, tensor1 * tensor2)
        found = self.product(torch.mul, tensor1, tensor2)
        return self.added(torch.add, input, _marked(found, object()), abs(value))

    def quotient(self, func, input, other, **kwargs) -> torch.Tensor:
        if not flows(input):
            raise NotLinear("a quotient that falls as the input grows cannot be made linear")
        if flows(other):  # normalised
            return self.shaped(input, other)
        return input / _modulus(other)

    def gated(self, func, input, dim=-1) -> torch.Tensor:
        value, gate = input.chunk(2, dim)
        return value + gate

    def resized(self, func, input, size=None, scale_factor=None, mode="nearest", *rest, **kwargs):
        """Shares of positions count by their moduli: those of bicubic interpolation may be < 0."""
        if mode != "bicubic":
            return func(input, size, scale_factor, mode, *rest, **kwargs)
        for axis in (2, 3):
            length = input.shape[axis]
            unit = torch.eye(length, dtype=input.dtype, device=input.device)
            unit = unit.view(1, length, *_of_axis(length, axis, 1))
            along = [
                None if of is None else _of_axis(of, axis, other)
                for of, other in ((size, 1), (scale_factor, 1.0))
            ]
            shares = func(unit, *along, mode, *rest, **kwargs).abs()
            shares = shares.view(length, -1)
            input = (input.movedim(axis, -1) @ shares).movedim(-1, axis)
        return input

    def shaped(self, value: torch.Tensor, like: Any) -> torch.Tensor:
        """A copy of a value, in the shape of its sum with something."""
        shape = torch.broadcast_shapes(value.shape, getattr(like, "shape", ()))
        return _marked(value.expand(shape).clone(), value._flow)


class Reach(Flow):
    """Replaces numbers by whether they are zero: exact at any depth and in any precision."""

    def through(self, func, input, weight, *rest, **kwargs) -> torch.Tensor:
        # Whole numbers; a fast algorithm of convolution may leave something near 0 instead of 0.
        ones, edges = ((numbers != 0).to(input.dtype) for numbers in (input, weight))
        return (func(ones, edges, *rest, **kwargs) > 0.5).to(input.dtype)

    def batch_norm(self, func, input, *args, **kwargs) -> torch.Tensor:
        return input.clone()

    def scaled(self, input: torch.Tensor, factors: torch.Tensor | None) -> torch.Tensor:
        return input.clone()


def _marked(value: torch.Tensor, flow: object) -> torch.Tensor:
    value._flow = flow
    return value


def _exponent(input: Any, exponent: Any) -> float:
    return float(torch.as_tensor(exponent).min())


def _of_axis(value: Any, axis: int, other: float) -> tuple:
    """A size or a factor along one axis of a map, and `other` along the other one."""
    here = value[axis - 2] if isinstance(value, tuple | list) else value
    return (here, other) if axis == 2 else (other, here)
