"""Progress on standard error: a bar over the stages with one inside it, or plain lines."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from tqdm import tqdm

PLAIN_SECONDS = 30.0  # between plain lines of one stage
OUTER = "{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}]"
INNER = "  {desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"

Report = Callable[[int, int, str], None]


class Stages:
    """The stages of a run, shown as they pass, and how long each took.

    Attributes
    ----------
    terminal : bool
        Whether bars are drawn; otherwise plain lines are printed.
    seconds : dict of str to float
        Wall time of each stage that has ended.
    """

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        self.seconds: dict[str, float] = {}
        self.terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=len(names),
            disable=not self.terminal,
            leave=False,
            bar_format=OUTER,
        )

    @contextlib.contextmanager
    def stage(self, name: str, detail: str) -> Iterator[Report]:
        """Run one stage; yields a ``report(done, total, text)`` for what is long inside it."""
        if self.terminal:
            self._bar.set_description_str(f"{name}: {detail}")
        else:
            number = self.names.index(name) + 1
            print(f"[{number}/{len(self.names)}] {name}: {detail}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        last_line = start
        inner = None

        def report(done: int, total: int, text: str) -> None:
            nonlocal inner, last_line
            if self.terminal:
                if inner is None:
                    inner = tqdm(total=total, leave=False, bar_format=INNER)
                inner.set_description_str(text, refresh=False)
                inner.update(done - inner.n)
            elif time.perf_counter() - last_line > PLAIN_SECONDS:
                last_line = time.perf_counter()
                print(f"      {text} {done}/{total}", file=sys.stderr, flush=True)

        try:
            yield report
        finally:
            if inner is not None:
                inner.close()
        self.seconds[name] = time.perf_counter() - start
        self._bar.update()

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
