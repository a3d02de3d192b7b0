"""Work that takes no time, for tests of `sweep.execution`; its tasks are numbers.

As a program it runs tasks and prints what became of them: what goes wrong with the processes of a
pool does not reach the tests' own process then.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import signal
import time
from pathlib import Path

from sweep import execution
from sweep.execution import Outcome

KINDS = ("once", "always", "raising", "busy", "stopping", "hanging")


def work(
    task: int,
    folder: str,
    once: set,
    always: set,
    raising: set,
    busy: set,
    stopping: set,
    hanging: set,
):
    """Leave a file that says who tried; then die, fail, hang, be busy for two times, or be done."""
    times = len(list(Path(folder).glob(f"{task}-*")))
    Path(folder, f"{task}-{times}-{os.getpid()}").touch()
    time.sleep(0.02)
    if task in always or (task in once and not times):
        os.kill(os.getpid(), signal.SIGKILL)
    if task in busy and times < 2:
        return Outcome(execution.BUSY)
    if task in raising:
        return Outcome(execution.FAILED, "measure", "ValueError", f"number {task}")
    if task in hanging:
        time.sleep(10_000)
    if task in stopping:
        raise OSError(28, "No space left on device", folder)
    return Outcome(execution.DONE)


class DeadOnArrival:
    """Work that kills whatever process unpickles it."""

    def __reduce__(self):
        """See `object.__reduce__`."""
        return _die, ()

    def __call__(self, task: int) -> Outcome:
        """Be done: never reached."""
        return Outcome(execution.DONE)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the tasks that the command line asks for; print this process and what became of each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--tasks", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--scheduler", default="")
    parser.add_argument("--dead-on-arrival", action="store_true")
    for name in KINDS:
        parser.add_argument(f"--{name}", type=int, nargs="*", default=[])
    options = parser.parse_args()
    execution.BUSY_SECONDS = 0.05
    kinds = {name: set(getattr(options, name)) for name in KINDS}
    call = functools.partial(work, folder=options.folder, **kinds)
    outcomes = execution.run(
        range(options.tasks),
        DeadOnArrival() if options.dead_on_arrival else call,
        jobs=options.jobs,
        timeout=options.timeout,
        scheduler=options.scheduler,
    )
    found = [[task, outcome._asdict()] for task, outcome in outcomes]
    print(json.dumps([os.getpid(), found]))


if __name__ == "__main__":
    # By its name, so that the processes of a pool can import what they run.
    import small_work

    small_work.main()
