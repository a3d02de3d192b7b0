"""The shell of every program here: one line for an error, an exit status, interrupts."""

from __future__ import annotations

import contextlib
import functools
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pkgutil import resolve_name
from typing import NoReturn

from . import environment, streams, text
from .errors import UserError, of_system

Arguments = Sequence[str]

STATUS_MENDABLE = 2
STATUS_INTERRUPTED = 130
ENDING = ("SIGTERM", "SIGHUP")
"""Signals that ask a program to end: of a batch system, of a terminal that is closed."""


class Ended(KeyboardInterrupt):
    """A signal has asked the program to end; its argument is the signal's number."""


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let `ENDING` end what is within as Ctrl-C does, unless they are ignored (as by ``nohup``)."""
    if threading.current_thread() is not threading.main_thread():  # signals are not for others
        yield
        return

    def end(number: int, _: object) -> None:
        raise Ended(number)

    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def program(
    name: str, interrupted: str = "interrupted"
) -> Callable[[Callable[[Arguments], int | None]], Callable[..., int]]:
    """Make a function of the command line the ``main`` of a program.

    Parameters
    ----------
    name : str
        What messages on standard error begin with.
    interrupted : str
        What is said after Ctrl-C.

    Returns
    -------
    callable
        A decorator. The function takes the arguments without the program's name and gives its exit
        status, None for 0; ``main`` takes them too, or by default ``sys.argv``, and gives 2 after
        one line about what the user can mend (`UserError`, a failing file or too little memory),
        and when interrupted 128 and the signal's number, such as 130 after Ctrl-C. Any other
        exception is a fault of ours and is raised.
    """

    def decorate(run: Callable[[Arguments], int | None]) -> Callable[..., int]:
        @functools.wraps(run)
        def main(argv: Arguments | None = None) -> int:
            streams.prepare()
            environment.prepare()
            try:
                status = run(sys.argv[1:] if argv is None else argv) or 0
                streams.flush()
                return status
            except BrokenPipeError:  # whoever read the output has left; results are written
                streams.flush()
                return 0
            except Ended as ended:
                print(f"{name}: {interrupted}", file=sys.stderr)
                return 128 + ended.args[0]
            except KeyboardInterrupt:
                print(f"{name}: {interrupted}", file=sys.stderr)
                return STATUS_INTERRUPTED
            except Exception as error:
                message = one_line(error)
                if message is None:
                    raise
            with contextlib.suppress(OSError):  # the error may be that it cannot be printed
                streams.flush()
            print(f"{name}: error:", message, file=sys.stderr)
            return STATUS_MENDABLE

        return main

    return decorate


def one_line(error: BaseException) -> str | None:
    """One line about what a user can mend; None for any other error, which is a fault of ours."""
    if isinstance(error, MemoryError) or _is_torchs_want_of_memory(error):
        return "out of memory: a sparser or smaller network needs less"
    if isinstance(error, OSError):  # a full disk, a file without permission
        return text.printable(of_system(error))
    return text.one_line(error) if isinstance(error, UserError) else None


def _is_torchs_want_of_memory(error: BaseException) -> bool:
    """Torch has a class of its own for that of a GPU, and none for that of the machine."""
    name = type(error).__name__
    return name == "OutOfMemoryError" or (
        name == "RuntimeError" and "can't allocate memory" in str(error)
    )


def run_program(where: str) -> NoReturn:
    """Run a program and leave with its exit status.

    Parameters
    ----------
    where : str
        Its ``main``, as ``module:main``: imported by its own name, so that the processes of a sweep
        can import what they run, and here, so that an interrupt meanwhile is one line too.
    """
    try:
        status = resolve_name(where)()
    except KeyboardInterrupt:
        print(f"{where.partition(':')[0]}: interrupted", file=sys.stderr)
        status = STATUS_INTERRUPTED
    # Looking through torch's objects once more for cycles to free would add 0.6 s to every exit.
    gc.freeze()
    sys.exit(status)
