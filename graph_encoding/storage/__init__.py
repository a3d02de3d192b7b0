"""Graphs as files: what `Graph` holds, not its edges, in one compressed and checked stream.

A file is one zstandard frame with a checksum. Unpacked, it holds, in little-endian order:

- the magic ``TOPOGRAF`` (8 bytes), the format's version (4) and the header's length (8);
- the header: JSON that tells everything but the arrays, and of these the type and the length;
- the arrays, raw, in the order in which the header lists them;
- if asked for, the edges of each graph in turn, in chunks of 2^20 and a last one of what is left:
  the sources and the targets (int32), then the weights (float32) of the chunk.

Reading a file runs nothing that it holds and trusts nothing that it says: memory grows with the
data that are there, never with what the header claims, and every number is checked.
"""

from __future__ import annotations

from .reading import load, read_edges, read_header
from .stream import StorageError
from .writing import save

__all__ = ["StorageError", "load", "read_edges", "read_header", "save"]
