"""Files to read that others may have put there."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import Fault


@contextlib.contextmanager
def regular(path: str | Path, remedy: str = "give the path of a saved file") -> Iterator[BinaryIO]:
    """Open a file, and nothing that may never end or never begin: no pipe, device or folder.

    Parameters
    ----------
    path : str or Path
    remedy : str
        What the user can give instead.

    Yields
    ------
    binary file

    Raises
    ------
    Fault
        If it is something else.
    OSError
        If it cannot be opened; the error has the path.
    """
    # Without waiting for who writes into a pipe; what is opened is what is looked at.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Fault("not a file", remedy)
    except BaseException:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as file:
        yield file
