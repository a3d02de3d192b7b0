"""A file of weights of the user's own, read without trusting it, and made to fit a network."""

from __future__ import annotations

import io
import pickle
from typing import Any, ClassVar, NamedTuple

import torch

from system.errors import Fault

from . import rebuilt
from .archives import Description, read

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""Under which keys a checkpoint may hold the weights."""

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and Lightning put before the names of all weights."""

MOST = 16  # wrappers around the weights, and prefixes of their names
SAVE = "save a state_dict with torch.save"
OR_TRUST = f"{SAVE}, or, if you trust who made it, add --weights-trust, which runs that code"


def state_of(data: bytes) -> dict[str, torch.Tensor]:
    """The state dictionary of a file, which may be inside a checkpoint.

    Parameters
    ----------
    data : bytes
        Of a file that ``torch.save`` wrote. What else a checkpoint holds may be plain data,
        tensors, and NumPy's numbers and arrays; these are not made.

    Returns
    -------
    dict of str to torch.Tensor
        On the CPU.

    Raises
    ------
    Fault
        If it is damaged, or holds anything else.
    """
    return within(read(io.BytesIO(data), Contents))


def within(content: Any) -> dict[str, torch.Tensor]:
    """The state dictionary that a checkpoint is, or holds."""
    for _ in range(MOST):
        if not isinstance(content, dict):
            break
        content = rebuilt.unpacked(content)
        if content and all(isinstance(value, torch.Tensor) for value in content.values()):
            if all(type(name) is str for name in content):
                return content
            break
        inner = [content[key] for key in WRAPPERS if isinstance(content.get(key), dict)]
        content = inner[0] if inner else None
    raise Fault("holds no state_dict, a dictionary of tensors alone by their names", SAVE)


