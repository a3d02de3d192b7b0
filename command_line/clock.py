"""A clock beside work that is long and says nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def ticking(tick: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call a function again and again, in a thread of its own, as long as the ``with`` block lasts.

    Parameters
    ----------
    tick : callable
    seconds : float
        Between two calls; the first is after so many.
    """
    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            tick()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
