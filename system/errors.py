"""What the user can mend: one class of errors, and what is wrong with a file, in one line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

AGAIN = "save it again or take another copy"


class UserError(Exception):
    """Something that the user can mend; the message is one line that says what and how."""


class Fault(Exception):
    """What is wrong and the remedy; `of_file` adds the file."""

    def __init__(self, what: str, remedy: str = AGAIN) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what, self.remedy = what, remedy


@contextlib.contextmanager
def of_file(path: str | Path, error: type[UserError]) -> Iterator[None]:
    """Raise every `Fault` as an `error` that names the file.

    Parameters
    ----------
    path : str or Path
    error : type
        What a room raises for faulty files.
    """
    try:
        yield
    except Fault as fault:
        raise error(f"{path}: {fault}") from None


def of_system(error: OSError) -> str:
    """The file, where there is one, and what the system says of it."""
    where = f"{Path(os.fsdecode(error.filename))}: " if error.filename else ""
    return where + (error.strerror or str(error) or type(error).__name__)