def fitted(state: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state as a network has it: its names and types; masks of ``torch.nn.utils.prune`` applied.

    Parameters
    ----------
    state : dict of str to torch.Tensor
    own : dict of str to torch.Tensor
        The network's.

    Returns
    -------
    dict of str to torch.Tensor
        Sparse and quantised tensors are dense numbers. Names and shapes that the network has not
        are left as they are. Biases of layers that have
        none there are left out if they are zero, and weights that the network shares are shared.

    Raises
    ------
    Fault
        If a number is not what the network could hold.
    """
    found = rebuilt.made_plain(_without_prefixes(state, own), own)
    found = _without_zero_biases(_with_masks(found, own), own)
    places = {tensor.data_ptr(): name for name, tensor in own.items() if name in found}
    for name in own.keys() - found.keys():
        other = places.get(own[name].data_ptr()) if own[name].numel() else None
        if other is not None and own[other].shape == own[name].shape:
            found[name] = found[other]
    return {
        name: _cast(name, tensor, own[name].dtype)
        if name in own and tensor.shape == own[name].shape
        else tensor
        for name, tensor in found.items()
    }


def _without_prefixes(
    state: dict[str, torch.Tensor], own: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The state without prefixes that all its names have and those of the network have not."""
    for _ in range(MOST):
        for prefix in PREFIXES:
            is_own = any(name.startswith(prefix) for name in own)
            if not is_own and all(name.startswith(prefix) for name in state):
                state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
                break
        else:
            break
    return state


def _with_masks(
    state: dict[str, torch.Tensor], own: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    found = {}
    for name, tensor in state.items():
        if name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in state:
            continue
        base = name.removesuffix("_orig")
        mask = state.get(f"{base}_mask") if base != name else None
        if mask is None:
            found[name] = tensor
            continue
        if base not in own or not tensor.shape == mask.shape == own[base].shape:
            raise Fault(f"{name} and {base}_mask are not of the shape of a weight", SAVE)
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise Fault(f"{base}_mask holds something other than 0 and 1", SAVE)
        found[base] = tensor * mask
    return found


def _without_zero_biases(
    state: dict[str, torch.Tensor], own: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The state without biases that add nothing, as CONV-6 has them in the paper's code."""
    found = dict(state)
    for name in state.keys() - own.keys():
        if name.endswith("bias") and f"{name.removesuffix('bias')}weight" in own:
            if bool(state[name].any()):
                raise Fault(
                    f"{name} is not zero, and the network's layer has no bias",
                    "give a --model whose layer has one",
                )
            del found[name]
    return found


def _cast(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The tensor in the network's type, which must hold its numbers."""
    if tensor.dtype == dtype:
        return tensor
    cast, same = None, False
    if not tensor.is_complex() and tensor.is_floating_point() == dtype.is_floating_point:
        cast = tensor.to(dtype)
        same = torch.equal(cast.to(tensor.dtype), tensor)
    if cast is not None and dtype.is_floating_point:
        # To the nearest number, as long as it is one, and zero if and only if it was.
        same = all(torch.equal(of(cast), of(tensor)) for of in (torch.isfinite, torch.Tensor.bool))
    if not same:
        kind, other = (str(each).removeprefix("torch.") for each in (tensor.dtype, dtype))
        raise Fault(f"{name} is of {kind}, and the network's {other} cannot hold it", SAVE)
    return cast


class _Beside:
    """In the place of what is not needed beside the weights, such as NumPy's numbers."""

    __slots__ = ()

    def __init__(self, *_: Any) -> None:
        pass

    append = extend = __init__


class _Numbers(NamedTuple):
    """Those of a record, which no tensor is made of yet."""

    values: torch.Tensor


def _tensor(numbers: _Numbers, offset: int, shape: Any, strides: Any, *more: Any) -> torch.Tensor:
    """What stands for ``torch._utils._rebuild_tensor`` and ``_v2``: a view of a record."""
    if len(more) > 2 and more[2]:
        raise Fault("a tensor is conjugated or negated", SAVE)
    return torch.as_strided(numbers.values, shape, strides, offset)  # checks the bounds


def _parameter(tensor: torch.Tensor, *_: Any) -> torch.Tensor:
    """What stands for ``torch._utils._rebuild_parameter``."""
    if not isinstance(tensor, torch.Tensor):
        raise Fault("a parameter is no tensor", SAVE)
    return tensor


TYPES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexDouble": torch.complex128,
    "ComplexFloat": torch.complex64,
    **rebuilt.INTEGERS,
}
PLAIN = (
    *(f"collections.{name}" for name in ("Counter", "defaultdict", "deque")),
    *(
        f"{module}.{name}"
        for module in ("builtins", "__builtin__")
        for name in ("bytes", "complex", "dict", "float", "int", "list", "set", "str")
    ),
    "_codecs.encode",
    "torch.device",
    *map(str, TYPES.values()),
    *(f"torch.{name.lower()}" for name in rebuilt.INTEGERS),
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
)
"""What may be beside the weights; nothing of it is made."""


class Contents(Description):
    """Whatever plain data, and tensors of any type that lie anywhere in their records."""

    WHAT = "a file of weights"
    REMEDY = "an archive that torch.save wrote, since torch 1.6, is needed: save a state_dict anew"
    MAX_BYTES = 4 << 20
    NAMES: ClassVar = {
        **dict.fromkeys(PLAIN, _Beside),
        "collections.OrderedDict": lambda: {},
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter,
        "torch._utils._rebuild_sparse_tensor": rebuilt.sparse,
        "torch.serialization._get_layout": rebuilt.layout,
        "torch.Size": rebuilt.size,
        "torch._utils._rebuild_qtensor": lambda numbers, *how: rebuilt.quantised(
            numbers.values, *how
        ),
        **{f"torch.{kind}": kind for kind in (rebuilt.PER_TENSOR, rebuilt.PER_CHANNEL)},
        **{f"torch.{name}Storage": dtype for name, dtype in TYPES.items()},
    }
    KEYS = (str, int, float, bool, bytes, type(None))
    CODES = (
        Description.CODES
        + pickle.EMPTY_LIST + pickle.APPEND + pickle.APPENDS + pickle.NEWOBJ + pickle.BUILD
        + pickle.MEMOIZE + pickle.FRAME + pickle.STACK_GLOBAL + pickle.SHORT_BINUNICODE
        + pickle.BINBYTES + pickle.SHORT_BINBYTES + pickle.BINSTRING + pickle.SHORT_BINSTRING
    )  # fmt: skip

    def __init__(self, *archive: Any) -> None:
        super().__init__(*archive)
        self.made: dict[str, _Numbers] = {}

    def unknown(self, name: str) -> Fault:
        """A class of the user's, most likely."""
        return Fault(f"it holds {name}, which is no plain data and could run code", OR_TRUST)

    def set_items(self, items: list[Any]) -> None:
        """Of a dictionary; what is not made keeps none."""
        if not isinstance(self.stack[-1], _Beside):
            super().set_items(items)

    def load_build(self) -> None:
        """State of an object: the notes of a state dictionary, or of what is not made."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict | _Beside):
            self.refuse()

    def persistent_load(self, identity: Any) -> _Numbers:
        """A record, which several tensors may share."""
        kind, dtype, key, _, count = identity
        if (kind, type(dtype), type(key), type(count)) != ("storage", torch.dtype, str, int):
            raise Fault("its description has an unknown storage")
        if key not in self.made:
            self.made[key] = _Numbers(self.numbers(key, dtype, count))
        values = self.made[key].values
        if (values.dtype, len(values)) != (dtype, count):
            raise Fault("a record is of two types")
        return self.made[key]
