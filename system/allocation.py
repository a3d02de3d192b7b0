"""Memory of large tensors that goes back to the system as soon as they are freed."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

LARGE = 8 << 20
USUAL = 32 << 20  # bytes up to which glibc raises its bound by itself

M_MMAP_THRESHOLD = -3  # of glibc's mallopt


@contextlib.contextmanager
def large_given_back() -> Iterator[None]:
    """Within, memory of `LARGE` bytes or more goes back to the system when it is freed.

    For work that makes and frees many large tensors. glibc, the C library of most Linux systems,
    takes them from a heap of its own as soon as it has seen a few, and small ones that are still
    needed lie between them: the heap grows to several times what is in use. Elsewhere this does
    nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(M_MMAP_THRESHOLD, LARGE)
    try:
        yield
    finally:
        mallopt(M_MMAP_THRESHOLD, USUAL)
