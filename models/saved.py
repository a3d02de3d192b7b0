"""Pruned networks as files: weights, masks and what made them, as torch writes them.

``torch.load(weights_only=True)`` runs nothing that a file holds, but it trusts what the file says:
it unpacks compressed records to any size, ignores their checksums, and lets a small record pass for
a huge tensor. So the archive and the pickle in it are read and checked first, without running them,
against the network that the configuration names; torch then gets the checked records only.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import pickletools
import platform
import re
import secrets
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import nn

import models

FORMAT = "topometrics network"
VERSION = 1
FIELDS = (
    "format",
    "version",
    "configuration",
    "versions",
    "num_classes",
    "in_channels",
    "state_dict",
    "masks",
)

MAX_BYTES = 1 << 30
PICKLE_LIMIT = 1 << 20
DIRECTORY_LIMIT = 1 << 20
MAX_WIDTH = 1 << 20  # classes, and channels of an image
PIECE = 1 << 20
# How torch ends an archive: zip64 record (its last two numbers: length and place of the directory),
# locator, end record without a comment.
ARCHIVE_END = struct.Struct("<4s36x2Q4s16x4s16xH")
RECORD = re.compile(
    r"[^/]+/(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id)"
)
AGAIN = "save it again or take another copy"


class SavedNetworkError(ValueError):
    """A network that cannot be saved or read; one line: which, why, and what can be done."""


class Saved(NamedTuple):
    """A pruned network as it was saved.

    Attributes
    ----------
    model : torch.nn.Module
        On the CPU, in training mode, the removed weights zero.
    masks : dict of str to torch.Tensor
        Boolean masks by parameter name, True where a weight is kept.
    configuration : dict
        What made the network, such as a result file's row.
    versions : dict of str to str
        Of torch, of Python and, if it was given, the project's commit.
    """

    model: nn.Module
    masks: dict[str, torch.Tensor]
    configuration: dict[str, Any]
    versions: dict[str, str]


class _Fault(Exception):
    """What is wrong and the remedy; the caller adds the file."""

    def __init__(self, what: str, remedy: str = AGAIN) -> None:
        super().__init__(f"{what}; {remedy}")


def save(
    path: str | Path,
    model: nn.Module,
    masks: Mapping[str, torch.Tensor],
    configuration: Mapping[str, Any],
    commit: str | None = None,
) -> None:
    """Write a pruned network to a file, all at once or not at all.

    Parameters
    ----------
    path : str or Path
        Replaced if it exists; customarily ends in ``.pt``.
    model : torch.nn.Module
        From `models.build`, its removed weights zero; trained or not.
    masks : mapping of str to torch.Tensor
        Boolean masks of all prunable weights by parameter name.
    configuration : mapping
        What made the network: ``model``, its name in `models.MODELS`, and any other text, numbers,
        booleans and None.
    commit : str, optional
        The project's commit.

    Raises
    ------
    SavedNetworkError
        If it could not be loaded again, such as where removed weights are not zero.
    OSError
        If the file cannot be written; an older one is then as before.
    """
    with _faults_of(path):
        weights = [layer.weight for layer in models.prunable(model).values()]
        if not weights:
            raise _Fault("the network has no prunable weights", "build it with models.build")
        versions = {"torch": str(torch.__version__), "python": platform.python_version()}
        content = {
            "format": FORMAT,
            "version": VERSION,
            "configuration": dict(configuration),
            "versions": versions | ({} if commit is None else {"commit": commit}),
            "num_classes": weights[-1].shape[0],
            "in_channels": weights[0].shape[1],
            "state_dict": _copies(model.state_dict()),
            "masks": _copies(masks),
        }
        _require_content(content)
        _require_values(content)
        with _replacing(path) as file:
            torch.save(content, file, pickle_protocol=2)


def load(path: str | Path) -> Saved:
    """Read a pruned network from a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Saved

    Raises
    ------
    SavedNetworkError
        If the file is not whole, not of this format, or not of a network of `models.MODELS`.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> from models import saved
    >>> saved.save("resnet.pt", model, masks, {"model": "Resnet-20", "pruning": "erk"})
    >>> saved.load("resnet.pt").configuration["pruning"]
    'erk'
    """
    with _faults_of(path):
        if Path(path).exists() and not stat.S_ISREG(os.stat(path).st_mode):
            raise _Fault("not a file", "give the path of a saved network")
        with open(path, "rb") as file:
            content = _load(_checked_records(file))
        _require_content(content)
        _require_values(content)
        model = models.build(
            content["configuration"]["model"], content["num_classes"], content["in_channels"]
        )
        model.load_state_dict(content["state_dict"])
    return Saved(model, content["masks"], content["configuration"], content["versions"])


def _copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors on the CPU that share no memory and leave no gaps, each a record of its own."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }


@contextlib.contextmanager
def _faults_of(path: str | Path) -> Iterator[None]:
    try:
        yield
    except _Fault as fault:
        raise SavedNetworkError(f"{path}: {fault}") from None


@contextlib.contextmanager
def _replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` once it is finished and on disk."""
    target = Path(path).resolve()
    unfinished = target.with_name(f".saving-{secrets.token_hex(8)}")
    try:
        with open(unfinished, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


# The archive


def _checked_records(file: BinaryIO) -> dict[str, bytes]:
    """All records of the archive by name, once what they claim is true."""
    size = os.fstat(file.fileno()).st_size
    if size > MAX_BYTES:
        raise _Fault(f"larger than {MAX_BYTES:,} bytes", "no network here is that large")
    try:
        _require_end(file, size)
        with zipfile.ZipFile(file) as archive:
            entries = _entries(archive, size)
            records = {"data.pkl": _read(archive, entries["data.pkl"])}
            content = _symbols(records["data.pkl"])
            _require_content(content)
            _require_records(content, {name: info.file_size for name, info in entries.items()})
            records |= {name: _read(archive, info) for name, info in entries.items()}
    except (_Fault, MemoryError):
        raise
    except Exception as error:  # a damaged archive makes zipfile raise almost anything
        raise _Fault(f"not a saved network, or damaged ({_line(error)})") from None
    if records["byteorder"] != b"little":
        raise _Fault("its numbers are not little-endian")
    for tensor in _tensors(content).values():
        if tensor.dtype == "torch.bool" and records[f"data/{tensor.key}"].strip(b"\0\1"):
            raise _Fault("a mask holds something other than true and false")
    return records


def _require_end(file: BinaryIO, size: int) -> None:
    """The archive ends as torch ends it, with a directory of just the length that it claims."""
    file.seek(max(0, size - ARCHIVE_END.size))
    tail = file.read()
    if len(tail) == ARCHIVE_END.size:
        record, length, place, locator, end, comment = ARCHIVE_END.unpack(tail)
        marks = (b"PK\6\6", b"PK\6\7", b"PK\5\6", 0)
        if (record, locator, end, comment) == marks and place + length + len(tail) == size:
            if length > DIRECTORY_LIMIT:
                raise _Fault(f"its archive's directory exceeds {DIRECTORY_LIMIT:,} bytes")
            return
    raise _Fault("not a saved network, or cut off", "give a whole file of models.saved.save")


def _entries(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    entries = {}
    for info in infos:
        match = RECORD.fullmatch(info.filename)
        if not match or match[1] in entries:
            raise _Fault("its archive holds a record that torch does not write, or one twice")
        entries[match[1]] = info
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise _Fault("its archive is compressed or encrypted")
        if info.file_size != info.compress_size:
            raise _Fault("its archive claims sizes that cannot be")
    if sum(info.file_size for info in infos) > size:
        raise _Fault("its archive claims more than the file holds")
    if len({info.filename.split("/")[0] for info in infos}) > 1:
        raise _Fault("its archive holds several folders")
    if not {"data.pkl", "version", "byteorder"} <= entries.keys():
        raise _Fault("its archive lacks a record that torch writes")
    if entries["data.pkl"].file_size > PICKLE_LIMIT:
        raise _Fault(f"its description exceeds {PICKLE_LIMIT:,} bytes")
    return entries


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A record; zipfile compares its checksum at the end."""
    data = bytearray()
    with archive.open(info) as record:
        while piece := record.read(PIECE):
            data += piece
    if len(data) != info.file_size:
        raise _Fault("ends too early")
    return bytes(data)


def _load(records: dict[str, bytes]) -> dict[str, Any]:
    """What torch makes of the checked records."""
    clean = io.BytesIO()
    with zipfile.ZipFile(clean, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
    clean.seek(0)
    try:
        return torch.load(clean, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _Fault(f"torch cannot load it ({_line(error)})") from None


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 100 else text[:97] + "..."


# The pickle, read without running it


@dataclass(frozen=True)
class _Global:
    """A name that the pickle asks for."""

    name: str


class _Storage(NamedTuple):
    dtype: str
    key: str
    numel: int


class _Tensor(NamedTuple):
    """A tensor as the pickle tells it: like one of torch's, without the numbers."""

    dtype: str
    key: str
    shape: tuple[int, ...]


ORDERED_DICT = _Global("collections OrderedDict")
REBUILD = _Global("torch._utils _rebuild_tensor_v2")
STORAGES = {
    _Global("torch FloatStorage"): "torch.float32",
    _Global("torch LongStorage"): "torch.int64",
    _Global("torch BoolStorage"): "torch.bool",
}
ITEM_BYTES = {"torch.float32": 4, "torch.int64": 8, "torch.bool": 1}
NO_HOOKS = _Global("an empty OrderedDict")
VALUES = {"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _symbols(data: bytes) -> Any:
    """What a pickle would make, tensors as `_Tensor`; only what torch writes here is known."""
    stack: list[Any] = []
    marked: list[list[Any]] = []
    memo: dict[int, Any] = {}
    for code, argument, position in pickletools.genops(data):
        name = code.name
        if name in VALUES:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "MARK":
            marked.append(stack)
            stack = []
        elif name == "TUPLE":
            items, stack = stack, marked.pop()
            stack.append(tuple(items))
        elif name in TUPLES:
            items = [stack.pop() for _ in range(TUPLES[name])]
            stack.append(tuple(reversed(items)))
        elif name in ("SETITEM", "SETITEMS"):
            if name == "SETITEM":
                items = [stack.pop(), stack.pop()][::-1]
            else:
                items, stack = stack, marked.pop()
            _set_items(stack[-1], items)
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            if _Global(argument) not in (ORDERED_DICT, REBUILD, *STORAGES):
                raise _Fault(f"asks for {argument[:60]!a}, which no saved network needs")
            stack.append(_Global(argument))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_reduced(function, arguments))
        elif name == "STOP":
            if position + 1 != len(data) or marked or len(stack) != 1:
                raise _Fault("its description goes on after its end")
        elif name != "PROTO":
            raise _Fault(f"its description does {name}, which no saved network needs")
    return stack.pop()


def _set_items(target: Any, items: list[Any]) -> None:
    if type(target) is not dict:
        raise _Fault("its description fills what is no dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) is not str or key in target:
            raise _Fault("its description has a key that is not text, or one twice")
        target[key] = value


def _storage(identity: Any) -> _Storage:
    kind, storage, key, device, numel = identity
    if kind != "storage" or type(storage) is not _Global or storage not in STORAGES:
        raise _Fault("its description has a storage of unknown type")
    if type(key) is not str or device != "cpu" or not _is_int(numel):
        raise _Fault("its description has an unknown storage")
    return _Storage(STORAGES[storage], key, numel)


def _reduced(function: Any, arguments: Any) -> Any:
    if function == ORDERED_DICT and arguments == ():
        return NO_HOOKS
    if function != REBUILD:
        raise _Fault("its description calls what no saved network needs")
    storage, offset, shape, stride, gradient, hooks = arguments
    if type(storage) is not _Storage or type(shape) is not tuple or type(stride) is not tuple:
        raise _Fault("its description has a tensor without a storage or a shape")
    if not all(_is_int(number) and number > 0 for number in (*shape, *stride)):
        raise _Fault("a tensor's shape or strides are not positive whole numbers")
    rows = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if stride != rows or offset != 0 or storage.numel != math.prod(shape):
        raise _Fault("a tensor does not lie whole and in order in its storage")
    if gradient is not False or hooks != NO_HOOKS:
        raise _Fault("a tensor asks for gradients or hooks")
    return _Tensor(storage.dtype, storage.key, shape)


def _is_int(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _tensors(content: dict[str, Any]) -> dict[str, _Tensor]:
    return {
        f"{part} {name}": tensor
        for part in ("state_dict", "masks")
        for name, tensor in content[part].items()
    }


def _require_records(content: dict[str, Any], sizes: dict[str, int]) -> None:
    """Every tensor has a record of its own, of just its size, and no record is left over."""
    tensors = _tensors(content).values()
    needed = {
        f"data/{tensor.key}": math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype]
        for tensor in tensors
    }
    if len(needed) != len(tensors):
        raise _Fault("two tensors share their storage")
    if needed != {name: size for name, size in sizes.items() if name.startswith("data/")}:
        raise _Fault("its tensors are not of the sizes of their records")


# The content, before torch loads it (tensors as `_Tensor`) and after


def _require_content(content: Any) -> None:
    """Everything but the numbers in the tensors."""
    if type(content) is not dict or content.get("format") != FORMAT:
        raise _Fault("not a saved network", "give a file that models.saved.save wrote")
    version = content.get("version")
    if not _is_int(version) or version < 1:
        raise _Fault("its version is not a whole number from 1 on")
    if version > VERSION:
        raise _Fault(
            f"written by a newer version (format {version}, this program reads up to {VERSION})",
            "update this program",
        )
    if tuple(content) != FIELDS:
        raise _Fault(f"does not hold just {', '.join(FIELDS)}")
    parts = ("configuration", "versions", "state_dict", "masks")
    if not all(type(content[part]) is dict for part in parts):
        raise _Fault(f"one of {', '.join(parts)} is not a dictionary")
    if not all(type(text) is str for pair in content["versions"].items() for text in pair):
        raise _Fault("its versions are not text")
    _require_configuration(content["configuration"])
    for name in ("num_classes", "in_channels"):
        if not _is_int(content[name]) or not 1 <= content[name] <= MAX_WIDTH:
            raise _Fault(f"its {name} is not a whole number from 1 to {MAX_WIDTH}")
    _require_tensors(content)


def _require_configuration(configuration: dict[str, Any]) -> None:
    for name, value in configuration.items():
        if type(name) is not str or type(value) not in (str, int, float, bool, type(None)):
            raise _Fault(
                f"configuration {str(name)[:40]!a} is not plain", "use text, numbers, bool and None"
            )
        if type(value) is float and not math.isfinite(value):
            raise _Fault(f"configuration {name[:40]!a} is not finite", "use None instead")
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise _Fault(f"configuration {name[:40]!a} exceeds 64 bits", "use text instead")
    model = configuration.get("model")
    if type(model) is not str or model not in models.MODELS:
        raise _Fault(f"unknown model {str(model)[:40]!a}", f"known are {', '.join(models.MODELS)}")


def _require_tensors(content: dict[str, Any]) -> None:
    """The tensors' names, shapes and types are those of the network, built without its memory."""
    name = content["configuration"]["model"]
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        model = resolve_name(models.MODELS[name])(content["num_classes"], content["in_channels"])
    state = model.state_dict()
    weights = [f"{layer}.weight" for layer in models.prunable(model)]
    masks = {weight: state[weight].to(torch.bool) for weight in weights}
    for part, expected in (("state_dict", state), ("masks", masks)):
        found = content[part]
        if found.keys() != expected.keys():
            raise _Fault(f"the names in its {part} are not those of {name}")
        for key, tensor in found.items():
            shape, dtype = tuple(expected[key].shape), str(expected[key].dtype)
            if type(tensor) not in (_Tensor, torch.Tensor):
                raise _Fault(f"{part} {key} is not a tensor")
            if (tuple(tensor.shape), str(tensor.dtype)) != (shape, dtype):
                raise _Fault(f"{part} {key} is not of shape {shape} and {dtype}, as in {name}")


def _require_values(content: dict[str, Any]) -> None:
    state = content["state_dict"]
    for name, tensor in state.items():
        if not bool(torch.isfinite(tensor).all()):
            raise _Fault(f"{name} holds NaN or infinity")
    for name, mask in content["masks"].items():
        if bool(state[name].masked_select(~mask).any()):
            raise _Fault(
                f"{name} is not zero where its mask removes", "apply the masks, save again"
            )
