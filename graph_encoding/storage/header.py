"""The header of a graph file: JSON, checked down to its graphs."""

from __future__ import annotations

import json
import math
from typing import Any

from faults import Fault

from .checks import require_fields
from .layout import FORMAT, HEADER_LIMIT, MAGIC, PREFIX, VERSION
from .stream import Reader

FIELDS = ("format", "version", "writer", "configuration", "edges", "graphs")


def read(reader: Reader, max_bytes: int) -> dict[str, Any]:
    """The header at the beginning of a file."""
    magic, version, length = PREFIX.unpack(reader.read(PREFIX.size))
    if magic != MAGIC:
        raise Fault("not a graph file", "give a file that graph_encoding.save wrote")
    _require_version(version)
    if length > min(HEADER_LIMIT, max_bytes):
        raise Fault(f"its header claims {length} bytes")
    return parse(reader.read(length))


def parse(text: bytes | bytearray) -> dict[str, Any]:
    """What the text of a header says."""
    try:
        header = json.loads(
            text.decode(),
            object_pairs_hook=_unique,
            parse_constant=_not_json,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:80]
        raise Fault(f"its header is not JSON ({reason})") from None
    require_fields(header, FIELDS, "the header")
    _require_version(header["version"])
    if header["format"] != FORMAT:
        raise Fault("not a graph file", "give a file that graph_encoding.save wrote")
    if type(header["configuration"]) is not dict:
        raise Fault("its configuration is not a dictionary")
    writer = header["writer"]
    if type(writer) is not dict or not all(type(value) is str for value in writer.values()):
        raise Fault("its header does not tell the writer's versions")
    return header


def _require_version(version: Any) -> None:
    if type(version) is not int or version < 1:
        raise Fault("its version is not a number from 1 on")
    if version > VERSION:
        raise Fault(
            f"written by a newer version (format {version}, this program reads up to {VERSION})",
            "update this program",
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _not_json(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError("a number is too large")
    return value
