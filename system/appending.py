"""Text files that grow by whole lines, whoever is killed at whatever moment, power or not.

Every change of a file happens under a file lock. An append first notes in a journal, a hidden file
beside it, where the file is to grow and by what, and removes the journal when the lines are on
disk. As long as there is a journal readers stop where the append began, and whoever next changes
the file cuts it there, unless what follows is none of the append's. Nothing else is ever cut.
`rewrite` renames a finished file over the old one. A change that has been made is on disk: files
first, then the folder that names them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import filelock

from .errors import UserError
from .files import replacing, sync_folder

LOCK_SECONDS = 60.0
POLL_SECONDS = 0.01
BLOCK = 65536

JOURNAL = re.compile(rb"(?P<data>append )?(?P<start>\d+) (?P<end>\d+)\n")
"""How a journal begins; what is appended follows, but not in one of an earlier version."""


class FileError(UserError, ValueError):
    """A file that cannot be read or must not be written; one line that says why."""


def content(file: str | Path) -> bytes:
    """All that `lines` gives."""
    return b"".join(lines(file))


def lines(file: str | Path) -> Iterator[bytes]:
    """Lines of a file without those of an append that is under way or was cut off.

    No lock is taken. What is appended meanwhile is not read, and of a file that is replaced
    meanwhile the former one is read to its end.

    Parameters
    ----------
    file : str or Path

    Yields
    ------
    bytes
        With the line break: ``\\n``, ``\\r\\n`` or ``\\r``. The last line may have none.

    Raises
    ------
    OSError
        If the file cannot be read or does not exist.
    FileError
        If somebody cuts it meanwhile.
    """
    file = Path(file)
    with _whole(file) as (opened, size):
        parts: list[bytes] = []  # of a line that goes on
        while size:
            block = opened.read(min(BLOCK, size))
            if not block:
                raise FileError(f"{file}: it was cut while it was read; try again")
            size -= len(block)
            parts.append(block)
            if size and b"\n" not in block and b"\r" not in block:
                continue
            found = b"".join(parts).splitlines(keepends=True)
            # The end of a block may be that of the first half of \r\n, too.
            parts = [found.pop()] if size and not found[-1].endswith(b"\n") else []
            yield from found


def last_line(file: str | Path) -> bytes:
    """What follows the last line break of a file, which is read from its end.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    bytes
        Empty if the file has no line break: that is a first line.

    Raises
    ------
    OSError
        As `lines`.
    """
    with _whole(Path(file)) as (opened, size):
        tail = _last_line(opened.fileno(), size)
    return tail if len(tail) < size else b""


@contextlib.contextmanager
def _whole(file: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A file, and how much of it is whole lines that stay."""
    while True:
        with open(file, "rb") as opened:
            before = os.fstat(opened.fileno())
            start = _start(file, opened.fileno())
            # Opened again: network file systems refresh it then.
            with open(file, "rb") as again:
                now = os.fstat(again.fileno())
            # Where there was no journal an append may have begun before it was looked for.
            is_settled = start is not None or now.st_size == before.st_size
            if os.path.samestat(before, now) and is_settled:
                yield opened, before.st_size if start is None else start
                return


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
        tail = _last_line(descriptor, kept)
        if len(tail) < kept:  # else it is the header
            require_whole(tail)
        start = [] if kept else [header]
        data = "".join([*start, "\n" if tail else "", *lines]).encode()
        journal = _beside(file, "journal")
        try:
            _note(journal, kept, data)
            _write(file, descriptor, data)
            _remove(journal)
        except BaseException:
            # What cannot be undone now is undone by whoever next changes the file: the journal is
            # removed last.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, kept)
                os.fsync(descriptor)
                _remove(journal)
            raise
    finally:
        os.close(descriptor)


def rewrite(file: Path, lines: Iterable[bytes]) -> None:
    """Put a finished file of these lines in the place of the old one, in one step."""
    target = file.resolve()
    copy = _beside(file, f"{secrets.token_hex(4)}.tmp")
    with replacing(target, copy) as new:
        new.writelines(lines)
        shutil.copymode(target, copy)


def _mend(file: Path) -> None:
    """Undo the append of a killed process and remove its unfinished `rewrite`."""
    journal = _beside(file, "journal")
    names = os.listdir(journal.parent)
    if journal.name in names:
        with contextlib.suppress(FileNotFoundError), open(file, "r+b") as opened:
            start = _start(file, opened.fileno())
            if start is not None:
                os.ftruncate(opened.fileno(), start)
                os.fsync(opened.fileno())
        _remove(journal)
    copy = re.compile(re.escape(_beside(file, "").name) + r"[a-z0-9_]{8}\.tmp")
    for name in filter(copy.fullmatch, names):
        journal.with_name(name).unlink(missing_ok=True)


def _beside(file: Path, kind: str) -> Path:
    """A hidden file of ours beside the file, or beside what the file is a link to."""
    target = file.resolve()
    return target.with_name(f".{target.name}.{kind}")


def _start(file: Path, descriptor: int) -> int | None:
    """Where the unfinished append of an open file began; None if there is none."""
    journal = _beside(file, "journal")
    # Network file systems may remember that a name was not there, but list a folder afresh.
    if journal.name not in os.listdir(journal.parent):
        return None
    try:
        text = journal.read_bytes()
    except FileNotFoundError:
        return None
    found = JOURNAL.match(text)
    if found is None:  # a torn journal: the append had not begun
        return None
    start, end, size = int(found["start"]), int(found["end"]), os.fstat(descriptor).st_size
    if not start <= size <= end:  # someone has put another file there
        return None
    if found["data"]:
        data, tail = text[found.end() :], os.pread(descriptor, size - start, start)
        # Blocks of a file that a lost disk has not written are zeros.
        if len(data) != end - start or any(
            t not in (0, d) for t, d in zip(tail, data, strict=False)
        ):
            return None
    return start


def _last_line(descriptor: int, end: int) -> bytes:
    """What follows the last line break before a place of an open file."""
    tail = b""
    while end:
        start = max(0, end - BLOCK)
        block = os.pread(descriptor, end - start, start)
        lines = 1 + max(block.rfind(b"\n"), block.rfind(b"\r"))
        tail = block[lines:] + tail
        if lines:
            break
        end = start
    return tail


def _note(journal: Path, start: int, data: bytes) -> None:
    """Write a journal: it and the file's name are on disk before the lines are."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        _write(journal, descriptor, b"append %d %d\n" % (start, start + len(data)) + data)
    finally:
        os.close(descriptor)
    sync_folder(journal.parent)


def _remove(journal: Path) -> None:
    """Remove a journal, on disk too: it would have the lines cut after a power loss."""
    journal.unlink(missing_ok=True)
    sync_folder(journal.parent)


def _write(file: Path, descriptor: int, data: bytes) -> None:
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
