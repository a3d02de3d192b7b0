"""The archive of a saved network, read without trusting it: all memory is bounded by the file."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from typing import Any, BinaryIO, ClassVar

import torch

from system.errors import Fault

MAX_BYTES = 1 << 30
MAX_OVERHEAD = 1 << 20  # of the archive's directory, and of the pickle that describes the tensors
MAX_AXES = 4
# How torch ends an archive: zip64 record (with the directory's length), its locator (with the
# record's place), end record without a comment.
END = struct.Struct("<4s36xQ8x4s4xQ4x4s16xH")
WITHOUT_NUMBERS = {
    "version",
    "byteorder",
    ".format_version",
    ".storage_alignment",
    ".data/serialization_id",
}


def read(file: BinaryIO) -> Any:
    """Read a file: plain values, and a tensor for each record.

    Raises
    ------
    Fault
        If it is not whole, or not what torch writes for such values.
    """
    size = os.fstat(file.fileno()).st_size
    if size > MAX_BYTES:
        raise Fault(f"larger than {MAX_BYTES:,} bytes", "no network here is that large")
    file.seek(max(0, size - END.size))
    record, directory, *end = END.unpack(file.read(END.size).rjust(END.size))
    if [record, *end] != [b"PK\6\6", b"PK\6\7", size - END.size, b"PK\5\6", 0]:
        raise Fault("not a saved network, or cut off", "give a whole file of models.saved.save")
    if directory > MAX_OVERHEAD:
        raise Fault(f"its archive's directory exceeds {MAX_OVERHEAD:,} bytes")
    try:
        with zipfile.ZipFile(file) as archive:
            records = _records(archive.infolist(), size)
            if archive.read(records["byteorder"]) != b"little":
                raise Fault("its numbers are not little-endian")
            content = _Description(archive, records).load()
    except (Fault, MemoryError):
        raise
    except Exception as error:  # zipfile and the unpickler raise almost anything
        line = " ".join(f"{type(error).__name__} {error}".split())
        line = line if len(line) <= 100 else line[:97] + "..."
        raise Fault(f"not a saved network, or damaged ({line})") from None
    if not records.keys() <= WITHOUT_NUMBERS:
        raise Fault("its archive holds a record that no tensor needs")
    return content


def _records(infos: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    """The records by name, without the folder that all share."""
    folder = infos[0].filename.partition("/")[0]
    records = {info.filename.removeprefix(f"{folder}/"): info for info in infos}
    if len(records) < len(infos):
        raise Fault("its archive holds a record twice")
    stored = (info.compress_type == zipfile.ZIP_STORED for info in infos)
    if not all(stored) or any(info.file_size != info.compress_size for info in infos):
        raise Fault("its archive is compressed")
    if sum(info.file_size for info in infos) > size:
        raise Fault("its archive claims more than the file holds")
    if not {"data.pkl", "version", "byteorder"} <= records.keys():
        raise Fault("its archive lacks a record that torch writes")
    if records["data.pkl"].file_size > MAX_OVERHEAD:
        raise Fault(f"its description exceeds {MAX_OVERHEAD:,} bytes")
    return records


def _tensor(
    values: torch.Tensor, offset: int, shape: Any, strides: Any, gradient: bool, hooks: Any
) -> torch.Tensor:
    """What stands for ``torch._utils._rebuild_tensor_v2``: a record's numbers in their shape."""
    if type(shape) is not tuple or len(shape) > MAX_AXES:
        raise Fault("a tensor has no shape, or too many axes")
    tensor = values.view(shape)
    if (offset, tuple(tensor.shape), tensor.stride()) != (0, shape, strides):
        raise Fault("a tensor does not lie whole and in order in its record")
    if gradient is not False or hooks != {}:
        raise Fault("a tensor asks for gradients or hooks")
    return tensor


class _Description(pickle._Unpickler):
    """Python's own unpickler with few of its instructions; it calls nothing but `NAMES`.

    The class in Python, as the one in C would hash keys and hold memory that no check here bounds.
    """

    NAMES: ClassVar = {
        "collections.OrderedDict": lambda: {},  # the hooks of a tensor
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch.FloatStorage": torch.float32,
        "torch.LongStorage": torch.int64,
        "torch.BoolStorage": torch.bool,
    }
    CODES = (
        pickle.PROTO + pickle.STOP + pickle.MARK + pickle.GLOBAL + pickle.BINPERSID
        + pickle.BINPUT + pickle.LONG_BINPUT + pickle.BINGET + pickle.LONG_BINGET
        + pickle.BINUNICODE + pickle.BININT + pickle.BININT1 + pickle.BININT2 + pickle.LONG1
        + pickle.BINFLOAT + pickle.NONE + pickle.NEWTRUE + pickle.NEWFALSE
        + pickle.EMPTY_DICT + pickle.EMPTY_TUPLE + pickle.TUPLE
        + pickle.TUPLE1 + pickle.TUPLE2 + pickle.TUPLE3
    )  # fmt: skip

    def refuse(self) -> None:
        raise Fault("its description does what no saved network needs")

    dispatch: ClassVar = dict.fromkeys(range(256), refuse)
    dispatch |= {code: pickle._Unpickler.dispatch[code] for code in CODES}

    def __init__(self, archive: zipfile.ZipFile, records: dict[str, zipfile.ZipInfo]) -> None:
        self.archive, self.records = archive, records
        self.stream = io.BytesIO(archive.read(records.pop("data.pkl")))
        super().__init__(self.stream)

    def load(self) -> Any:
        content = super().load()
        if self.stack or self.metastack or self.stream.read(1):
            raise Fault("its description goes on after its end")
        return content

    def find_class(self, module: str, name: str) -> Any:
        name = f"{module}.{name}"
        if name not in self.NAMES:
            raise Fault(f"asks for {name[:60]!a}, which no saved network needs")
        return self.NAMES[name]

    def persistent_load(self, identity: Any) -> torch.Tensor:
        """The numbers of a record, each of which serves one tensor."""
        kind, dtype, key, device, count = identity
        if (kind, type(dtype), type(key), device) != ("storage", torch.dtype, str, "cpu"):
            raise Fault("its description has an unknown storage")
        record = self.records.pop(f"data/{key}", None)
        if record is None:
            raise Fault("a tensor has no record, or shares it with another")
        if record.file_size != count * dtype.itemsize:
            raise Fault("its tensors are not of the sizes of their records")
        data = self.archive.read(record)
        if dtype == torch.bool and data.strip(b"\0\1"):
            raise Fault("a mask holds something other than true and false")
        return torch.frombuffer(bytearray(data), dtype=dtype)

    def load_reduce(self) -> None:
        if type(self.stack[-1]) is not tuple:  # a tensor would be taken apart
            self.refuse()
        super().load_reduce()

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def load_setitems(self) -> None:
        self._set(self.pop_mark())

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(target) is not dict or type(key) is not str or key in target:
                raise Fault("its description has a key that is not text, or one twice")
            target[key] = value

    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
    }
