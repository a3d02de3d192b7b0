"""Text files that grow by whole lines, whoever is killed at whatever moment.

Every change of a file happens under a file lock. An append first notes in a journal, a hidden file
beside it, from which length to which the file grows, and removes the journal when the lines are on
disk. As long as there is a journal readers stop at the first length, and whoever next changes the
file cuts it there. Nothing else is ever cut. `rewrite` renames a finished file over the old one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock

from .errors import UserError
from .files import replacing

LOCK_SECONDS = 60.0
POLL_SECONDS = 0.01
BLOCK = 65536


class FileError(UserError, ValueError):
    """A file that cannot be read or must not be written; one line that says why."""


def content(file: str | Path, first_line: bool = False) -> bytes:
    """Bytes of a file without those of an append that is under way or was cut off; takes no lock.

    Parameters
    ----------
    file : str or Path
    first_line : bool
        Whether to read no more than up to the first ``\\n``.

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        If the file cannot be read or does not exist.
    """
    file = Path(file)
    while True:
        with open(file, "rb") as opened:
            before = _state(opened.fileno())
            data = opened.readline() if first_line else opened.read()
        start = _start(file, before[-1])
        # An unchanged file means that what the journal says now is true of what was read before.
        with open(file, "rb") as opened:  # opened again: network file systems refresh it then
            if _state(opened.fileno()) == before:
                return data[:start]


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file that has nothing of a killed process any more."""
    lock = _beside(file, "lock")
    try:
        with filelock.FileLock(lock, timeout=LOCK_SECONDS, poll_interval=POLL_SECONDS):
            _mend(file)
            yield
    except filelock.Timeout:
        raise FileError(
            f"{file}: another process has held its lock for {LOCK_SECONDS:g} s; try again later, "
            f"or end the process that has {lock} open"
        ) from None


def append(
    file: Path, header: str, lines: Sequence[str], require_whole: Callable[[bytes], None]
) -> None:
    """Add lines with a single write; on failure the file keeps its length.

    Parameters
    ----------
    file : Path
        Within `locked`; it is created if it does not exist.
    header : str
        First line of a new file.
    lines : sequence of str
        Each with its line break.
    require_whole : callable
        Raises an error if a last line without a line break is not whole.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        kept = os.fstat(descriptor).st_size
        tail = _last_line(descriptor)
        if len(tail) < kept:  # else it is the header
            require_whole(tail)
        start = [] if kept else [header]
        data = "".join([*start, "\n" if tail else "", *lines]).encode()
        journal = _beside(file, "journal")
        try:
            _note(journal, kept, kept + len(data))
            _write(file, descriptor, data)
            journal.unlink()
        except BaseException:
            os.ftruncate(descriptor, kept)
            journal.unlink(missing_ok=True)
            raise
    finally:
        os.close(descriptor)


def rewrite(file: Path, text: str) -> None:
    """Put a finished file in the place of the old one, in one step."""
    target = file.resolve()
    copy = _beside(file, f"{secrets.token_hex(4)}.tmp")
    with replacing(target, copy) as new:
        new.write(text.encode())
        shutil.copymode(target, copy)


def _mend(file: Path) -> None:
    """Undo the append of a killed process and remove its unfinished `rewrite`."""
    with contextlib.suppress(FileNotFoundError):
        with open(file, "rb") as opened:
            start = _start(file, os.fstat(opened.fileno()).st_size)
        if start is not None:
            with open(file, "r+b") as opened:
                os.ftruncate(opened.fileno(), start)
                os.fsync(opened.fileno())
    journal = _beside(file, "journal")
    journal.unlink(missing_ok=True)
    copy = re.compile(re.escape(_beside(file, "").name) + r"[a-z0-9_]{8}\.tmp")
    for name in os.listdir(journal.parent):
        if copy.fullmatch(name):
            journal.with_name(name).unlink(missing_ok=True)


def _beside(file: Path, kind: str) -> Path:
    """A hidden file of ours beside the file, or beside what the file is a link to."""
    target = file.resolve()
    return target.with_name(f".{target.name}.{kind}")


def _state(descriptor: int) -> tuple[int, ...]:
    """What differs once a file has been changed or another is in its place; the size is last."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _start(file: Path, size: int) -> int | None:
    """Where the unfinished append of a file of this size began; None if there is none."""
    journal = _beside(file, "journal")
    # Network file systems may remember that a name was not there, but list a folder afresh.
    if journal.name not in os.listdir(journal.parent):
        return None
    try:
        text = journal.read_bytes()
    except FileNotFoundError:
        return None
    lengths = re.fullmatch(rb"(\d+) (\d+)\n", text)
    if lengths is None:  # a torn journal: the append had not begun
        return None
    start, end = map(int, lengths.groups())
    return start if start <= size <= end else None  # else someone has put another file there


def _last_line(descriptor: int) -> bytes:
    """What follows the last line break of a file, which is read from its end."""
    end = os.fstat(descriptor).st_size
    tail = b""
    while end:
        start = max(0, end - BLOCK)
        os.lseek(descriptor, start, os.SEEK_SET)
        block = os.read(descriptor, end - start)
        lines = end_of_lines(block)
        tail = block[lines:] + tail
        if lines:
            break
        end = start
    return tail


def end_of_lines(data: bytes) -> int:
    """Length of the lines that have their line breaks."""
    return 1 + max(data.rfind(b"\n"), data.rfind(b"\r"))


def _note(journal: Path, start: int, end: int) -> None:
    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        _write(journal, descriptor, f"{start} {end}\n".encode())
    finally:
        os.close(descriptor)
    # Its name has to be on disk, too, before the rows are: they are whole, or it says that not.
    folder = os.open(journal.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(file: Path, descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
    os.fsync(descriptor)
