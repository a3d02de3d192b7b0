"""What a function of torch does to the nodes that a value stands for.

To follow one more function, add its name to a set below, or a line to `HANDLERS`. Names are those
of ``func.__name__`` without underscores at its ends, so that ``relu_`` is ``relu`` and ``__add__``
is ``add``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F

from . import sums, weights
from .pooling import adaptive_windows, is_identity, pooling_windows
from .values import IMAGES, MIXED, Value, is_mixed, of_one_image, pooled, value_of

if TYPE_CHECKING:
    from .tracing import _Run


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SAME = _names(
    """
    relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish sigmoid logsigmoid tanh hardtanh
    hardswish hardsigmoid hardshrink softshrink tanhshrink softplus softsign softmax log_softmax
    softmin threshold clamp clamp_min clamp_max clip sign abs neg exp log sqrt rsqrt square pow erf
    sin cos
    batch_norm instance_norm layer_norm group_norm rms_norm local_response_norm normalize
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    clone contiguous detach float double half bfloat16 type cpu cuda requires_grad data
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
    new_empty new_tensor new
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
SUMS = _names("add sub subtract rsub")
OPERATORS = {
    **{"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "idiv": "div"},
    **{"radd": "add", "rmul": "mul", "truediv": "div", "rtruediv": "rdiv"},
}
ALIASES = _names(
    """
    view reshape flatten unflatten permute transpose swapaxes swapdims movedim moveaxis squeeze
    unsqueeze expand expand_as view_as reshape_as T mT t adjoint getitem narrow select chunk split
    split_with_sizes tensor_split hsplit vsplit unbind broadcast_to broadcast_tensors ravel
    unsafe_chunk unsafe_split contiguous detach to float double half bfloat16 type type_as cpu cuda
    real positive data
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    """
)
"""Functions whose result may lie in the same memory as what they are given."""

POOL = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")


def plain_name(name: str) -> str:
    """A function's name without underscores: ``relu`` of ``relu_``, ``add`` of ``__iadd__``."""
    plain = name.strip("_")
    return OPERATORS.get(plain, plain)


def apply(run: _Run, plain: str, func: Callable, args: tuple, kwargs: dict) -> Any:
    """What a function makes of the values among its arguments.

    Parameters
    ----------
    run : _Run
    plain : str
        Its `plain_name`; that of a property if it reads one.
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
    if plain in ("to", "type_as"):  # another tensor that they are given only has the type
        return value_of(args[0]) or _typed(run, func, args, kwargs)
    if plain in SAME:
        first, *rest = _values_in((args, kwargs))
        if rest or (args and value_of(args[0]) is not first):
            raise NotImplementedError(f"{plain} by a value that depends on the input")
        return first
    if plain in LAYOUT:
        # Numbers may lie in memory in another order than what they stand for.
        read = len(args) if plain == "broadcast_tensors" else 1
        return _rearranged(torch.Tensor.reshape if plain == "view" else func, read, args, kwargs)
    if plain in HANDLERS:
        return HANDLERS[plain](run, *args, **kwargs)
    if plain in SUMS | UNIONS:
        return _combined(run, plain in SUMS, args, kwargs)
    if plain in CONSTANT:
        shape = args[0].shape
        if not plain.endswith("_like"):
            shape = func(torch.empty(0), *args[1:], **kwargs).shape
        return Value((torch.full(shape, -1),))
    if plain in DATA_DEPENDENT:
        raise NotImplementedError(f"{plain} depends on the data, so it is no fixed graph")
    out = _without_data(func, args, kwargs)
    known = isinstance(out, torch.Size | bool | int | str | torch.dtype | torch.layout)
    if not known and not (isinstance(out, tuple) and all(isinstance(i, int) for i in out)):
        raise NotImplementedError(f"{plain} has no multipartite graph")
    return out


def _without_data(func: Callable, args: tuple, kwargs: dict) -> Any:
    """What a function says of a tensor without data.

    Only for what torch knows at once: elsewhere it computes shapes in Python, and imports its
    compiler first, for seconds.
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


def _read(tensor: Any) -> Value:
    """The value of an argument that must be one."""
    value = value_of(tensor)
    if value is None:
        raise NotImplementedError("weights that depend on the input have no multipartite graph")
    return value


def _values_in(of: Any) -> list[Value]:
    found: list[Value | None] = []
    replaced(of, lambda tensor: found.append(value_of(tensor)))
    return [value for value in found if value is not None]


def _typed(run: _Run, func: Callable, args: tuple, kwargs: dict) -> torch.Tensor:
    """A constant, converted to the type of a value."""

    def of_type(tensor: torch.Tensor) -> torch.Tensor:
        if value_of(tensor) is None:
            return tensor
        return torch.empty(0, dtype=tensor.dtype, device=run.weight.device)

    return func(*replaced(args, of_type), **replaced(kwargs, of_type))


def _rearranged(func: Callable, read: int, args: tuple, kwargs: dict) -> Value | list[Value]:
    """Run a function on the numbers of what it reads, its first arguments; others are indices.

    What is no value stands for no node.
    """
    rounds = []
    for number in range(max(len(value.alternatives) for value in _values_in((args, kwargs)))):

        def numbers(tensor: torch.Tensor, number: int = number) -> torch.Tensor:
            value = value_of(tensor)
            if value is not None and number < len(value.alternatives):
                return value.alternatives[number]
            return torch.full(tensor.shape, -1)

        named = {
            name: replaced(item, numbers) if name in ("input", "tensors") else item
            for name, item in kwargs.items()
        }
        try:
            rounds.append(func(*replaced(args[:read], numbers), *args[read:], **named))
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


def _size(func: Callable, value: Value, **kwargs: Any) -> tuple[int, ...]:
    """Height and width of a function's result, as torch has them: it runs on one channel."""
    try:
        return tuple(func(torch.zeros(1, 1, *value.shape[2:]), **kwargs).shape[2:])
    except (RuntimeError, ValueError, TypeError) as error:
        raise NotImplementedError(f"{func.__name__} fails: {error}") from error


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
    if value_of(weight) is not None:
        raise NotImplementedError("weights that depend on the input have no multipartite graph")
    value = _read(input)
    if len(value.shape) != 4:
        raise NotImplementedError(
            "a convolution reads images (channels, height, width), here one input has shape "
            f"{tuple(value.shape[1:])}: is the axis of images missing in the example input?"
        )
    if value.shape[1] != weight.shape[1] * groups:
        raise NotImplementedError(
            f"a convolution of {weight.shape[1] * groups} channels reads {value.shape[1]}"
        )
    kernel = torch.zeros(1, 1, *weight.shape[2:])
    size = _size(F.conv2d, value, weight=kernel, stride=stride, padding=padding, dilation=dilation)
    stride, dilation = _pair(stride), _pair(dilation)
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        sides = [(total // 2, total - total // 2) for total in totals]
    elif padding == "valid":
        sides = [(0, 0), (0, 0)]
    else:
        sides = [(p, p) for p in _pair(padding)]
    return weights.convolution(run, value, weight, stride, sides, dilation, groups, size)


def _linear(run: _Run, input: Any, weight: torch.Tensor, bias: Any = None) -> Value:
    if value_of(weight) is not None:
        raise NotImplementedError("weights that depend on the input have no multipartite graph")
    value = _read(input)
    if is_mixed(value):
        raise NotImplementedError(MIXED)
    if input.shape[-1] != weight.shape[1]:
        raise NotImplementedError(
            f"a linear layer of {weight.shape[1]} features reads {input.shape[-1]}"
        )
    return weights.linear(run, value, weight)


def _pooled(run: _Run, *args: Any, **kwargs: Any) -> Value:
    """Max and average pooling: every position stands for its window."""
    given = dict(zip(POOL, args, strict=False)) | kwargs
    if given.pop("return_indices", False):
        raise NotImplementedError("max pooling that gives its indices depends on the data")
    value = _read(given.pop("input"))
    if len(value.shape) != 4:
        raise NotImplementedError("pooling needs a batch of images")
    pooled_size = _size(F.max_pool2d, value, **given | {"stride": given.get("stride") or None})
    kernel = _pair(given["kernel_size"])
    stride = _pair(given.get("stride") or kernel)
    padding = _pair(given.get("padding", 0))
    dilation = _pair(given.get("dilation", 1))
    return _with_windows(
        run,
        value,
        [
            pooling_windows(size, kernel[i], stride[i], padding[i], dilation[i], pooled_size[i])
            for i, size in enumerate(value.shape[2:])
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
    if len(value.shape) != 4 or len(windows) != 2:
        raise NotImplementedError("pooling needs a batch of images")
    sizes = value.shape[2:]
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
    *,
    axis: Any = None,
    keepdims: bool = False,
    dtype: torch.dtype | None = None,
    combined: Callable[[_Run, list[Value]], Value] = sums.summed,
) -> Value:
    """A mean or a sum over positions: every channel stands for its whole map, rows or columns.

    Over an axis along which values were stacked it is a sum of them, or what `combined` makes.
    """
    value, dims = _read(input), input.dim()
    dim, keepdim = axis if dim is None else dim, keepdim or keepdims  # both have NumPy's names too
    over = sorted(d % dims for d in ((dim,) if isinstance(dim, int) else dim or range(dims)))
    left = [d for d in range(1, dims) if d not in over]
    shape = [
        1 if d in over else size for d, size in enumerate(input.shape) if keepdim or d not in over
    ]
    stacked = _is_of_all_images(value) if over == [0] else dims == 5 and len(over) == 1
    if stacked:
        slices = zip(*(numbers.unbind(over[0]) for numbers in value.alternatives), strict=True)
        terms = [tuple(numbers.reshape(shape) for numbers in each) for each in slices]
        return combined(run, [Value(alternatives) for alternatives in terms])
    if 0 in over or dims not in (3, 4) or not left:
        raise NotImplementedError("a mean that is not over positions of images")
    if dims == 4 and over == [1]:
        raise NotImplementedError("a mean or a sum over axis 1 of 4 cannot be followed")
    if dims == 3 or len(over) == 2:  # all positions of a map, or of a row of them
        maps = _changed(value, lambda numbers: numbers.movedim(left[0], 1).flatten(2))
        maps = weights.as_maps(run, maps)
        windows = [adaptive_windows(size, 1) for size in maps.shape[2:]]
    else:
        maps = value
        windows = [
            adaptive_windows(size, 1 if d in over else size) for d, size in enumerate(input.shape)
        ][2:]
    found = _with_windows(run, maps, windows)
    return _changed(found, lambda numbers: numbers.reshape(shape))


def _is_of_all_images(value: Value) -> bool:
    """Whether the first axis is not that of the images: what stands there first is of all."""
    numbers = value.alternatives[0][0]
    return len((numbers[numbers >= 0] & 1).unique()) == IMAGES


def _gated_linear(run: _Run, input: Any, dim: int = -1) -> Value:
    halves = [numbers.chunk(2, dim) for numbers in _read(input).alternatives]
    return sums.beside(run, [Value(tuple(pair[half] for pair in halves)) for half in (0, 1)])


def _combined(run: _Run, is_sum: bool, args: tuple, kwargs: dict) -> Value:
    """A sum, or a product: see `sums`. Constants add nothing; a factor of 0 removes."""
    terms = args[0] if args else kwargs["input"], args[1] if len(args) > 1 else kwargs["other"]
    shape = torch.Size(np.broadcast_shapes(*(getattr(term, "shape", ()) for term in terms)))
    values = [value_of(term) for term in terms]
    values = [
        value if value.shape == shape else _changed(value, lambda n: n.broadcast_to(shape))
        for value in values
        if value is not None
    ]
    if is_sum:
        return sums.summed(run, values)
    if len(values) == 2:
        return sums.beside(run, values)
    factor = torch.as_tensor(terms[1] if value_of(terms[0]) else terms[0])
    zero = (factor == 0).to("cpu").broadcast_to(shape)
    if not bool(zero.any()):
        return values[0]
    return _changed(values[0], lambda numbers: numbers.masked_fill(zero, -1))


def _changed(value: Value, by: Callable[[torch.Tensor], torch.Tensor]) -> Value:
    return Value(tuple(by(numbers) for numbers in value.alternatives))


def assigned(target: Value, index: Any, source: Any) -> Value:
    """A value after ``value[index] = source``."""
    value = value_of(source)
    found = value.alternatives if value is not None else ()
    alternatives = []
    for number in range(max(len(target.alternatives), len(found))):
        if number < len(target.alternatives):
            numbers = target.alternatives[number].clone()
        else:
            numbers = torch.full(target.shape, -1)
        numbers[index] = found[number] if number < len(found) else -1
        alternatives.append(numbers)
    return Value(tuple(alternatives))


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
    "glu": _gated_linear,
    "mean": _mean,
    "sum": _mean,
    "amax": partial(_mean, combined=sums.beside),
    "interpolate": _interpolated,
    "pad": _padded,
}
