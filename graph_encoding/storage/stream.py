"""The compressed stream, unpacked little by little so that a small file cannot fill the memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from system import errors
from system.errors import Fault, UserError
from system.reading import regular

from .layout import MAX_BYTES, MAX_RATIO, MAX_SMALL

PIECE = 256  # compressed bytes unpacked at a time: at most 8 MiB come out of them
WINDOW = 1 << 23  # bytes that a zstandard frame may ask to be remembered
CHECKED = 1 << 22  # bytes of an array that are checked before more are kept

Check = Callable[[np.ndarray, int], None]
"""Is given numbers of an array and the place of the first; raises a `Fault`."""


class StorageError(UserError, ValueError):
    """A graph file that cannot be read or written; one line: which, why, and what can be done."""


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[Reader]:
    """A reader of a graph file; what is wrong with the file becomes a `StorageError`."""
    import zstandard

    with errors.of_file(path, StorageError), regular(path) as file:
        try:
            yield Reader(file)
        except zstandard.ZstdError as error:
            raise Fault(f"not a graph file, or damaged ({error})") from None


class Reader:
    """Takes from a frame what is asked for; memory grows with what is there."""

    def __init__(self, file: BinaryIO) -> None:
        import zstandard

        self.file = file
        self.size = os.fstat(file.fileno()).st_size
        self.frame = zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
        self.unpacked = memoryview(b"")
        self.taken = 0

    def limit(self, max_bytes: int | None) -> int:
        """Most bytes that are kept of the file: those that are asked for, or `MAX_BYTES`."""
        if max_bytes is not None:
            return max_bytes
        return min(MAX_BYTES, max(MAX_SMALL, MAX_RATIO * self.size))

    def _more(self) -> None:
        piece = b"" if self.frame.eof else self.file.read(PIECE)
        if not piece:
            raise Fault("ends too early")
        self.unpacked = memoryview(self.frame.decompress(piece))

    def _pieces(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self.unpacked:
                self._more()
                continue
            piece, self.unpacked = self.unpacked[:size], self.unpacked[size:]
            size -= len(piece)
            self.taken += len(piece)
            yield piece

    def read(self, size: int) -> bytearray:
        """The next bytes."""
        data = bytearray()
        for piece in self._pieces(size):
            data += piece
        return data

    def array(self, dtype: str, length: int, check: Check | None = None) -> np.ndarray:
        """The next numbers, in the machine's order of bytes; checked before all are there."""
        kind, data, done = np.dtype(dtype), bytearray(), 0
        for piece in self._pieces(length * kind.itemsize):
            data += piece
            if check and len(data) - done >= CHECKED:
                count = (len(data) - done) // kind.itemsize
                part = bytes(memoryview(data)[done : done + count * kind.itemsize])
                check(np.frombuffer(part, kind), done // kind.itemsize)
                done += len(part)
        found = np.frombuffer(data, kind)
        return found.astype(kind.newbyteorder("="), copy=False)

    def skip(self, size: int) -> None:
        """Unpack the next bytes, so that they are checked, and drop them."""
        for _ in self._pieces(size):
            pass

    def finish(self) -> None:
        """Make sure that the frame, its checksum and the file end here."""
        while not self.unpacked and not self.frame.eof:
            self._more()
        if self.unpacked or self.frame.unused_data or self.file.read(1):
            raise Fault("goes on after its end")
