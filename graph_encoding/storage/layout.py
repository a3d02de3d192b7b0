"""The layout of a graph file: its version, the types of its numbers, and what it may ask for."""

from __future__ import annotations

import struct

FORMAT = "topometrics graphs"
VERSION = 3
"""The newest that is read. Version 2 knows of volumes, version 3 of several inputs or outputs. A
file is written as the oldest that can hold it, which older programs read, too."""

MAGIC = b"TOPOGRAF"
PREFIX = struct.Struct("<8sIQ")  # magic, version, length of the header

ENTRIES = {
    "target_channel": "<i4",
    "source_channel": "<i4",
    "tap_y": "<i2",
    "tap_x": "<i2",
    "weight": "<f4",
}
WINDOWS = {"row_windows": "<i8", "column_windows": "<i8"}  # (low, high) of every position
ARRAYS = ENTRIES | WINDOWS
EDGE = {"source": "<i4", "target": "<i4", "weight": "<f4"}
EDGE_BYTES = 12
CHUNK = 1 << 20  # edges

MAX_BYTES = 4 << 30
"""Most bytes that a file unpacks to, its edges not counted, unless the reader says otherwise."""

MAX_SMALL, MAX_RATIO = 128 << 20, 64
"""Unless the reader says otherwise, what unpacks to more bytes than the first number has at most so
many a byte of the file: four of the 16 bytes of an entry are a weight, which hardly shrinks."""

HEADER_LIMIT = 8 << 20  # a thousand layers take 2 MB; parsed JSON up to 25 times its length
MAX_NODES = 2**31 - 1
MAX_STEP = 2**15 - 1  # taps are int16; strides, paddings and dilations are no longer
MAX_TABLE = 1 << 22  # taps x positions of all axes of a file together, and taps of all kernels
