"""Runs as their user sees them: a summary of one; a bar, a log and the failures of many."""

from __future__ import annotations

import argparse
import collections
import contextlib
import copy
import datetime
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import datasets
from runs import results, summary
from runs.locks import claimed
from runs.measures import MEASURES
from runs.run import Run, configuration
from sweep import alike, estimate, execution, plan, sizes, worker
from sweep.execution import DONE, FAILED, SKIPPED, Outcome
from system import compute, memory
from system.bars import tqdm
from system.errors import UserError
from system.files import check_folder
from system.program import ended_by_signals

from . import asked
from .clock import ticking
from .progress import TICK_SECONDS, Stages

BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]{postfix}"
SHARE_OF_MEMORY = 0.9


def run(options: argparse.Namespace, work: Callable[..., None]) -> int:
    """Settle where to compute and on which data, then run the networks.

    Parameters
    ----------
    options : argparse.Namespace
        From `flags.parse`.
    work : callable
        Makes, measures and writes one network: ``work(run, stages, options)``.

    Returns
    -------
    int
        Number of networks of a sweep that failed. A network that runs alone raises its error.
    """
    check_folder(options.output_dir)
    if options.weights_trust:
        text = f"--weights-trust runs what code {options.weights} holds"
        print(f"main.py: warning: {text}", file=sys.stderr, flush=True)
    compute.use_threads(options.threads)
    compute.require_device(options.device)
    if options.snn:
        return run_all(options, asked.saved_runs(options), work)
    if options.label:
        return run_all(options, [asked.labelled_run(options)], work)
    names, why = asked.data_sets(options)
    try:
        return run_with_warning(options, names, why, work)
    except datasets.DataUnavailable as error:
        if options.dataset is not None or names == [datasets.STAND_IN]:
            raise
        return run_with_warning(options, [datasets.STAND_IN], str(error), work)


def run_with_warning(
    options: argparse.Namespace, names: Sequence[str], why: str | None, work: Callable[..., None]
) -> int:
    """Run; say before and after why it is not on the default data set, if it is not."""
    warning = f"main.py: warning: the {names[0]} stand in for {datasets.DEFAULT}: {why}"
    if why:
        print(warning, file=sys.stderr, flush=True)
    runs = plan.runs(options, names, unnamed=options.dataset is None)
    failed = run_all(options, runs, work)
    if why:
        sys.stdout.flush()
        print(warning, file=sys.stderr)
    return failed


def run_all(options: argparse.Namespace, runs: Sequence[Run], work: Callable[..., None]) -> int:
    """Run one network here, or many in processes of their own; or only say what there is to run."""
    asked.check_files(options, runs)
    if len(runs) == 1 and not (options.scheduler or options.dry_run or options.timeout):
        run_and_show(options, runs[0], work)
        return 0
    with ended_by_signals():
        todo = asked.undone(runs, options)
        if options.dry_run:
            known = sizes_of(options, runs)
            _, threads = divide(options, todo, known)
            print(estimate.table(runs, todo, known, threads))
            return 0
        # Opened here, so that they are downloaded before many ask for them.
        networks = {run.network.dataset: run.network for run in todo if run.network.needs_images}
        for network in networks.values():
            asked.images(options, network, sys.stderr.isatty(), train=True)
        return run_sweep(options, runs, todo, work)


def run_and_show(options: argparse.Namespace, run: Run, work: Callable[..., None]) -> None:
    """Run one network, if anything of it is undone, and show all its rows."""
    network, computed, seconds = run.network, (), {}

    def waiting() -> None:
        print(f"main.py: another process is at {network}: waiting", file=sys.stderr)

    with claimed(options.output_dir, network.key, waiting):
        for todo in asked.undone([run], options):
            computed = todo.measurements
            with Stages() as stages:
                try:
                    work(todo, stages, options)
                except SystemExit:  # as if all were done
                    raise UserError(f"{network}: the network's own code ends the program") from None
            seconds = stages.seconds
        # Also what a kill between the rows and this has left.
        network.remove_checkpoints(options.output_dir)
    for *earlier, measurement in run.trajectories():
        file = measurement.rows_in(options.output_dir, network)
        rows = results.find(file, configuration(network, measurement))
        groups = MEASURES[measurement.graph_metrics].groups
        print(summary.summary(rows, groups))
        if earlier:
            found = [results.find(file, configuration(network, each)) for each in earlier]
            print(f"\n{summary.trajectory([*found, rows], groups)}")
        if measurement in computed or (computed and earlier):
            print(f"\n{summary.times(seconds)}\nwritten to {file}")
        else:
            print(f"\nalready in {file}; --force computes it again")


