"""Running many tasks: in processes of this machine (joblib's pool), or on a Dask cluster.

A task that raises is one failure. A worker that dies (killed for memory, say) takes its pool with
it: what it was working on is run again alone, and is a failure if it dies again; the others go on
in a new pool. A cluster gives the work of a dead worker to another one; what has killed several is
run again alone too. What another process is already computing is asked for again at the end.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from joblib.externals.loky import FIRST_COMPLETED, get_reusable_executor, wait
from joblib.externals.loky.process_executor import TerminatedWorkerError

from runs.run import Run
from system.errors import UserError

IDLE_SECONDS = 20  # before an idle process leaves
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
Pool = Callable[[Sequence[Run]], Iterator[tuple[Run, Outcome]]]


def run(
    tasks: Sequence[Run], work: Work, *, jobs: int = 1, scheduler: str = ""
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
    scheduler : str
        Address of a Dask scheduler; its workers are used instead of processes of this machine.

    Yields
    ------
    Run, Outcome
        Never a busy one: it is asked for until it is done or free.

    Raises
    ------
    SchedulerError
        If there is no such cluster, or no process can be started.
    """
    waiting = list(tasks)
    with _cluster(work, scheduler) if scheduler else _processes(work, jobs) as pool:
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


@contextlib.contextmanager
def _processes(work: Work, jobs: int) -> Iterator[Pool]:
    workers = None
    rounds = itertools.count()

    def pool(tasks: Sequence[Run]) -> Iterator[tuple[Run, Outcome]]:
        nonlocal workers
        waiting = dict(enumerate(tasks))
        alone: list[int] = []
        while waiting:
            # After a worker died: first what was under way, each in a process of its own.
            now = alone[:1] or list(waiting)
            # Of joblib's own pool: joblib.Parallel runs one job in this process, where want of
            # memory would end the sweep.
            workers = get_reusable_executor(max_workers=min(jobs, len(now)), timeout=IDLE_SECONDS)
            started = Path(marks, str(next(rounds)))
            started.mkdir()
            todo, calls = iter(now), set()
            try:
                while True:
                    # No more than are worked on: if this process is killed, nothing is queued.
                    for i in itertools.islice(todo, jobs - len(calls)):
                        calls.add(workers.submit(_marked, work, i, waiting[i], started))
                    if not calls:
                        break
                    ended, calls = wait(calls, return_when=FIRST_COMPLETED)
                    for call in ended:
                        i, outcome = call.result()
                        alone = [other for other in alone if other != i]
                        yield waiting.pop(i), outcome
            except TerminatedWorkerError:
                workers.shutdown()  # waits for the other workers' end: until then they leave marks
                under_way = [i for i in map(int, os.listdir(started)) if i in waiting]
                if alone:
                    yield waiting.pop(alone.pop(0)), DIED
                elif under_way:
                    alone = sorted(under_way)
                else:
                    raise SchedulerError(
                        "the processes of --jobs die before they begin; is there memory left?"
                    ) from None

    # The directory outlives the processes, which leave marks in it to their end.
    with _safe_path(), tempfile.TemporaryDirectory(prefix="sweep-") as marks:
        try:
            yield pool
            if workers:
                workers.shutdown()
        except BaseException:
            _stop(workers)
            raise


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Keep the working folder off the path of imports of new processes, as Python itself can.

    They would find its modules, whatever these are called, before those of Python.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _stop(workers) -> None:
    """End the processes of a pool in the middle of their work, without a word."""
    if workers:
        for process in list(workers._processes.values()):
            process.terminate()
        workers.shutdown()  # finds them dead


DIED = Outcome(
    FAILED,
    "unknown",
    "killed",
    "its process was killed again and again: most likely for want of memory; fewer processes at "
    "once leave it more",
    recorded=False,
)


def _marked(work: Work, number: int, task: Run, started: Path) -> tuple[int, Outcome]:
    """Work on a task, leaving a mark that it was begun."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the program decides
    (started / str(number)).touch()
    return number, work(task)


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


@contextlib.contextmanager
def _cluster(work: Work, scheduler: str) -> Iterator[Pool]:
    # By Dask itself: joblib's backend for it runs the work in this process when the cluster has one
    # core, and loses all that is under way when a worker dies.
    try:
        import distributed
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

    call_packed = _by_value()

    def submit(task: Run):
        return client.submit(call_packed, ROOT, pickle.dumps((work, task)), pure=False)

    def outcome(call) -> Outcome:
        try:
            return call.result()
        except ImportError as error:
            raise SchedulerError(
                f"--scheduler {scheduler}: a worker cannot import what it is to run ({error}); "
                f"let each worker see a checkout of this project, at {ROOT} or on its PYTHONPATH, "
                "and have the packages of deps/requirements-dask.txt"
            ) from None

    def pool(tasks: Sequence[Run]) -> Iterator[tuple[Run, Outcome]]:
        calls = {submit(task): task for task in tasks}
        killed = []
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
        yield pool
