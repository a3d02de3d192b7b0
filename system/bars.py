"""Progress bars: in a terminal as text, in a notebook as its own kind where it has one."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator

with warnings.catch_warnings():  # without ipywidgets a notebook has bars of text, as a terminal
    warnings.simplefilter("ignore")
    from tqdm.autonotebook import tqdm

tqdm.set_lock(threading.RLock())  # its own is a semaphore, too, that a killed process leaves

__all__ = ["Progress", "called", "tqdm"]

Progress = Callable[[int, int, str], object]
"""Called with what is done, all there is to do, and what has just been done."""


@contextlib.contextmanager
def called(progress: Progress | bool | None) -> Iterator[Progress | None]:
    """What work is to call as it goes on.

    Parameters
    ----------
    progress : callable, bool or None
        True asks for a bar, which is closed at the end; False and None ask for nothing.

    Yields
    ------
    callable or None
    """
    if not isinstance(progress, bool):
        yield progress
        return
    bar = None

    def show(done: int, total: int, text: str) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(total=total, desc=text, leave=False)
        bar.set_description_str(text, refresh=False)
        bar.update(done - bar.n)

    try:
        yield show if progress else None
    finally:
        if bar is not None:
            bar.close()
