"""Standard streams that are closed, that nobody reads any more, or that lack letters."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO


class _Lenient:
    """Standard error whose reader may leave: what is said is lost then, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def prepare() -> None:
    """Let a program print whatever it has to, wherever its standard streams lead.

    What a closed stream is given is lost; letters that a stream lacks are printed as escapes; what
    standard error does not take is no error.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(_nowhere(number), mode, encoding="utf-8"))
        elif mode == "w" and getattr(stream, "errors", None) == "strict":
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stderr, _Lenient):
        sys.stderr = _Lenient(sys.stderr)


def flush() -> None:
    """Print what is still to be printed; it is lost where whoever read it has left.

    Raises
    ------
    OSError
        If it cannot be printed, such as on a full disk.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would print it again when it ends, and fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "standard output") from None


def _nowhere(number: int) -> int:
    """A descriptor that leads nowhere: a closed stream's number, unless another file has it.

    Files that are opened later do not get the number then: libraries print to it.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    os.set_inheritable(descriptor, descriptor == number)
    return descriptor
