"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: str | Path, unfinished: str | Path | None = None) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` once it is finished and on disk.

    Parameters
    ----------
    path : str or Path
        Where the file belongs; its folder exists. Of a link, the file that it leads to is replaced.
    unfinished : str or Path, optional
        The new file until it is finished, on the same file system; it must not exist. By default a
        name of its own beside `path`. A killed process leaves it.

    Yields
    ------
    binary file
        After an error it is gone, and `path` is as before.

    Raises
    ------
    OSError
        If it cannot be written; the message names `path`.

    Examples
    --------
    >>> with replacing("table.csv") as file:
    ...     file.write(b"model,accuracy\\n")
    15
    """
    target = Path(path).resolve()
    unfinished = Path(unfinished or target.with_name(f".saving-{secrets.token_hex(8)}"))
    try:
        with open(unfinished, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    except BaseException as error:
        with contextlib.suppress(OSError):  # where there is no folder, nor is there the file
            unfinished.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(unfinished)):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise


def check_folder(folder: str | Path) -> None:
    """Make sure that a folder can be written, creating it if need be.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    OSError
        If it cannot; the message names the folder.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def check_file(file: str | Path) -> None:
    """Make sure that a file can be written or replaced, creating its folder if need be.

    Parameters
    ----------
    file : str or Path

    Raises
    ------
    OSError
        If it cannot; the message names the file or the folder.
    """
    file = Path(file)
    check_folder(file.parent)
    if file.exists():
        with open(file, "r+b"):
            pass
