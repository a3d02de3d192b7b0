"""Progress on standard error: a bar over the stages with one inside it, or plain lines."""

from __future__ import annotations

import collections
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from graph_encoding.compiling import noticed
from system import memory
from system.bars import tqdm

from .clock import ticking

PLAIN_SECONDS = 30.0  # between plain lines of one stage
TICK_SECONDS = 1.0  # between looks at the clock
OUTER = "{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}]"
INNER = "  {desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"

Report = Callable[[int, int, str], None]


def epoch_lines(line: Callable[[str], None], epochs: int) -> Callable[[Mapping], None]:
    """Lines about a training: how each epoch went and how long the others will take.

    Parameters
    ----------
    line : callable
        Prints a line.
    epochs : int
        Of the whole training, from its first, perhaps in another process, to its last.

    Returns
    -------
    callable
        Is given each epoch as it ends, as by `training.loop.train`.
    """
    start = time.perf_counter()
    ended = 0

    def show(epoch: Mapping[str, float]) -> None:
        nonlocal ended
        ended += 1
        left = (time.perf_counter() - start) / ended * (epochs - epoch["epoch"])
        line(
            f"epoch {epoch['epoch']}/{epochs}: loss {epoch['loss']:.3f}, "
            f"accuracy {epoch['train_accuracy']:.1%}, test {epoch['test_accuracy']:.1%}, "
            f"{tqdm.format_interval(left)} left"
        )

    return show


class Stages:
    """The stages of a run, shown as they pass, and what each took.

    Parameters
    ----------
    quiet : bool
        Show nothing: a sweep has a bar of its own.

    Attributes
    ----------
    total : int
        How many stages there are; whoever runs them says so before the first.
    terminal : bool
        Whether bars are drawn; otherwise plain lines are printed, unless quiet.
    current : str
        The stage that runs, or ran last.
    seconds : dict of str to float
        Wall time of each stage that has ended, all its times together.
    last : dict of str to (float, float, float or None)
        Seconds and the peak memory in MB, of the process and on a GPU, of each stage, the last
        time.
    ended : collections.Counter
        How many times each stage has ended.
    warnings : list of str
        What `warning` was told.
    """

    def __init__(self, *, quiet: bool = False):
        self.total = 0
        self.quiet = quiet
        self.current = ""
        self.seconds: dict[str, float] = {}
        self.last: dict[str, tuple[float, float, float | None]] = {}
        self.terminal = sys.stderr.isatty() and not quiet
        self._started = 0
        self.ended: collections.Counter[str] = collections.Counter()
        self.warnings: list[str] = []
        # Only where it is drawn: a bar holds a lock, which a killed worker of a sweep would leave.
        self._bar = self._inner = None
        if self.terminal:
            self._bar = tqdm(leave=False, bar_format=OUTER)
        self._detail = ""
        self._last_line = self._start = time.perf_counter()
        self._open = contextlib.ExitStack()

    @contextlib.contextmanager
    def stage(self, name: str, detail: str) -> Iterator[Report]:
        """Run one stage; yields a ``report(done, total, text)`` for what is long inside it."""
        self.current, self._detail = name, detail
        self._started += 1
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.set_description_str(f"{name}: {detail}")
        elif not self.quiet:
            line = f"[{self._started}/{self.total}] {name}: {detail}"
            print(line, file=sys.stderr, flush=True)
        memory.reset_peak()
        start = self._last_line = self._start = time.perf_counter()

        def report(done: int, total: int, text: str) -> None:
            if self.terminal:
                if self._inner is None:
                    self._inner = tqdm(total=total, leave=False, bar_format=INNER)
                self._inner.set_description_str(text, refresh=False)
                self._inner.update(done - self._inner.n)
            else:
                self._line_now_and_then(f"{text} {done}/{total}")

        try:
            yield report
        finally:
            inner, self._inner = self._inner, None
            if inner is not None:
                inner.close()
        taken = time.perf_counter() - start
        self.seconds[name] = self.seconds.get(name, 0.0) + taken
        self.last[name] = taken, memory.peak(), memory.gpu_peak()
        self.ended[name] += 1
        if self._bar is not None:
            self._bar.update()

    def warning(self, text: str) -> None:
        """Say and remember what the user should know of the network."""
        self.warnings.append(text)
        if not self.quiet:
            tqdm.write(f"main.py: warning: {text}", file=sys.stderr)  # above the bars

    def line(self, text: str) -> None:
        """Print a plain line about the stage that runs, where plain lines are printed."""
        if not self.terminal and not self.quiet:
            print(f"      {text}", file=sys.stderr, flush=True)

    def notice(self, text: str) -> None:
        """Say why the stage that runs takes longer than it will the next time."""
        if self._bar is not None:
            self._bar.set_description_str(f"{self.current}: {self._detail} ({text})")
        self.line(text)

    def tick(self) -> None:
        """Let the clock be seen to move where nothing else does."""
        for bar in filter(None, (self._bar, self._inner)):
            bar.refresh()
        if not self.terminal:
            taken = tqdm.format_interval(time.perf_counter() - self._start)
            self._line_now_and_then(f"{self.current}: {taken} so far")

    def _line_now_and_then(self, text: str) -> None:
        if time.perf_counter() - self._last_line > PLAIN_SECONDS:
            self._last_line = time.perf_counter()
            self.line(text)

    def __enter__(self) -> Stages:
        if not self.quiet:
            self._open.enter_context(noticed(self.notice))
            self._open.enter_context(ticking(self.tick, TICK_SECONDS))
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()
        if self._bar is not None:
            self._bar.close()
