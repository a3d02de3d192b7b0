"""One network in a process that may die: it is handed its work, and what goes wrong is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from runs import records
from runs.locks import claim
from runs.run import Network, Run
from system.compute import use_threads

from .alike import kept_for
from .execution import BUSY, DONE, FAILED, SKIPPED, Outcome


class Stages(Protocol):
    """What is known of the stages of a run, as `command_line.progress.Stages` has it."""

    current: str
    ended: dict[str, int]
    warnings: list[str]


def attempt(
    run: Run,
    work: Callable[[Run, Stages, dict], None],
    new_stages: Callable[[], Stages],
    undone: Callable[[Sequence[Run]], list[Run]],
    explain: Callable[[BaseException], str | None],
    output_dir: Path,
    threads: int | None,
    before: dict[Network, dict],
) -> Outcome:
    """Run one network; what goes wrong is an outcome, and recorded.

    Parameters
    ----------
    run : Run
    work : callable
        Makes and measures a network and writes its rows, given what `alike.kept_for` says.
    new_stages : callable
        Makes what `work` tells its stages.
    undone : callable
        What is undone of runs.
    explain : callable
        One line for an error that the user can mend, None for others.
    output_dir : Path
    threads : int, optional
    before : dict
        What this process has kept of the network before; altered.

    Returns
    -------
    Outcome
    """
    use_threads(threads)
    with claim(output_dir, run.network.key) as mine:
        if not mine:
            return Outcome(BUSY)
        left = undone([run])
        if not left:
            return Outcome(SKIPPED)
        (todo,) = left
        stages = new_stages()
        try:
            work(todo, stages, kept=kept_for(run.network, before))
        except (Exception, SystemExit) as error:  # of a network of the user's own, too
            reason = explain(error) or str(error)
            if isinstance(error, SystemExit):
                reason = f"the network's own code ends the program: exit({error})"
            outcome = Outcome(FAILED, stages.current, type(error).__name__, reason)
            unwritten = todo.measurements[stages.ended["write"] :]
            record(output_dir, Run(run.network, unwritten), outcome)
            return outcome
    return Outcome(DONE, reason="; ".join(stages.warnings))


def record(output_dir: Path, run: Run, outcome: Outcome) -> None:
    """Note a failure in ``failures.csv``."""
    records.record_failure(
        output_dir,
        run.network,
        run.measurements,
        outcome.stage,
        outcome.error,
        outcome.reason,
    )
