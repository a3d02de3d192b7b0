"""Running many tasks through joblib: processes on this machine, or a Dask cluster.

A task that raises is one failure. A worker that dies (killed for memory, say) takes its joblib pool
with it: what it was working on is run again alone, and is a failure if it dies again; the others go
on in a new pool. A cluster gives the work of a dead worker to another one. What another process is
already computing is asked for again at the end.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from .plan import Task

BUSY_SECONDS = 2.0  # before asking again for what another process computes

DONE, SKIPPED, FAILED, BUSY = "done", "skipped", "failed", "busy"


class Outcome(NamedTuple):
    """What became of a task.

    Attributes
    ----------
    status : {"done", "skipped", "failed", "busy"}
        Skipped: another process has done it meanwhile. Busy: another process is at it.
    stage, error, reason : str
        Of a failure.
    recorded : bool
        Whether a failure is in ``failures.csv``; a worker that died could not write it.
    """

    status: str
    stage: str = ""
    error: str = ""
    reason: str = ""
    recorded: bool = True


class SchedulerError(Exception):
    """There is nothing to run on; one line that says why."""


Work = Callable[[Task], Outcome]


def run(
    tasks: Sequence[Task], work: Work, *, jobs: int = 1, threads: int = 1, scheduler: str = ""
) -> Iterator[tuple[Task, Outcome]]:
    """Run tasks, each in a process that is not this one; results come as they are ready.

    Parameters
    ----------
    tasks : sequence of Task
    work : callable
        Takes a task, gives its `Outcome`; raises nothing but what should stop everything. It is
        pickled.
    jobs : int
        Processes at once.
    threads : int
        Threads of each.
    scheduler : str
        Address of a Dask scheduler; its workers are used instead of processes of this machine.

    Yields
    ------
    Task, Outcome
        Never a busy one: it is asked for until it is done or free.

    Raises
    ------
    SchedulerError
        If there is no such cluster, or no process can be started.
    """
    pool = _cluster(work, scheduler) if scheduler else _processes(work, jobs, threads)
    waiting = list(tasks)
    while waiting:
        busy = []
        for task, outcome in pool(waiting):
            if outcome.status == BUSY:
                busy.append(task)
            else:
                yield task, outcome
        if busy:
            time.sleep(BUSY_SECONDS)
        waiting = busy


def _processes(work: Work, jobs: int, threads: int):
    def pool(tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
        waiting = dict(enumerate(tasks))
        alone: list[int] = []
        while waiting:
            # After a worker died: first what was under way, each in a process of its own.
            now = alone[:1] or list(waiting)
            with tempfile.TemporaryDirectory(prefix="sweep-") as started:
                calls = [delayed(_marked)(work, i, waiting[i], started) for i in now]
                try:
                    with parallel_config(
                        "loky", n_jobs=min(jobs, len(now)), inner_max_num_threads=threads
                    ):
                        parallel = Parallel(
                            return_as="generator_unordered", batch_size=1, pre_dispatch="all"
                        )
                        for i, outcome in parallel(calls):
                            yield waiting.pop(i), outcome
                            alone = [other for other in alone if other != i]
                except TerminatedWorkerError:
                    under_way = [int(name) for name in sorted(os.listdir(started), key=int)]
                    under_way = [i for i in under_way if i in waiting]
                    if alone and now == alone[:1]:
                        i = alone.pop(0)
                        yield waiting.pop(i), DIED
                    elif under_way:
                        alone = under_way
                    else:
                        raise SchedulerError(
                            "the processes of --jobs die before they begin; is there memory left?"
                        ) from None

    return pool


DIED = Outcome(
    FAILED,
    "unknown",
    "TerminatedWorkerError",
    "its process was killed, twice: most likely for want of memory; fewer --jobs leave it more",
    recorded=False,
)


def _marked(work: Work, number: int, task: Task, started: str) -> tuple[int, Outcome]:
    """Work on a task, leaving a mark that it was begun."""
    Path(started, str(number)).touch()
    return number, work(task)


def _numbered(work: Work, number: int, task: Task) -> tuple[int, Outcome]:
    return number, work(task)


def _cluster(work: Work, scheduler: str):
    try:
        from distributed import Client, KilledWorker
    except ModuleNotFoundError:
        raise SchedulerError(
            "--scheduler needs Dask: pip install -r deps/requirements-dask.txt"
        ) from None
    try:
        client = Client(scheduler, timeout="10s", set_as_default=True)
    except (OSError, TimeoutError, ValueError) as error:
        raise SchedulerError(
            f"--scheduler {scheduler}: no Dask scheduler answers there ({error})"
        ) from None

    def pool(tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
        with parallel_config("dask", client=client, wait_for_workers_timeout=60):
            parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")
            calls = (delayed(_numbered)(work, i, task) for i, task in enumerate(tasks))
            waiting = dict(enumerate(tasks))
            try:
                for i, outcome in parallel(calls):
                    del waiting[i]
                    yield tasks[i], outcome
                return
            except KilledWorker:  # one task killed several workers: look for it by halves
                left = list(waiting.values())
        if len(left) == 1:
            yield left[0], DIED
            return
        yield from pool(left[: len(left) // 2])
        yield from pool(left[len(left) // 2 :])

    return pool
