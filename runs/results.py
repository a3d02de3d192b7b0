"""Result files: one CSV for each encoding, dataset and model.

A row is one run (unrolled graph) or one layer of a run (bipartite graphs). Numbers are written in
the shortest form that reads back to the same number, undefined values as empty cells. A run is
identified by its `IDENTITY` columns, in which numbers are compared as numbers.

Other programs may have written a file again: any line ends, a byte order mark, a last row without a
line break, and ``4.0`` for ``4`` are read as what they are. Pandas does the last to a column of
whole numbers that has an empty cell, and so rounds counts above 2^53.

A process killed at any moment leaves all rows of a run or none, and many processes may write one
file (`system.appending`). A last line that is no whole row is none of our appends and is refused.
"""

from __future__ import annotations

import csv
import numbers
import operator
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from system import appending
from system.files import check_file

from .cells import Value, format_cell, line, parse_cell
from .columns import BEFORE, IDENTITY

LINE_END = re.compile("\r\n?|\n")


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
    row = BEFORE | row
    return tuple(format_cell(_as_whole(row[name])) for name in IDENTITY)


def _as_whole(value: object) -> object:
    """A whole number as int, whatever its type; anything else as it is."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return int(value) if is_number and value % 1 == 0 else value


def read(file: str | Path) -> list[dict[str, Value]]:
    """Read all rows of a result file.

    An append that is under way or was cut off is not read; what it has written is none of the rows.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    list of dict
        Empty if the file does not exist.

    Raises
    ------
    ResultFileError
        If the file is not UTF-8, or a row, such as a last one that was cut, is not as long as the
        header.
    """
    _, table = _parse(Path(file))
    return [row for _, row in table]


def find(file: str | Path, run: Mapping[str, object]) -> list[dict[str, Value]]:
    """Rows of one run.

    Parameters
    ----------
    file : str or Path
    run : mapping
        Holds the `IDENTITY` columns.

    Returns
    -------
    list of dict
        Empty if the run is not in the file or the file does not exist.

    Raises
    ------
    ResultFileError
        As `read`, and if the file lacks an identity column.
    """
    wanted = identity(run)
    header, table = _parse(Path(file))
    _require_identity(Path(file), header)
    return [row for _, row in table if identity(row) == wanted]


def identities(file: str | Path) -> dict[tuple[str, ...], int]:
    """Which runs a file has; many times faster than to `find` each.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    dict of tuple of str to int
        The number of rows of each run, by `identity`; empty if the file does not exist.

    Raises
    ------
    ResultFileError
        As `find`, but only the identity columns must hold what they should.
    """
    file = Path(file)
    header, table = _table(file)
    _require_identity(file, header)
    if not header:
        return {}
    names = [name for name in IDENTITY if name in header]
    pick = operator.itemgetter(*map(header.index, names))
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for number, (_, cells) in enumerate(table, start=2):
        texts = pick(cells)
        if texts not in known:
            known[texts] = identity(_values(file, number, names, texts))
        run = known[texts]
        counts[run] = counts.get(run, 0) + 1
    return counts


def columns_of(file: str | Path) -> tuple[str, ...]:
    """Names of a file's columns.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    tuple of str
        Empty if the file is, or does not exist.

    Raises
    ------
    ResultFileError
        If the first line cannot be read.
    """
    file = Path(file)
    try:
        data = appending.content(file, first_line=True)
    except FileNotFoundError:
        data = b""
    # Of a blank line csv makes no column, which would be an empty file.
    return tuple(_cells(file, 1, _decode(file, _first_line(data)))) or ("",) * bool(data)


def check(file: str | Path, names: Sequence[str]) -> None:
    """Make sure, before long work, that rows can be added to a file.

    Parameters
    ----------
    file : str or Path
        Its folder is created if need be.
    names : sequence of str
        The columns to be written.

    Raises
    ------
    ResultFileError
        If the file exists with other columns, or its last row was cut.
    OSError
        If the folder or the file cannot be written.
    """
    file = Path(file)
    check_file(file)
    _check_header(file, names)
    if file.exists():
        data = appending.content(file)
        tail = data[appending.end_of_lines(data) :]
        if len(tail) < len(data):
            _require_whole_row(file, tail, columns_of(file))


def append(file: str | Path, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Add rows, all of them or none, such as those of a run.

    Parameters
    ----------
    file : str or Path
        Created with its header, and its folder with it, if it does not exist.
    names : sequence of str
        The columns, from `columns`; any others make a table that is not a result file.
    rows : sequence of mapping
        No cell may hold a line break.

    Raises
    ------
    ResultFileError
        If the file has other columns, its last row was cut, or another process holds its lock for
        too long.
    OSError
        If it cannot be written; the file is then as before.
    """
    file = Path(file)
    lines = [line(row[name] for name in names) for row in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    with appending.locked(file):
        _fit(file, names)
        _append(file, names, lines)


def replace(file: str | Path, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Put the rows of one run in the place of its earlier rows; append them if there are none.

    Parameters
    ----------
    file : str or Path
    names : sequence of str
    rows : sequence of mapping
        At least one, all of one run.

    Raises
    ------
    ResultFileError, OSError
        As `append`.
    """
    file = Path(file)
    new = [line(row[name] for name in names) for row in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    with appending.locked(file):
        _fit(file, names)
        _, table = _parse(file)
        old = [i for i, (_, row) in enumerate(table) if identity(row) == identity(rows[0])]
        if not old:
            _append(file, names, new)
            return
        before = [line for line, _ in table[: old[0]]]
        after = [line for i, (line, _) in enumerate(table) if i > old[0] and i not in old]
        appending.rewrite(file, "".join([line(names), *before, *new, *after]))


def _parse(file: Path) -> tuple[list[str], list[tuple[str, dict[str, Value]]]]:
    """Header, and every row as its line and its values; both empty without a file."""
    header, table = _table(file)
    return header, [
        (text + "\n", _values(file, number, header, cells))
        for number, (text, cells) in enumerate(table, start=2)
    ]


def _table(file: Path) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Header, and every row as its line and its cells; both empty without a file."""
    try:
        data = appending.content(file)
    except FileNotFoundError:
        return [], []
    if not data:
        return [], []
    first = _first_line(data)
    header = _cells(file, 1, _decode(file, first))
    tail = data[appending.end_of_lines(data) :]
    if tail != first:
        _require_whole_row(file, tail, header)
    lines = LINE_END.split(_decode(file, data))
    if not tail:
        lines.pop()
    table = []
    for number, text in enumerate(lines[1:], start=2):
        cells = _cells(file, number, text)
        if len(cells) != len(header):
            raise ResultFileError(
                f"{file}, line {number}: {len(cells)} cells where the header has {len(header)}"
            )
        table.append((text, cells))
    return header, table


def _first_line(data: bytes) -> bytes:
    return next(iter(data.splitlines()), b"")


def _require_whole_row(file: Path, tail: bytes, header: Sequence[str]) -> None:
    """Refuse a last line without a line break, unless it is empty or a whole row."""
    try:
        cells = next(csv.reader([tail.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error):
        cells = []
    if tail and len(cells) != len(header):
        number = len(appending.content(file).splitlines())
        raise ResultFileError(
            f"{file}, line {number}: the last row was cut; complete it, or delete the line"
        )


def _decode(file: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResultFileError(f"{file}: not a UTF-8 text file ({error.reason})") from None


def _values(
    file: Path, number: int, names: Sequence[str], cells: Sequence[str]
) -> dict[str, Value]:
    try:
        return {name: parse_cell(name, cell) for name, cell in zip(names, cells, strict=True)}
    except ValueError as error:
        raise ResultFileError(f"{file}, line {number}: {error}") from None


def _cells(file: Path, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise ResultFileError(f"{file}, line {number}: {error}") from None


def _append(file: Path, names: Sequence[str], lines: Sequence[str]) -> None:
    appending.append(file, line(names), lines, lambda tail: _require_whole_row(file, tail, names))


def _require_identity(file: Path, header: Sequence[str]) -> None:
    missing = [name for name in IDENTITY if name not in header and name not in BEFORE]
    if header and missing:
        raise ResultFileError(f"{file}: not a result file: it has no column {missing[0]}")


def _check_header(file: Path, names: Sequence[str]) -> bool:
    """Whether the file is of an earlier version, with fewer columns; it may have no others."""
    found = columns_of(file)
    if not found or found == tuple(names):
        return False
    if found[0] != names[0] or not set(found) < set(names) or len(set(found)) < len(found):
        raise ResultFileError(
            f"{file}: its columns are not those written now; move the file away, or give another "
            "output folder"
        )
    return True


def _fit(file: Path, names: Sequence[str]) -> None:
    """Give a file from before the columns that it lacks, empty: it is written anew, once."""
    if _check_header(file, names):
        header, table = _table(file)
        old = (dict(zip(header, cells, strict=True)) for _, cells in table)
        lines = [line(row.get(name, "") for name in names) for row in old]
        appending.rewrite(file, "".join([line(names), *lines]))