def run_sweep(
    options: argparse.Namespace,
    runs: Sequence[Run],
    todo: Sequence[Run],
    work: Callable[..., None],
) -> int:
    """Run what is missing of a sweep.

    Parameters
    ----------
    options : argparse.Namespace
        From `flags.parse`.
    runs : sequence of Run
        The whole sweep.
    todo : sequence of Run
        What is missing of it.
    work : callable
        Makes, measures and writes one network: ``work(run, stages, options=options)``.

    Returns
    -------
    int
        Number of networks that failed; they are in ``failures.csv``.
    """
    several = min(options.jobs, len(todo)) > 1 and not options.scheduler
    known = sizes_of(options, todo) if several else None
    jobs, threads = divide(options, todo, known)
    counts = collections.Counter({DONE: 0, SKIPPED: len(runs) - len(todo), FAILED: 0})
    theirs = copy.copy(options)
    theirs.threads = threads
    theirs.folder = Path.cwd()  # where networks of the user's own are; a cluster's workers are not
    for name in ("output_dir", "data_root", "save_snn", "save_graph"):  # as workers see them
        if getattr(options, name):
            setattr(theirs, name, getattr(options, name).resolve())
    warned = 0
    attempt = attempt_with(theirs, work)
    with _log(options.log_file) as log:
        where = f"on {options.scheduler}" if options.scheduler else f"{jobs} at once"
        log(f"{len(runs)} networks, {counts[SKIPPED]} done already, {where}")
        bar = tqdm(
            total=len(runs),
            initial=counts[SKIPPED],
            unit="network",
            bar_format=BAR,
            disable=not sys.stderr.isatty(),
        )
        at_work: dict[str, None] = {}  # in the order in which they began

        def show(shown: dict[str, None]) -> None:
            more = f" and {len(shown) - 1} more" if len(shown) > 1 else ""
            bar.set_description_str("".join(list(shown)[:1]) + more, refresh=False)

        def begun(run: Run) -> None:
            at_work[str(run.network)] = None
            show(at_work)
            is_first = len(at_work) <= jobs and counts.total() == len(runs) - len(todo)
            if is_first and not sys.stderr.isatty():
                tqdm.write(f"begun: {run.network}", file=sys.stderr)

        outcomes = execution.run(
            todo,
            attempt,
            jobs=jobs,
            timeout=options.timeout,
            scheduler=options.scheduler,
            begun=begun,
            alike=alike.kind,
            waits=functools.partial(estimate.is_dear, known=known, threads=threads),
        )
        with bar, ticking(bar.refresh, TICK_SECONDS), contextlib.closing(outcomes):
            for run, outcome in outcomes:
                at_work.pop(str(run.network), None)
                counts[outcome.status] += 1
                if not outcome.recorded:
                    worker.record(options.output_dir, run, outcome)
                line = f"{outcome.status}: {run.network}"
                if outcome.status == FAILED:
                    line += f": {outcome.stage}: {outcome.error}: {outcome.reason}"
                elif outcome.reason:
                    warned += 1
                    line = f"{outcome.status}: {outcome.reason}"
                log(line, show=True if outcome.status == FAILED else None)
                show(at_work or {str(run.network): None})
                bar.set_postfix_str(_counted(counts), refresh=False)
                bar.update()
        log(_counted(counts), show=False)  # on the screen it is the last line, below
        if warned:
            text = "networks with warnings, such as layers without a weight or classes that"
            file = options.output_dir / "runs.csv"
            log(f"main.py: warning: {text} no input reaches: {warned}; {file} has which", show=True)
    print(_counted(counts) + f"; results in {options.output_dir}")
    if counts[FAILED]:
        print(f"what failed, and why: {options.output_dir / 'failures.csv'}", file=sys.stderr)
    return counts[FAILED]


def attempt_with(options: argparse.Namespace, work: Callable[..., None]) -> Callable[..., Outcome]:
    """What a worker does with a run: `worker.attempt`, handed all that it needs."""
    return functools.partial(
        worker.attempt,
        work=functools.partial(work, options=options),
        new_stages=functools.partial(Stages, quiet=True),
        undone=functools.partial(asked.undone, options=options),
        explain=functools.partial(asked.one_line, options=options),
        output_dir=options.output_dir,
        threads=options.threads,
        before={},  # each process has a copy
    )


def sizes_of(options: argparse.Namespace, runs: Sequence[Run]) -> Callable:
    """Look how large the networks of runs are, with a bar."""
    bar = tqdm(desc="sizes", unit="network", disable=not sys.stderr.isatty(), leave=False)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    with bar:
        bar.refresh()
        return sizes.known(runs, progress, options.timeout or sizes.SECONDS)


def divide(
    options: argparse.Namespace, todo: Sequence[Run], known: Callable | None = None
) -> tuple[int, int]:
    """Processes at once, and threads of each.

    As many processes as asked for, as there are networks, and as memory is enough for by the
    largest estimate; the threads are divided among them. The workers of a cluster are one process
    each, with ``--threads`` or all their cores. `known` gives the networks' sizes; by default they
    are looked at.
    """
    if options.scheduler:
        return 1, options.threads
    threads = compute.threads(options.threads)
    jobs = max(1, min(options.jobs, len(todo)))
    if jobs > 1:
        known = known or sizes_of(options, todo)
        free = memory.available()

        @functools.cache
        def needed(has_several: bool) -> float:
            return estimate.most_memory(todo, known, 1 + has_several)

        def needed_by(jobs: int) -> float:
            """What each of so many processes needs, with its share of the threads."""
            return needed(threads >= 2 * jobs)

        fit = jobs
        while fit > 1 and fit * needed_by(fit) > SHARE_OF_MEMORY * free:
            fit -= 1
        if fit < jobs:
            print(
                f"main.py: warning: {fit} of {jobs} jobs at once: a network here takes up to "
                f"{needed_by(fit + 1):,.0f} MB (an estimate), and {free:,.0f} MB are free",
                file=sys.stderr,
            )
            jobs = fit
    return jobs, max(1, threads // jobs)


def _counted(counts: collections.Counter) -> str:
    return ", ".join(f"{counts[status]} {status}" for status in (DONE, SKIPPED, FAILED))


@contextlib.contextmanager
def _log(file) -> Iterator:
    """A function that writes a line into the log file, and on the screen without a terminal."""
    kept = {"encoding": "utf-8", "errors": "backslashreplace"}
    with open(file, "a", **kept) if file else contextlib.nullcontext() as lines:

        def log(text: str, *, show: bool | None = None) -> None:
            now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
            if lines:
                print(now, text, file=lines, flush=True)
            if show or (show is None and not sys.stderr.isatty()):
                tqdm.write(text, file=sys.stderr)

        yield log
