"""Processes of this machine that do work, a piece at a time: any of them may die or hang.

A process is sent its work through a socket and ends with the other end of it: whatever becomes of
this process, and however, none outlives it. They share nothing else, neither files nor semaphores.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import enum
import itertools
import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from .errors import UserError

POLL_SECONDS = 1.0  # before looking whether a process is still there

# What a new process runs: it imports from where this one does, and not from the working folder.
BEGIN = """
import sys
from multiprocessing.connection import Connection
connection = Connection({descriptor})
try:
    sys.path[:] = connection.recv()
except (EOFError, OSError):  # whoever has started it has died
    sys.exit()
from system import workers
workers.serve(connection)
"""

PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent dies


class WorkersError(UserError):
    """No process can be started; one line that says so."""


class Lost(enum.Enum):
    """Why there is no answer."""

    DIED = enum.auto()
    LATE = enum.auto()


Take = Callable[[Any, list], Any]
Each = Callable[[Take, int], Iterator[tuple[Any, Any]]]


def in_order(tasks: Iterable) -> Take:
    """Hand out tasks as they come, whoever asks.

    Parameters
    ----------
    tasks : iterable
        None of them is None.

    Returns
    -------
    callable
        For `workers`.
    """
    todo = iter(tasks)
    return lambda *_: next(todo, None)


@contextlib.contextmanager
def workers(work: Callable, seconds: float | None = None) -> Iterator[Each]:
    """Have processes that do a piece of work at a time.

    Parameters
    ----------
    work : callable
        Takes a task, gives an answer. It, the tasks and the answers are pickled.
    seconds : float, optional
        How long a piece of work may take before its process is ended.

    Yields
    ------
    callable
        Takes what hands out tasks, and how many to do at once; gives each task with its answer, or
        `Lost`, as they are ready. A task is asked for when it can begin, with the task that its
        process did last (None if that is new), and with those that the other processes are at or
        did last. None is none for this process, which is asked again as soon as one of the others
        has answered or died; they end when all are given None. What `work` raises, it raises.

    Raises
    ------
    WorkersError
        If no process can be started.
    """
    packed = pickle.dumps(work)
    alive: list[_Worker] = []

    def each(take: Take, jobs: int) -> Iterator[tuple[Any, Any]]:
        queue = collections.deque()  # for processes that are not ready

        def ask(worker: _Worker | None = None) -> Any:
            others = [other.latest for other in alive if other is not worker]
            last = None if worker is None else worker.last
            return take(last, [task for task in others if task is not None])

        while len(alive) > jobs:
            alive.pop().end()
        while True:
            for worker in alive:
                if worker.is_ready and not worker.is_busy:
                    task = None if queue and worker.last is None else ask(worker)
                    if task is None and queue:
                        task = queue.popleft()
                    if task is not None:
                        worker.begin(task)
            busy = sum(worker.is_busy for worker in alive)
            new = iter(ask, None)
            queue.extend(itertools.islice(new, max(0, jobs - busy - len(queue))))
            if not queue and not busy:
                return
            alive.extend(_Worker(packed) for _ in range(len(alive), min(jobs, busy + len(queue))))
            answered = wait([worker.connection for worker in alive], _patience(alive, seconds))
            for worker in list(alive):
                task, was_busy = worker.task, worker.is_busy
                news = worker.news(worker.connection in answered, seconds)
                if news is None:
                    continue
                answer, error = news
                if error is not None:
                    raise error
                if isinstance(answer, Lost):
                    alive.remove(worker)
                    worker.end()
                    if not worker.is_ready:
                        jobs -= 1  # there may be no memory for so many
                        if not jobs:
                            raise WorkersError("processes die before they begin; is memory left?")
                if was_busy:
                    yield task, answer

    try:
        yield each
    finally:
        for worker in alive:
            worker.end()


def _patience(alive: list[_Worker], seconds: float | None) -> float:
    """How long to wait for an answer before looking after the processes."""
    now = time.monotonic()
    ends = [worker.since + seconds - now for worker in alive if seconds and worker.is_busy]
    return max(0.0, min([POLL_SECONDS, *ends]))


class _Worker:
    """A process, seen from this one."""

    def __init__(self, packed: bytes) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self.task = self.last = None
        self.is_ready = self.is_busy = False
        self.since = 0.0
        code = BEGIN.format(descriptor=theirs.fileno())
        # It does not see an interrupt before it can ignore it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", code],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                )
            except OSError as error:
                raise WorkersError(f"no process can be started: {error.strerror}") from None
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with contextlib.suppress(OSError):  # it has died
            self.connection.send(sys.path)
            self.connection.send_bytes(packed)

    @property
    def latest(self) -> Any:
        """The task that it is at, or did last."""
        return self.task if self.is_busy else self.last

    def begin(self, task: Any) -> None:
        """Send it a task."""
        self.task, self.is_busy, self.since = task, True, time.monotonic()
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def news(self, is_there: bool, seconds: float | None) -> tuple[Any, Exception | None] | None:
        """Its answer, or what its work raised, if it has sent one, or why there is none."""
        # Processes that it has started may hold its end of the socket.
        if not is_there and self._process.poll() is None:
            is_late = seconds and self.is_busy and time.monotonic() - self.since >= seconds
            return (Lost.LATE, None) if is_late else None
        try:
            if not self.connection.poll():
                return Lost.DIED, None
            news = self.connection.recv()
        except (EOFError, OSError):
            return Lost.DIED, None
        self.is_ready, self.is_busy, self.task, self.last = True, False, None, self.task
        return news

    def end(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.wait()
        self.connection.close()


def serve(connection: Connection) -> None:
    """Do what a new process does: take the work, then do task by task until nobody wants more.

    Parameters
    ----------
    connection : Connection
        To the process that has started this one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the program decides
    _end_with_parent(connection)
    with contextlib.suppress(EOFError, OSError):  # when the parent has died, without a word
        packed = connection.recv_bytes()
        work, error = _tried(lambda: pickle.loads(packed))
        connection.send((None, error))
        while True:
            task = connection.recv()
            answer = _tried(lambda task=task: work(task))
            try:
                pickle.dumps(answer)
            except Exception as fault:
                answer = None, RuntimeError(f"{type(fault).__name__}: {fault}")
            connection.send(answer)


def _tried(function: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return function(), None
    except Exception as error:
        error.add_note(traceback.format_exc())  # where it was raised is lost on the way
        return None, error


def _end_with_parent(connection: Connection) -> None:
    """Die with the parent, on Linux even in the midst of what lets no other thread run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=[connection.fileno()], daemon=True).start()


def _watch(descriptor: int) -> None:
    """Wait until the other end of a socket is closed; then die."""
    poll = select.poll()
    poll.register(descriptor, 0)  # the end is told all the same
    poll.poll()
    os.kill(os.getpid(), signal.SIGKILL)
