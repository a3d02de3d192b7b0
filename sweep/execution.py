"""Running many tasks: in processes of this machine, or on a Dask cluster.

A task that raises is one failure. When a process dies (killed for memory, say) the others go on;
what it was working on is run again alone at the end, and is a failure if it dies again. A cluster
gives the work of a dead worker to another one; what has killed several is run again alone too. What
another process is already computing is asked for again at the end.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from runs.run import Run
from system.errors import UserError
from system.workers import Lost, Take, in_order, workers

from .alike import together

WORKERS_SECONDS = 120  # for the first worker of a cluster to join
BUSY_SECONDS = 2.0  # before asking again for what another process computes

ROOT = str(Path(sys.modules[__name__.partition(".")[0]].__file__).resolve().parents[1])
"""The folder from which the project is imported."""

DONE, SKIPPED, FAILED, BUSY = "done", "skipped", "failed", "busy"


class Outcome(NamedTuple):
    """What became of a task.

    Attributes
    ----------
    status : {"done", "skipped", "failed", "busy"}
        Skipped: another process has done it meanwhile. Busy: another process is at it.
    stage, error, reason : str
        Of a failure; the reason of a network that is done is what its user should know of it.
    recorded : bool
        Whether a failure is in ``failures.csv``; a worker that died could not write it.
    """

    status: str
    stage: str = ""
    error: str = ""
    reason: str = ""
    recorded: bool = True


class SchedulerError(UserError):
    """There is nothing to run on; one line that says why."""


Work = Callable[[Run], Outcome]
Begun = Callable[[Run], None]
Pool = Callable[[Sequence[Run], Begun], Iterator[tuple[Run, Outcome]]]


def run(
    tasks: Sequence[Run],
    work: Work,
    *,
    jobs: int = 1,
    timeout: float | None = None,
    scheduler: str = "",
    begun: Begun = lambda task: None,
    alike: Callable[[Run], Hashable] = lambda task: task,
    waits: Callable[[Run, int], bool] = lambda task, left: False,
) -> Iterator[tuple[Run, Outcome]]:
    """Run tasks, each in a process that is not this one; results come as they are ready.

    Parameters
    ----------
    tasks : sequence of Run
    work : callable
        Takes a task, gives its `Outcome`; raises nothing but what should stop everything. It is
        pickled.
    jobs : int
        Processes at once.
    timeout : float, optional
        Seconds after which a task is ended and has failed; not on a cluster.
    scheduler : str
        Address of a Dask scheduler; its workers are used instead of processes of this machine.
    begun : callable
        Called with each task as it is handed to a process, or to the cluster, which may hold it.
    alike : callable
        What tasks have in common that one process should do (`alike.together`); not on a cluster.
    waits : callable
        As for `alike.together`.

    Yields
    ------
    Run, Outcome
        Never a busy one: it is asked for until it is done or free.

    Raises
    ------
    SchedulerError
        If there is no such cluster.
    WorkersError
        If no process can be started.
    """
    waiting = list(tasks)
    handing = partial(together, kind=alike, waits=waits)
    where = _cluster(work, scheduler) if scheduler else _processes(work, jobs, timeout, handing)
    with where as pool:
        while waiting:
            busy = []
            for task, outcome in pool(waiting, begun):
                if outcome.status == BUSY:
                    busy.append(task)
                else:
                    yield task, outcome
            if busy:
                time.sleep(BUSY_SECONDS)
            waiting = busy


def _told(take: Take, begun: Begun) -> Take:
    """Hand out tasks, and say so of each."""

    def take_and_tell(last: Run | None, others: list[Run]) -> Run | None:
        task = take(last, others)
        if task is not None:
            begun(task)
        return task

    return take_and_tell


@contextlib.contextmanager
def _processes(
    work: Work, jobs: int, timeout: float | None, handing: Callable[[Sequence[Run]], Take]
) -> Iterator[Pool]:
    with workers(work, timeout) as each:

        def pool(tasks: Sequence[Run], begun: Begun) -> Iterator[tuple[Run, Outcome]]:
            died = []
            for task, answer in each(_told(handing(tasks), begun), jobs):
                if answer is Lost.DIED:
                    died.append(task)
                else:
                    yield task, _late(timeout) if answer is Lost.LATE else answer
            for task in died:  # alone: it may have been killed for memory that others took
                for _, answer in each(in_order([task]), 1):
                    if answer is Lost.LATE:
                        answer = _late(timeout)
                    yield task, DIED if answer is Lost.DIED else answer

        yield pool


DIED = Outcome(
    FAILED,
    "unknown",
    "killed",
    "its process was killed again and again: most likely for want of memory; fewer processes at "
    "once leave it more",
    recorded=False,
)


def _late(timeout: float | None) -> Outcome:
    reason = f"it took longer than the {timeout:g} s of --timeout"
    return Outcome(FAILED, "unknown", "timeout", reason, recorded=False)


def _by_value() -> Callable[[str, bytes], Outcome]:
    """What a cluster is sent: a function within a function is pickled whole, not by its name.

    So neither the scheduler, which opens all that goes through it, nor a worker needs to have this
    project on its path beforehand.
    """

    def call_packed(root: str, packed: bytes) -> Outcome:
        import os
        import pickle
        import sys

        if os.path.isdir(root):  # before what else is called so, in the worker's folder say
            sys.path[:] = [root, *(path for path in sys.path if path != root)]
        try:
            work, task = pickle.loads(packed)
        except Exception as error:  # of another version of the project, too
            raise ImportError(f"{type(error).__name__}: {error}") from None
        return work(task)

    return call_packed


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def _cluster(work: Work, scheduler: str) -> Iterator[Pool]:
    try:
        import distributed
        from distributed.client import CancelledError
    except ModuleNotFoundError:
        raise SchedulerError(
            "--scheduler needs Dask: pip install -r deps/requirements-dask.txt"
        ) from None
    try:
        client = distributed.Client(scheduler, set_as_default=False)  # waits as Dask is set
    except (OSError, TimeoutError, ValueError) as error:
        raise SchedulerError(
            f"--scheduler {scheduler}: no Dask scheduler answers there ({error})"
        ) from None

    for name in list(logging.root.manager.loggerDict):
        if name.startswith("distributed"):  # what it says of a lost scheduler is said here
            logging.getLogger(name).setLevel(logging.CRITICAL)
    call_packed = _by_value()

    def lost(error: BaseException) -> SchedulerError:
        return SchedulerError(
            f"--scheduler {scheduler}: the scheduler has been lost ({_first_line(error)}); what is "
            "done is kept: start a cluster again, then give the same command"
        )

    def submit(task: Run):
        try:
            return client.submit(call_packed, ROOT, pickle.dumps((work, task)), pure=False)
        except (OSError, RuntimeError) as error:  # it has been closed
            raise lost(error) from None

    def outcome(call) -> Outcome:
        try:
            return call.result()
        except ImportError as error:
            raise SchedulerError(
                f"--scheduler {scheduler}: a worker cannot import what it is to run ({error}); "
                f"let each worker see a checkout of this project, at {ROOT} or on its PYTHONPATH, "
                "and have the packages of deps/requirements-dask.txt"
            ) from None
        except (CancelledError, OSError) as error:
            if call.status == "error":  # of the work itself
                raise
            raise lost(error) from None

    def pool(tasks: Sequence[Run], begun: Begun) -> Iterator[tuple[Run, Outcome]]:
        calls, killed = {}, []
        for task in tasks:
            begun(task)
            calls[submit(task)] = task
        for call in distributed.as_completed(calls, loop=client.loop):
            task = calls.pop(call)  # a result that nobody holds is not computed again
            try:
                yield task, outcome(call)
            except distributed.KilledWorker:
                killed.append(task)
        for task in killed:  # alone: it may have shared a worker with what killed it
            try:
                yield task, outcome(submit(task))
            except distributed.KilledWorker:
                yield task, DIED

    with client:
        try:
            client.wait_for_workers(1, timeout=WORKERS_SECONDS)
        except TimeoutError:
            raise SchedulerError(
                f"--scheduler {scheduler}: no worker has joined it for {WORKERS_SECONDS} s"
            ) from None
        except OSError as error:
            raise lost(error) from None
        yield pool
