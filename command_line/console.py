"""A sweep as its user sees it: one bar over the networks, a log, failures, what to do next."""

from __future__ import annotations

import argparse
import collections
import contextlib
import copy
import datetime
import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

import steps
from runs import records
from runs.locks import claim
from sweep import execution, plan
from sweep.estimate import most_memory
from sweep.execution import BUSY, DONE, FAILED, SKIPPED, Outcome
from system import memory

BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]{postfix}"
SHARE_OF_MEMORY = 0.9


def run(options: argparse.Namespace, tasks: Sequence[plan.Task], todo: Sequence[plan.Task]) -> int:
    """Run what is missing of a sweep.

    Parameters
    ----------
    options : argparse.Namespace
        From `arguments.parse`.
    tasks : sequence of Task
        The whole sweep.
    todo : sequence of Task
        What is missing of it.

    Returns
    -------
    int
        Number of networks that failed; they are in ``failures.csv``.
    """
    jobs, threads = divide(options, todo)
    counts = collections.Counter({DONE: 0, SKIPPED: len(tasks) - len(todo), FAILED: 0})
    theirs = copy.copy(options)
    theirs.threads = threads
    theirs.folder = Path.cwd()  # where networks of the user's own are; a cluster's workers are not
    for name in ("output_dir", "data_root", "save_snn", "save_graph"):  # as workers see them
        if getattr(options, name):
            setattr(theirs, name, getattr(options, name).resolve())
    warned = 0
    work = functools.partial(attempt, options=theirs)
    with _log(options.log_file) as log:
        where = f"on {options.scheduler}" if options.scheduler else f"{jobs} at once"
        log(f"{len(tasks)} networks, {counts[SKIPPED]} done already, {where}")
        bar = tqdm(
            total=len(tasks),
            initial=counts[SKIPPED],
            unit="network",
            bar_format=BAR,
            disable=not sys.stderr.isatty(),
        )
        with bar:
            results = execution.run(todo, work, jobs=jobs, scheduler=options.scheduler)
            for task, outcome in results:
                counts[outcome.status] += 1
                if not outcome.recorded:
                    _record(options, task, outcome)
                line = f"{outcome.status}: {task.network}"
                if outcome.status == FAILED:
                    line += f": {outcome.stage}: {outcome.error}: {outcome.reason}"
                if outcome.warning:
                    warned += 1
                    line = f"{outcome.status}: {outcome.warning}"
                log(line, show=outcome.status == FAILED)
                bar.set_description_str(str(task.network), refresh=False)
                bar.set_postfix_str(_counted(counts), refresh=False)
                bar.update()
        log(_counted(counts))
        if warned:
            text = "networks with layers without a weight or classes that no input reaches"
            file = options.output_dir / "runs.csv"
            log(f"main.py: warning: {text}: {warned}; {file} has which", show=True)
    print(_counted(counts) + f"; results in {options.output_dir}")
    if counts[FAILED]:
        print(f"what failed, and why: {options.output_dir / 'failures.csv'}", file=sys.stderr)
    return counts[FAILED]


def divide(options: argparse.Namespace, todo: Sequence[plan.Task]) -> tuple[int, int]:
    """Processes at once, and threads of each.

    As many processes as asked for, as there are networks, and as memory is enough for by the
    largest estimate; the threads are divided among them. The workers of a cluster are one process
    each, with ``--threads`` or all their cores.
    """
    if options.scheduler:
        return 1, options.threads
    jobs = max(1, min(options.jobs, len(todo)))
    if jobs > 1:
        needed = most_memory(todo)
        fit = max(1, int(SHARE_OF_MEMORY * memory.available() / needed))
        if fit < jobs:
            print(
                f"main.py: warning: {fit} of {jobs} jobs at once: a network here takes up to "
                f"{needed:,.0f} MB (an estimate), and {memory.available():,.0f} MB are free",
                file=sys.stderr,
            )
            jobs = fit
    return jobs, max(1, steps.threads(options) // jobs)


def attempt(task: plan.Task, options: argparse.Namespace) -> Outcome:
    """Run one network in a worker; what goes wrong is an outcome, and recorded.

    Parameters
    ----------
    task : Task
    options : argparse.Namespace

    Returns
    -------
    Outcome
    """
    import main
    from command_line import progress

    steps.use_threads(options.threads)
    with claim(options.output_dir, task.network.key) as mine:
        if not mine:
            return Outcome(BUSY)
        left = steps.undone(options, [task])
        if not left:
            return Outcome(SKIPPED)
        todo = left[0]
        stages = progress.Stages(steps.stage_names(options, todo), quiet=True)
        try:
            main.run_network(todo, options, stages)
        except Exception as error:
            reason = steps.one_line(error, options) or str(error)
            outcome = Outcome(FAILED, stages.current, type(error).__name__, reason)
            unwritten = todo.measurements[stages.ended["write"] :]
            _record(options, plan.Task(task.network, unwritten), outcome)
            return outcome
    return Outcome(DONE, warning="; ".join(stages.warnings))


def _record(options: argparse.Namespace, task: plan.Task, outcome: Outcome) -> None:
    records.record_failure(
        options.output_dir,
        task.network,
        task.measurements,
        outcome.stage,
        outcome.error,
        outcome.reason,
    )


def _counted(counts: collections.Counter) -> str:
    return ", ".join(f"{counts[status]} {status}" for status in (DONE, SKIPPED, FAILED))


@contextlib.contextmanager
def _log(file) -> Iterator:
    """A function that writes a line into the log file, and on the screen without a terminal."""
    kept = {"encoding": "utf-8", "errors": "backslashreplace"}
    with open(file, "a", **kept) if file else contextlib.nullcontext() as lines:

        def log(text: str, *, show: bool = False) -> None:
            now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
            if lines:
                print(now, text, file=lines, flush=True)
            if show or not sys.stderr.isatty():
                tqdm.write(text, file=sys.stderr)

        yield log
