"""Lines of result files as rows, and back: what cannot be read is refused, with its line.

Any line ends, a byte order mark and a last row without a line break are read as what they are.
"""

from __future__ import annotations

import csv
import functools
import numbers
import operator
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from system import appending

from .cells import Value, format_cell, line, parse_cell
from .columns import BEFORE, CONFIGURATION, IDENTITY, completed

Row = tuple[int, bytes, list[str]]
"""Number of a line, its text without the line break, its cells."""


class ResultFileError(appending.FileError):
    """A result file that cannot be read or must not be written; one line that says why."""


def identity(row: Mapping[str, object]) -> tuple[str, ...]:
    """What tells one run from another, as text.

    Parameters
    ----------
    row : mapping
        A row, or any mapping with the `IDENTITY` columns, of which those in `BEFORE` may be
        missing.

    Returns
    -------
    tuple of str
        Equal numbers give equal texts, ``4`` and ``4.0`` too.
    """
    row = completed(row)
    return tuple(format_cell(_as_whole(row[name])) for name in IDENTITY)


def _as_whole(value: object) -> object:
    """A whole number as int, whatever its type; anything else as it is."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return int(value) if is_number and value % 1 == 0 else value


def read(file: Path) -> tuple[list[str], Iterator[Row]]:
    """Header and rows, as they are read; both empty without a file."""
    rows = _rows(file)
    try:
        _, _, header = next(rows)
    except (FileNotFoundError, StopIteration):
        return [], iter(())
    return header, rows


def _rows(file: Path) -> Iterator[Row]:
    """Lines with their cells, as many in each as in the header."""
    header: list[str] | None = None
    for number, read in enumerate(appending.lines(file), start=1):
        text = read.rstrip(b"\r\n")
        if header and text == read:
            require_whole(file, text, header)
        found = cells(file, number, text)
        header = found if header is None else header
        if len(found) != len(header):
            what = f"{len(found)} cells where the header has {len(header)}"
            raise _bad(file, number, what)
        yield number, text, found


def identified(
    file: Path,
) -> Iterator[tuple[int, bytes, list[str], tuple[str, ...]]]:
    """Rows, each with the `identity` of its run; of a row nothing else is looked at."""
    header, rows = read(file)
    missing = [name for name in IDENTITY if name not in header and name not in BEFORE]
    if not header:
        return
    if missing:
        raise ResultFileError(f"{file}: not a result file: it has no column {missing[0]}")
    names = [name for name in IDENTITY if name in header]
    pick = operator.itemgetter(*map(header.index, names))

    @functools.cache  # most cells of a column are the same
    def part(name: str, cell: str) -> str:
        return format_cell(_as_whole(parse_cell(name, cell)))

    for number, text, cells in rows:
        try:
            said = dict(zip(names, map(part, names, pick(cells)), strict=True))
        except ValueError as error:
            raise _bad(file, number, error) from None
        yield number, text, cells, tuple(completed(said)[name] for name in IDENTITY)


def _bad(file: Path, number: int, what: object) -> ResultFileError:
    return ResultFileError(f"{file}, line {number}: {what}; correct the line, or delete it")


def require_whole(file: Path, tail: bytes, names: Sequence[str]) -> None:
    """Refuse a last line without a line break, unless it is empty or a row that can be read."""
    try:
        if tail:
            _parsed(tail, names)
    except (ValueError, csv.Error):
        number = sum(1 for _ in appending.lines(file))
        raise ResultFileError(
            f"{file}, line {number}: the last row was cut; complete it, or delete the line"
        ) from None


def _parsed(text: bytes, names: Sequence[str]) -> list[str]:
    """Cells of a row, which are checked; those of a log may be anything."""
    cells = _split(text)
    if len(cells) != len(names):
        raise ValueError(f"{len(cells)} cells for {len(names)} columns")
    if set(CONFIGURATION) <= set(names):
        for name, cell in zip(names, cells, strict=True):
            parse_cell(name, cell)
    return cells


def as_lines(file: Path, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Rows as lines, each of which can be read again."""
    lines = []
    for row in rows:
        try:
            lines.append(line(row[name] for name in names))
            cells = _parsed(lines[-1].removesuffix("\n").encode(), names)
            if cells != [format_cell(row[name]) for name in names]:
                raise ValueError("it would be another one")
        except (ValueError, csv.Error) as error:
            raise ResultFileError(
                f"{file}: a row that could not be read again is not written: {error}"
            ) from None
    return lines


def values(file: Path, number: int, names: Sequence[str], cells: Sequence[str]) -> dict[str, Value]:
    """What the cells of a line of a file say."""
    try:
        return {name: parse_cell(name, cell) for name, cell in zip(names, cells, strict=True)}
    except ValueError as error:
        raise _bad(file, number, error) from None


def cells(file: Path, number: int, text: bytes) -> list[str]:
    """Cells of a line of a file."""
    try:
        return _split(text, "utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise _bad(file, number, f"no UTF-8 text ({error.reason})") from None
    except csv.Error as error:
        raise _bad(file, number, error) from None


def _split(text: bytes, encoding: str = "utf-8") -> list[str]:
    """Cells of a line, as csv finds them, but ten times faster where nothing is in quotes."""
    decoded = text.decode(encoding)
    if '"' in decoded:
        return next(csv.reader([decoded], strict=True))
    return decoded.split(",") if decoded else []
