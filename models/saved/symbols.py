"""The pickle of a saved network, read without running it; only what torch writes here is known."""

from __future__ import annotations

import math
import pickletools
from dataclasses import dataclass
from typing import Any, NamedTuple

from faults import Fault


@dataclass(frozen=True)
class Global:
    """A name that the pickle asks for; no tuple, so that nothing in a pickle equals it."""

    name: str


class Storage(NamedTuple):
    """A record of the archive as the pickle tells it."""

    dtype: str
    key: str
    numel: int


class Tensor(NamedTuple):
    """A tensor as the pickle tells it: like one of torch's, without the numbers."""

    dtype: str
    key: str
    shape: tuple[int, ...]


ORDERED_DICT = Global("collections OrderedDict")
REBUILD = Global("torch._utils _rebuild_tensor_v2")
STORAGES = {
    Global("torch FloatStorage"): "torch.float32",
    Global("torch LongStorage"): "torch.int64",
    Global("torch BoolStorage"): "torch.bool",
}
NO_HOOKS = Global("an empty OrderedDict")


def read(data: bytes) -> Any:
    """What a pickle would make, every tensor as a `Tensor`."""
    stack: list[Any] = []
    marked: list[list[Any]] = []
    memo: dict[int, Any] = {}
    for code, argument, position in pickletools.genops(data):
        match code.name:
            case "PROTO":
                pass
            case "BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                stack.append(argument)
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(code.name == "NEWTRUE")
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_DICT":
                stack.append({})
            case "MARK":
                marked.append(stack)
                stack = []
            case "TUPLE":
                items, stack = stack, marked.pop()
                stack.append(tuple(items))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [stack.pop() for _ in range(int(code.name[-1]))]
                stack.append(tuple(reversed(items)))
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _set_items(stack[-1], [key, value])
            case "SETITEMS":
                items, stack = stack, marked.pop()
                _set_items(stack[-1], items)
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_global(argument))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_reduced(function, arguments))
            case "STOP":
                if position + 1 != len(data) or marked or len(stack) != 1:
                    raise Fault("its description goes on after its end")
            case name:
                raise Fault(f"its description does {name}, which no saved network needs")
    return stack.pop()


def is_size(value: Any) -> bool:
    """Whether a value is a whole number, not negative and within 64 bits."""
    return type(value) is int and 0 <= value < 2**63


def _set_items(target: Any, items: list[Any]) -> None:
    if type(target) is not dict:
        raise Fault("its description fills what is no dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) is not str or key in target:
            raise Fault("its description has a key that is not text, or one twice")
        target[key] = value


def _global(name: str) -> Global:
    found = Global(name)
    if found not in (ORDERED_DICT, REBUILD, *STORAGES):
        raise Fault(f"asks for {name[:60]!a}, which no saved network needs")
    return found


def _storage(identity: Any) -> Storage:
    kind, storage, key, device, numel = identity
    if kind != "storage" or type(storage) is not Global or storage not in STORAGES:
        raise Fault("its description has a storage of unknown type")
    if type(key) is not str or device != "cpu" or not is_size(numel):
        raise Fault("its description has an unknown storage")
    return Storage(STORAGES[storage], key, numel)


def _reduced(function: Any, arguments: Any) -> Any:
    if function == ORDERED_DICT and arguments == ():
        return NO_HOOKS
    if function != REBUILD:
        raise Fault("its description calls what no saved network needs")
    storage, offset, shape, stride, gradient, hooks = arguments
    if type(storage) is not Storage or type(shape) is not tuple or type(stride) is not tuple:
        raise Fault("its description has a tensor without a storage or a shape")
    if not all(is_size(number) and number > 0 for number in (*shape, *stride)):
        raise Fault("a tensor's shape or strides are not positive whole numbers")
    rows = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if stride != rows or offset != 0 or storage.numel != math.prod(shape):
        raise Fault("a tensor does not lie whole and in order in its storage")
    if gradient is not False or hooks != NO_HOOKS:
        raise Fault("a tensor asks for gradients or hooks")
    return Tensor(storage.dtype, storage.key, shape)
