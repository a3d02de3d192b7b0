"""The zip archive of a saved network, checked before torch reads it."""

from __future__ import annotations

import io
import math
import os
import re
import struct
import zipfile
from typing import Any, BinaryIO

import torch

from faults import Fault

from . import symbols
from .content import require_content

MAX_BYTES = 1 << 30
PICKLE_LIMIT = 1 << 20
DIRECTORY_LIMIT = 1 << 20
PIECE = 1 << 20
# How torch ends an archive: zip64 record (its last two numbers: length and place of the directory),
# locator, end record without a comment.
END = struct.Struct("<4s36x2Q4s16x4s16xH")
RECORD = re.compile(
    r"[^/]+/(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id)"
)
ITEM_BYTES = {"torch.float32": 4, "torch.int64": 8, "torch.bool": 1}


def checked_records(file: BinaryIO) -> dict[str, bytes]:
    """All records of the archive by name, once what they claim is true."""
    size = os.fstat(file.fileno()).st_size
    if size > MAX_BYTES:
        raise Fault(f"larger than {MAX_BYTES:,} bytes", "no network here is that large")
    try:
        _require_end(file, size)
        with zipfile.ZipFile(file) as archive:
            entries = _entries(archive, size)
            description = _read(archive, entries.pop("data.pkl"))
            content = symbols.read(description)
            require_content(content)
            tensors = [*content["state_dict"].values(), *content["masks"].values()]
            _require_records(tensors, {name: info.file_size for name, info in entries.items()})
            records = {"data.pkl": description}
            records |= {name: _read(archive, info) for name, info in entries.items()}
    except (Fault, MemoryError):
        raise
    except Exception as error:  # a damaged archive makes zipfile raise almost anything
        raise Fault(f"not a saved network, or damaged ({_line(error)})") from None
    if records["byteorder"] != b"little":
        raise Fault("its numbers are not little-endian")
    for tensor in tensors:
        if tensor.dtype == "torch.bool" and records[f"data/{tensor.key}"].strip(b"\0\1"):
            raise Fault("a mask holds something other than true and false")
    return records


def load(records: dict[str, bytes]) -> dict[str, Any]:
    """What torch makes of the checked records."""
    clean = io.BytesIO()
    with zipfile.ZipFile(clean, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
    clean.seek(0)
    try:
        return torch.load(clean, map_location="cpu", weights_only=True)
    except Exception as error:
        raise Fault(f"torch cannot load it ({_line(error)})") from None


def _require_end(file: BinaryIO, size: int) -> None:
    """The archive ends as torch ends it, with a directory of just the length that it claims."""
    file.seek(max(0, size - END.size))
    tail = file.read()
    if len(tail) == END.size:
        record, length, place, locator, end, comment = END.unpack(tail)
        marks = (b"PK\6\6", b"PK\6\7", b"PK\5\6", 0)
        if (record, locator, end, comment) == marks and place + length + len(tail) == size:
            if length > DIRECTORY_LIMIT:
                raise Fault(f"its archive's directory exceeds {DIRECTORY_LIMIT:,} bytes")
            return
    raise Fault("not a saved network, or cut off", "give a whole file of models.saved.save")


def _entries(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    entries = {}
    for info in infos:
        match = RECORD.fullmatch(info.filename)
        if not match or match[1] in entries:
            raise Fault("its archive holds a record that torch does not write, or one twice")
        entries[match[1]] = info
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise Fault("its archive is compressed or encrypted")
        if info.file_size != info.compress_size:
            raise Fault("its archive claims sizes that cannot be")
    if sum(info.file_size for info in infos) > size:
        raise Fault("its archive claims more than the file holds")
    if len({info.filename.split("/")[0] for info in infos}) > 1:
        raise Fault("its archive holds several folders")
    if not {"data.pkl", "version", "byteorder"} <= entries.keys():
        raise Fault("its archive lacks a record that torch writes")
    if entries["data.pkl"].file_size > PICKLE_LIMIT:
        raise Fault(f"its description exceeds {PICKLE_LIMIT:,} bytes")
    return entries


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A record; zipfile compares its checksum at the end."""
    data = bytearray()
    with archive.open(info) as record:
        while piece := record.read(PIECE):
            data += piece
    if len(data) != info.file_size:
        raise Fault("ends too early")
    return bytes(data)


def _require_records(tensors: list[symbols.Tensor], sizes: dict[str, int]) -> None:
    """Every tensor has a record of its own, of just its size, and no record is left over."""
    needed = {
        f"data/{tensor.key}": math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype]
        for tensor in tensors
    }
    if len(needed) != len(tensors):
        raise Fault("two tensors share their storage")
    if needed != {name: size for name, size in sizes.items() if name.startswith("data/")}:
        raise Fault("its tensors are not of the sizes of their records")


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 100 else text[:97] + "..."
