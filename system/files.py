"""Files that appear whole or not at all, and are still there after a power loss."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SAVING = ".saving-"
"""What the names of unfinished files begin with."""

NO_FOLDERS = (errno.EINVAL, errno.ENOTSUP)
"""What file systems say that cannot put a folder on disk."""


@contextlib.contextmanager
def replacing(path: str | Path, unfinished: str | Path | None = None) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` once it is finished and on disk.

    Parameters
    ----------
    path : str or Path
        Where the file belongs; its folder exists. Of a link, the file that it leads to is replaced.
    unfinished : str or Path, optional
        The new file until it is finished, on the same file system; it must not exist. By default a
        name of its own beside `path`. A killed process leaves it; one with a name of its own is
        removed by the next process that replaces a file in the folder.

    Yields
    ------
    binary file
        After an error it is gone, and `path` is as before.

    Raises
    ------
    OSError
        If it cannot be written; the message names `path`. If it names the folder, the new file is
        in its place, but may not be there after a power loss.

    Examples
    --------
    >>> with replacing("table.csv") as file:
    ...     file.write(b"model,accuracy\\n")
    15
    """
    target = Path(path).resolve()
    new = Path(unfinished or target.with_name(f"{SAVING}{secrets.token_hex(8)}"))
    try:
        if not unfinished:
            _remove_abandoned(target.parent)
        with _held(new) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(new, target)  # while it is held: to others it is nobody's from then on
    except BaseException as error:
        with contextlib.suppress(OSError):  # where there is no folder, nor is there the file
            new.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(new)):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise
    sync_folder(target.parent)


def _held(new: Path) -> BinaryIO:
    """A new file that others can tell from those of processes that are dead."""
    while True:
        file = open(new, "xb")  # noqa: SIM115  (it is handed on)
        with contextlib.suppress(OSError):  # without locks nobody removes another's files either
            fcntl.flock(file, fcntl.LOCK_EX)
        if new.exists():
            return file
        file.close()  # it was taken for abandoned before it was held


def _remove_abandoned(folder: Path) -> None:
    """Remove the unfinished files of processes that are dead."""
    with contextlib.suppress(OSError):  # whoever writes there says what is wrong
        for name in os.listdir(folder):
            if name.startswith(SAVING):
                with contextlib.suppress(OSError), open(folder / name, "r+b") as left:
                    fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    (folder / name).unlink()


def sync_folder(folder: str | Path) -> None:
    """Put on disk which files a folder has, such as after one is made, renamed or removed.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    OSError
        If it cannot; the message names the folder. It is no error where the file system has no
        such thing.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDERS:
            raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        os.close(descriptor)


def make_folder(folder: str | Path) -> None:
    """Make a folder, and those around it, unless they are there.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    OSError
        If it cannot be made.
    """
    folder = Path(folder)
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in new:
        sync_folder(path.parent)


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
        make_folder(folder)
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
