"""Files of the ``safetensors`` format, read without trusting them.

Eight bytes that tell the length of a header, the header (JSON: type, shape and place of every
tensor), and the numbers one after the other. Nothing in it can run.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch

from system.errors import Fault
from system.text import printable

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
MOST_HEADER = 64 << 20
SUFFIX = ".safetensors"


def state_of(data: bytes) -> dict[str, torch.Tensor]:
    """The tensors of a file.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    dict of str to torch.Tensor
        On the CPU.

    Raises
    ------
    Fault
        If it is damaged, holds types that are not known here, or its tensors do not fill it.

    Notes
    -----
    https://github.com/huggingface/safetensors has the format.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, MOST_HEADER):
        raise Fault("not a file of safetensors, or cut off")
    try:
        header = json.loads(data[8 : 8 + length].decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Fault("its header is no JSON, or has a name twice") from None
    if type(header) is not dict:
        raise Fault("its header is no JSON object")
    header.pop("__metadata__", None)
    numbers = memoryview(data)[8 + length :]
    places = {name: _place(name, about) for name, about in header.items()}
    end = 0
    for name, (begin, stop) in sorted(places.items(), key=lambda item: item[1]):
        if begin != end:
            raise Fault(f"{printable(name)[:60]} does not begin where the one before it ends")
        end = stop
    if end != len(numbers):
        raise Fault("its tensors do not fill it")
    return {name: _tensor(about, numbers[slice(*places[name])]) for name, about in header.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError
    return found


def _place(name: str, about: Any) -> tuple[int, int]:
    """Where the numbers of a tensor are, which has to be as long as its type and shape say."""

    def is_whole(numbers: Any) -> bool:
        return type(numbers) is list and all(type(n) is int and 0 <= n < 2**62 for n in numbers)

    label = printable(name)[:60]
    if type(about) is not dict or about.keys() != {"dtype", "shape", "data_offsets"}:
        raise Fault(f"{label} is not told by its dtype, shape and data_offsets")
    kind, shape, place = about["dtype"], about["shape"], about["data_offsets"]
    if type(kind) is not str or kind not in TYPES:
        raise Fault(f"{label} is of type {printable(str(kind))[:20]}", "convert it to float32")
    if not (is_whole(shape) and is_whole(place) and len(place) == 2 and len(shape) <= 64):
        raise Fault(f"{label} has no shape or place")
    if place[1] - place[0] != math.prod(shape) * TYPES[kind].itemsize:
        raise Fault(f"{label} is not as long as its shape says")
    return place[0], place[1]


def _tensor(about: dict[str, Any], numbers: memoryview) -> torch.Tensor:
    dtype = TYPES[about["dtype"]]
    if not numbers:
        return torch.empty(about["shape"], dtype=dtype)
    if dtype == torch.bool and bytes(numbers).strip(b"\0\1"):
        raise Fault("a mask holds something other than true and false")
    return torch.frombuffer(bytearray(numbers), dtype=dtype).reshape(about["shape"])
