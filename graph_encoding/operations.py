"""What a function of torch does to the nodes that a value stands for.

To follow one more function, add its name to a set below, or a line to `HANDLERS`. Names are those
of ``func.__name__`` without underscores at its ends, so that ``relu_`` is ``relu`` and ``__add__``
is ``add``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from . import weights
from .pooling import adaptive_windows, is_identity, pooling_windows
from .values import IMAGES, Value, of_one_image, pooled

if TYPE_CHECKING:
    from .tracing import _Run


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SAME = _names(
    """
    relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish sigmoid logsigmoid tanh hardtanh
    hardswish hardsigmoid hardshrink softshrink tanhshrink softplus softsign softmax log_softmax
    softmin threshold clamp clamp_min clamp_max abs neg exp log sqrt rsqrt square pow erf sin cos
    batch_norm instance_norm layer_norm group_norm rms_norm local_response_norm normalize
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    clone contiguous detach to float double half bfloat16 type cpu cuda requires_grad data
    nan_to_num positive real
    """
)
"""Functions that leave every element where it is; biases, norms and activations add nothing."""

LAYOUT = _names(
    """
    view reshape flatten unflatten permute transpose swapaxes swapdims movedim moveaxis squeeze
    unsqueeze expand expand_as view_as reshape_as T mT t adjoint getitem narrow select index_select
    chunk split split_with_sizes tensor_split hsplit vsplit unbind cat concat concatenate stack
    hstack vstack dstack flip fliplr flipud roll rot90 repeat tile repeat_interleave pixel_shuffle
    pixel_unshuffle channel_shuffle broadcast_to broadcast_tensors ravel unsafe_chunk unsafe_split
    """
)
"""Functions that only rearrange elements: torch does the same with the numbers of nodes."""

PROPERTIES = _names("data real T mT")
"""Those that are tensors."""

CONSTANT = _names(
    """
    zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full
    new_empty new_tensor
    """
)
"""Functions that take no more than a shape from a value."""

DATA_DEPENDENT = _names(
    """
    bool int float index item tolist numpy nonzero any all argmax argmin max min gt lt ge le eq ne
    where masked_fill masked_select topk sort equal allclose isnan unique
    """
)
"""Functions of what a value holds: control flow and selection that depend on the data."""

UNIONS = _names("mul multiply div divide true_divide rdiv maximum minimum")
SUMS = _names("add sub subtract rsub radd")

POOL = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")


class ReadAlone(Exception):
    """A layer that ends in a sum is also read without the others."""

    def __init__(self, members: frozenset[int]) -> None:
        super().__init__(members)
        self.members = members


def apply(run: _Run, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
    """What a function makes of the values among its arguments.

    Parameters
    ----------
    run : _Run
    name : str
        Of the function; that of a property if it reads one.
    func : callable
    args : tuple
    kwargs : dict
        As the network gives them.

    Returns
    -------
    Value, list of Value, or anything else
        One for every tensor that the function gives; anything else is what it gives itself.

    Raises
    ------
    NotImplementedError
        If it has no multipartite graph; one line.
    """
    plain = name.strip("_")
    plain = plain[1:] if plain in ("iadd", "isub", "imul", "itruediv", "idiv") else plain
    plain = {"truediv": "div", "rmul": "mul", "rtruediv": "div", "radd": "add"}.get(plain, plain)
    if plain in SAME:
        return _read(args[0] if args else kwargs["input"])
    if plain in LAYOUT:
        # Numbers may lie in memory in another order than what they stand for.
        return _rearranged(torch.Tensor.reshape if plain == "view" else func, args, kwargs)
    if plain in HANDLERS:
        return HANDLERS[plain](run, *args, **kwargs)
    if plain in SUMS | UNIONS:
        return _combined(run, plain in SUMS, args, kwargs)
    if plain in DATA_DEPENDENT:
        raise NotImplementedError(f"{plain} depends on the data, so it is no fixed graph")
    out = _without_data(func, args, kwargs)
    if plain in CONSTANT:
        return torch.zeros(out.shape)
    if isinstance(out, torch.Tensor | tuple | list) and not isinstance(out, torch.Size):
        raise NotImplementedError(f"{plain} has no multipartite graph")
    return out


def _without_data(func: Callable, args: tuple, kwargs: dict) -> Any:
    """The function's result on tensors without data: right in its shape.

    Some of torch's functions compute shapes in Python and import its compiler first, for seconds:
    not those that `apply` needs this for.
    """

    def on_meta(tensor: torch.Tensor) -> torch.Tensor:
        return tensor if tensor.is_meta else tensor.to("meta")

    try:
        return func(*replaced(args, on_meta), **replaced(kwargs, on_meta))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise NotImplementedError(f"{func.__name__} fails: {error}") from error


def replaced(of: Any, by: Callable[[torch.Tensor], Any]) -> Any:
    """Nested arguments with every tensor replaced."""
    if isinstance(of, torch.Tensor):
        return by(of)
    if isinstance(of, tuple) and hasattr(of, "_fields"):
        return type(of)(*(replaced(item, by) for item in of))
    if isinstance(of, tuple | list):
        return type(of)(replaced(item, by) for item in of)
    if isinstance(of, dict):
        return {key: replaced(item, by) for key, item in of.items()}
    return of


def _value(tensor: Any) -> Value | None:
    return getattr(tensor, "_value", None)


def _read(tensor: Any) -> Value:
    """The value of an argument that must be one."""
    value = _value(tensor)
    if value is None:
        raise NotImplementedError("weights that depend on the input have no multipartite graph")
    return value


def _rearranged(func: Callable, args: tuple, kwargs: dict) -> Value | list[Value]:
    """Run a function on the numbers; what is no value stands for no node."""
    given: list[Value | None] = []
    replaced((args, kwargs), lambda tensor: given.append(_value(tensor)))
    rounds = []
    for number in range(max(len(value.alternatives) for value in given if value is not None)):

        def numbers(tensor: torch.Tensor, number: int = number) -> torch.Tensor:
            value = _value(tensor)
            if value is not None and number < len(value.alternatives):
                return value.alternatives[number]
            if value is None and not tensor.is_floating_point():
                return tensor  # an index
            return torch.full(tensor.shape, -1)

        try:
            rounds.append(func(*replaced(args, numbers), **replaced(kwargs, numbers)))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise NotImplementedError(f"{func.__name__} fails: {error}") from error
    if isinstance(rounds[0], torch.Tensor):
        return Value(tuple(rounds))
    return [Value(alternatives) for alternatives in zip(*rounds, strict=True)]


def _padded(run: _Run, input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Value:
    if mode == "constant":
        return Value(tuple(F.pad(n, pad, value=-1) for n in _read(input).alternatives))
    return _through(F.pad, _read(input), (pad, mode), {})


def _through(func: Callable, value: Value, args: tuple, kwargs: dict) -> Value:
    """Run a function that takes no integers on the numbers in double precision: exact."""
    return Value(
        tuple(func(numbers.double(), *args, **kwargs).long() for numbers in value.alternatives)
    )


def _interpolated(run: _Run, input: Any, *args: Any, **kwargs: Any) -> Value:
    mode = args[2] if len(args) > 2 else kwargs.get("mode", "nearest")
    if mode not in ("nearest", "nearest-exact"):
        raise NotImplementedError(f"interpolation mode {mode!r} has no multipartite graph")
    return _through(F.interpolate, _read(input), args, kwargs)


def _convolution(
    run: _Run,
    input: Any,
    weight: torch.Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Value:
    if _value(weight) is not None:
        raise NotImplementedError("weights that depend on the input have no multipartite graph")
    value = _read(input)
    kernels = torch.empty(weight.shape, device="meta")  # of the type of the values here
    out = _without_data(F.conv2d, (input, kernels, None, stride, padding, dilation, groups), {})
    if out.dim() != 4:
        raise NotImplementedError("a convolution needs a batch of images")
    stride, dilation = _pair(stride), _pair(dilation)
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        sides = [(total // 2, total - total // 2) for total in totals]
    elif padding == "valid":
        sides = [(0, 0), (0, 0)]
    else:
        sides = [(p, p) for p in _pair(padding)]
    size = tuple(out.shape[2:])
    return weights.convolution(run, value, weight, stride, sides, dilation, groups, size)


def _linear(run: _Run, input: Any, weight: torch.Tensor, bias: Any = None) -> Value:
    if _value(weight) is not None:
        raise NotImplementedError("weights that depend on the input have no multipartite graph")
    if input.shape[-1] != weight.shape[1]:
        raise NotImplementedError(
            f"a linear layer of {weight.shape[1]} features reads {input.shape[-1]}"
        )
    return weights.linear(run, _read(input), weight)


def _pooled(run: _Run, *args: Any, **kwargs: Any) -> Value:
    """Max and average pooling: every position stands for its window."""
    given = dict(zip(POOL, args, strict=False)) | kwargs
    if given.pop("return_indices", False):
        raise NotImplementedError("max pooling that gives its indices depends on the data")
    out = _without_data(F.max_pool2d, (), given | {"stride": given.get("stride") or None})
    kernel = _pair(given["kernel_size"])
    stride = _pair(given.get("stride") or kernel)
    padding = _pair(given.get("padding", 0))
    dilation = _pair(given.get("dilation", 1))
    return _with_windows(
        run,
        _read(given["input"]),
        [
            pooling_windows(size, kernel[i], stride[i], padding[i], dilation[i], out.shape[2 + i])
            for i, size in enumerate(given["input"].shape[2:])
        ],
    )


def _average_pooled(
    run: _Run,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    *rest: Any,
    **kwargs: Any,
) -> Value:
    return _pooled(run, input, kernel_size, stride, padding, 1, ceil_mode)


def _adaptively_pooled(
    run: _Run, input: Any, output_size: Any, return_indices: bool = False
) -> Value:
    windows = [
        adaptive_windows(size, size if new is None else new)
        for size, new in zip(input.shape[2:], _pair(output_size), strict=False)
    ]
    return _with_windows(run, _read(input), windows)


def _with_windows(run: _Run, value: Value, windows: list) -> Value:
    if value.alternatives[0].dim() != 4 or len(windows) != 2:
        raise NotImplementedError("pooling needs a batch of images")
    sizes = value.alternatives[0].shape[2:]
    if all(is_identity(w, size) for w, size in zip(windows, sizes, strict=True)):
        return value
    return Value(
        tuple(pooled(of_one_image(numbers), run.spaces, *windows) for numbers in value.alternatives)
    )


def _mean(
    run: _Run,
    input: Any,
    dim: Any = None,
    keepdim: bool = False,
    **kwargs: Any,
) -> Value:
    """A mean or a sum over all positions: every channel stands for its whole map."""
    value = _read(input)
    dims = input.dim()
    over = sorted(d % dims for d in ((dim,) if isinstance(dim, int) else dim or range(dims)))
    if dims != 4 or len(over) != 2 or 0 in over:
        raise NotImplementedError("a mean that is not over height and width of images")
    (channels,) = {1, 2, 3} - set(over)
    maps = Value(tuple(numbers.movedim(channels, 1) for numbers in value.alternatives))
    windows = [adaptive_windows(size, 1) for size in maps.alternatives[0].shape[2:]]
    found = _with_windows(run, maps, windows)
    shape = [
        1 if d in over else size for d, size in enumerate(input.shape) if keepdim or d not in over
    ]
    return Value(tuple(numbers.reshape(shape) for numbers in found.alternatives))


def _combined(run: _Run, is_sum: bool, args: tuple, kwargs: dict) -> Value:
    """A sum joins the branches that end in it; otherwise a value stands for the nodes of both."""
    first = args[0] if args else kwargs["input"]
    second = args[1] if len(args) > 1 else kwargs["other"]
    shape = torch.broadcast_shapes(*(getattr(term, "shape", ()) for term in (first, second)))
    values = [
        Value(tuple(numbers.broadcast_to(shape) for numbers in value.alternatives))
        for value in map(_value, (first, second))
        if value is not None
    ]
    if len(values) == 1:
        return values[0]  # the other one is a constant
    if is_sum:
        found = _joined(run, *values)
        if found is not None:
            return found
    alternatives = list(values[0].alternatives)
    for numbers in values[1].alternatives:
        if not any(torch.equal(numbers, known) for known in alternatives):
            alternatives.append(numbers)
    if len(alternatives) > 1:
        for value in values:
            for key in run.spaces.layers(value):
                run.trace.layers[key].read = True
    return Value(tuple(alternatives))


def _joined(run: _Run, one: Value, other: Value) -> Value | None:
    """The nodes of a sum where they are not those of both: branches that end in one layer of
    nodes, or a branch and the identity shortcut around it."""
    if _is_equal(one, other):
        return one
    keys = [_open_layer(run, value) for value in (one, other)]
    if None not in keys:
        shapes = {run.trace.layers[key].shape for key in keys}
        places = [value.alternatives[0] - value.alternatives[0].min() for value in (one, other)]
        if len(shapes) == 1 and torch.equal(*places):
            return _sum_layer(run, keys, one)
    for key, branch, rest in ((keys[0], one, other), (keys[1], other, one)):
        if _is_shortcut(run, rest, branch):
            if not run.identity_shortcuts:
                return branch  # as in the paper, an identity shortcut adds no edges
            if key is not None:
                return _with_shortcut(run, key, branch, rest)
    return None


def _is_shortcut(run: _Run, rest: Value, branch: Value) -> bool:
    """Whether a branch is computed from the rest: all layers of the rest lead to all of its."""
    layers = run.trace.layers
    before = run.spaces.layers(rest)
    return all(
        layers[key].ancestors >> source & 1
        for key in run.spaces.layers(branch)
        for source in before
    )


def _with_shortcut(run: _Run, key: int, branch: Value, rest: Value) -> Value:
    """A branch and the identity shortcut around it, as edges of weight 1."""
    layers = run.trace.layers
    found = _sum_layer(run, [key], branch)
    order = branch.alternatives[0][0].reshape(-1).argsort()
    shape = (IMAGES, *layers[key].shape)
    maps = tuple(
        numbers.reshape(IMAGES, -1)[:, order].reshape(shape) for numbers in rest.alternatives
    )
    weights.shortcut(run, Value(maps), len(layers) - 1, f"{run.module} shortcut")
    return found


def _is_equal(one: Value, other: Value) -> bool:
    return len(one.alternatives) == len(other.alternatives) and all(
        map(torch.equal, one.alternatives, other.alternatives)
    )


def _open_layer(run: _Run, value: Value) -> int | None:
    """Key of the node layer that a value is all of, if nothing has been made of it yet."""
    if len(value.alternatives) > 1:
        return None
    numbers = value.alternatives[0][0].reshape(-1) >> 1
    if int(numbers.min()) < 0:
        return None
    space = run.spaces.all[int(run.spaces.of(numbers[:1].numpy())[0])]
    layer = run.trace.layers[space.layer]
    if not space.whole or layer.read or layer.joined is not None or layer.members in run.alone:
        return None
    if len(numbers) != space.stop - space.start:
        return None
    there = numbers.sort().values
    if int(there[0]) != space.start or not bool((there.diff() == 1).all()):
        return None
    return space.layer


def _sum_layer(run: _Run, keys: list[int], branch: Value) -> Value:
    """A node layer in place of the layers that end in it; they are no more read alone."""
    layers = run.trace.layers
    last = max(keys, key=lambda key: layers[key].place)
    # A shortcut is a member too, so that the sum is not taken for the branch.
    members = frozenset().union(*(layers[key].members for key in keys))
    members |= frozenset({-1 - len(layers)}) if len(keys) == 1 else frozenset()
    whole = run.new_layer(layers[last].name, *layers[last].shape, members, layers[last].place)
    for key in keys:
        layers[key].joined = len(layers) - 1
        layers[-1].ancestors |= layers[key].ancestors
    start = int(branch.alternatives[0].min())
    return Value((branch.alternatives[0] - start + int(whole.alternatives[0].min()),))


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else tuple(value)


HANDLERS: dict[str, Callable[..., Value]] = {
    "conv2d": _convolution,
    "linear": _linear,
    "max_pool2d": _pooled,
    "avg_pool2d": _average_pooled,
    "adaptive_avg_pool2d": _adaptively_pooled,
    "adaptive_max_pool2d": _adaptively_pooled,
    "mean": _mean,
    "sum": _mean,
    "amax": _mean,
    "interpolate": _interpolated,
    "pad": _padded,
}
