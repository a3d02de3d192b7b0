"""Who computes which run: one process at a time, on one machine or on a shared folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

CLAIM_SECONDS = 1.0  # before asking again for a run that another process computes


@contextlib.contextmanager
def claim(output_dir: str | Path, key: str) -> Iterator[bool]:
    """Claim a run for as long as the ``with`` block lasts, without waiting.

    Look only then whether the run is done: another process may have finished it just before. The
    operating system ends the claim of a process that dies. The empty files in ``.claims`` stay and
    can be deleted when nothing runs.

    Parameters
    ----------
    output_dir : str or Path
        Where the results go; the same for all processes that share the work.
    key : str
        What tells the run from all others.

    Yields
    ------
    bool
        Whether the run is this process's now. False means that it is claimed already: leave it.

    Raises
    ------
    OSError
        If the folder cannot be written, or its file system has no locks; the message names it.
    """
    file = Path(output_dir) / ".claims" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without locks of the operating system a killed process would keep its claims for ever.
    lock = filelock.FileLock(file, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
        mine = True
    except filelock.Timeout:
        mine = False
    except OSError as error:
        reason = "no file locks here" if error.errno == errno.ENOSYS else error.strerror
        raise OSError(error.errno, reason, str(file)) from None
    try:
        yield mine
    finally:
        if mine:
            lock.release()


@contextlib.contextmanager
def claimed(output_dir: str | Path, key: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Wait until no other process has claimed a run, and claim it meanwhile.

    Parameters
    ----------
    output_dir, key
        As in `claim`.
    waiting : callable
        Called once if another process has it.
    """
    for attempt in itertools.count():
        with claim(output_dir, key) as mine:
            if mine:
                yield
                return
        if not attempt:
            waiting()
        time.sleep(CLAIM_SECONDS)
