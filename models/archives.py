"""The archives that torch writes, read without trusting them: all memory is bounded by the file.

``torch.load(weights_only=True)`` runs nothing that a file holds, but it trusts what the file says:
it unpacks compressed records to any size, ignores their checksums, makes arrays of any size and
hashes any key. So Python's zipfile and unpickler read the file here, cut down to what is needed.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, ClassVar

import torch

from system.errors import Fault
from system.text import one_line, printable

MAX_DIRECTORY = 1 << 20
# How torch ends an archive: zip64 record (with the directory's length), its locator (with the
# record's place), end record without a comment.
END = struct.Struct("<4s36xQ8x4s4xQ4x4s16xH")


def read(file: BinaryIO, description: type[Description]) -> Any:
    """Read an archive: plain values, and a tensor for each record.

    Parameters
    ----------
    file : binary file
    description : type
        What its pickle may do.

    Returns
    -------
    object

    Raises
    ------
    Fault
        If it is not whole, or not what torch writes for such values.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END.size))
    record, directory, *end = END.unpack(file.read(END.size).rjust(END.size))
    if [record, *end] != [b"PK\6\6", b"PK\6\7", size - END.size, b"PK\5\6", 0]:
        raise Fault(f"not {description.WHAT}, or cut off", description.REMEDY)
    if directory > MAX_DIRECTORY:
        raise Fault(f"its archive's directory exceeds {MAX_DIRECTORY:,} bytes")
    try:
        with zipfile.ZipFile(file) as archive:
            records = _records(archive.infolist(), size, description.MAX_BYTES)
            if "byteorder" in records and archive.read(records["byteorder"]) != b"little":
                raise Fault("its numbers are not little-endian")
            return description(archive, records).load()
    except (Fault, MemoryError):
        raise
    except Exception as error:  # zipfile and the unpickler raise almost anything
        line = one_line(f"{type(error).__name__} {error}", 100)
        raise Fault(f"not {description.WHAT}, or damaged ({line})") from None


def _records(infos: list[zipfile.ZipInfo], size: int, most: int) -> dict[str, zipfile.ZipInfo]:
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
    if not {"data.pkl", "version"} <= records.keys():
        raise Fault("its archive lacks a record that torch writes")
    if records["data.pkl"].file_size > most:
        raise Fault(f"its description exceeds {most:,} bytes")
    return records


class Description(pickle._Unpickler):
    """Python's own unpickler with few of its instructions; it calls nothing but `NAMES`.

    The class in Python, as the one in C would hash keys and hold memory that no check here bounds.

    Attributes
    ----------
    WHAT, REMEDY : str
        What an archive should be, and what to do about one that is not.
    MAX_BYTES : int
        Of the pickle: what it makes takes up to a hundred times its length.
    NAMES : dict of str to callable or dtype
        What stands for each name that a pickle may ask for.
    CODES : bytes
        The instructions that it may use.
    KEYS : tuple of type
        Of dictionaries: such as are hashed at once.
    """

    WHAT: ClassVar[str]
    REMEDY: ClassVar[str]
    MAX_BYTES: ClassVar[int]
    NAMES: ClassVar[Mapping[str, Any]]
    KEYS: ClassVar[tuple[type, ...]] = (str,)
    CODES = (
        pickle.PROTO + pickle.STOP + pickle.MARK + pickle.GLOBAL + pickle.BINPERSID
        + pickle.BINPUT + pickle.LONG_BINPUT + pickle.BINGET + pickle.LONG_BINGET
        + pickle.BINUNICODE + pickle.BININT + pickle.BININT1 + pickle.BININT2 + pickle.LONG1
        + pickle.BINFLOAT + pickle.NONE + pickle.NEWTRUE + pickle.NEWFALSE
        + pickle.EMPTY_DICT + pickle.SETITEM + pickle.SETITEMS + pickle.REDUCE
        + pickle.EMPTY_TUPLE + pickle.TUPLE
        + pickle.TUPLE1 + pickle.TUPLE2 + pickle.TUPLE3
    )  # fmt: skip
    dispatch: ClassVar[dict] = {}

    def __init_subclass__(cls) -> None:
        known = {code: pickle._Unpickler.dispatch[code].__name__ for code in cls.CODES}
        cls.dispatch = dict.fromkeys(range(256), cls.refuse)
        cls.dispatch |= {code: getattr(cls, name) for code, name in known.items()}

    def __init__(self, archive: zipfile.ZipFile, records: dict[str, zipfile.ZipInfo]) -> None:
        self.archive, self.records = archive, records
        self.stream = io.BytesIO(archive.read(records.pop("data.pkl")))
        super().__init__(self.stream)

    def refuse(self) -> None:
        raise Fault(f"its description does what {self.WHAT} does not need")

    def load(self) -> Any:
        content = super().load()
        if self.stack or self.metastack or self.stream.read(1):
            raise Fault("its description goes on after its end")
        return content

    def find_class(self, module: str, name: str) -> Any:
        name = f"{module}.{name}"
        if name not in self.NAMES:
            raise self.unknown(printable(name)[:60])
        return self.NAMES[name]

    def unknown(self, name: str) -> Fault:
        """What is said of a name that is not in `NAMES`."""
        return Fault(f"asks for {name!r}, which {self.WHAT} does not need")

    def numbers(self, key: str, dtype: torch.dtype, count: int) -> torch.Tensor:
        """Those of a record, its checksum checked."""
        record = self.records[f"data/{key}"]
        if record.file_size != count * dtype.itemsize:
            raise Fault("its tensors are not of the sizes of their records")
        data = self.archive.read(record)
        if dtype == torch.bool and data.strip(b"\0\1"):
            raise Fault("a mask holds something other than true and false")
        return (
            torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
        )

    def load_reduce(self) -> None:
        if type(self.stack[-1]) is not tuple:  # a tensor would be taken apart
            self.refuse()
        pickle._Unpickler.load_reduce(self)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def load_setitems(self) -> None:
        self.set_items(self.pop_mark())

    def set_items(self, items: list[Any]) -> None:
        """Put keys and values in turn into the dictionary on top of the stack."""
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(target) is not dict or type(key) not in self.KEYS or key in target:
                raise Fault("its description has a key that is not text, or one twice")
            target[key] = value
