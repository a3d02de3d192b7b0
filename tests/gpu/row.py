"""A line of the table."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Iterator
from typing import NamedTuple

HEADINGS = ("part", "what", "CPU", "GPU", "result")


class Row(NamedTuple):
    """What was checked or measured.

    Attributes
    ----------
    what : str
    cpu, gpu : str
        What either side has given.
    holds : bool, optional
        Whether it is as it should be; None for what is only measured.
    """

    what: str
    cpu: str = ""
    gpu: str = ""
    holds: bool | None = None

    @property
    def result(self) -> str:
        """The last column."""
        return {True: "ok", False: "**FAILED**", None: ""}[self.holds]

    def dumps(self) -> str:
        """As one line of text."""
        return json.dumps(self._asdict())


def guarded(*checks: Iterable[Row]) -> Iterator[Row]:
    """The rows of several checks, each of which may fail by itself."""
    for check in checks:
        try:
            yield from check
        except Exception as error:
            traceback.print_exc()
            line = str(error).strip().partition("\n")[0]
            yield Row("ends well", gpu=f"{type(error).__name__}: {line}", holds=False)


def loads(line: str) -> Row:
    """A row from its line of text."""
    return Row(**json.loads(line))


def markdown(rows: Iterable[tuple[str, Row]]) -> str:
    """A table of rows, each with the name of its part."""
    cells = [(part, row.what, row.cpu, row.gpu, row.result) for part, row in rows]
    lines = [HEADINGS, ("---",) * len(HEADINGS), *cells]
    return "".join(f"| {' | '.join(text.replace('|', '/') for text in line)} |\n" for line in lines)


def taken(seconds: float) -> str:
    """Seconds, as they are written."""
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"
