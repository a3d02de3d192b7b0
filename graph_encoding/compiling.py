"""Who wants to know that something is compiled, which is done once and takes its time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

LOG = logging.getLogger(__name__)
LOG.propagate = False
LOG.addHandler(logging.NullHandler())
TEXT = "compiling the loops over graphs, once after an installation: up to a minute"


def begins() -> None:
    """Say that a function is going to be compiled."""
    LOG.warning(TEXT)


@contextlib.contextmanager
def noticed(tell: Callable[[str], None]) -> Iterator[None]:
    """Have a function called with one line when something is compiled meanwhile, once."""

    class Handler(logging.Handler):
        told = False

        def emit(self, record: logging.LogRecord) -> None:
            if not self.told:
                self.told = True
                tell(record.getMessage())

    handler = Handler()
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
