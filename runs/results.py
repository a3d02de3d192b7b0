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

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from system import appending
from system.files import check_file, make_folder

from . import table
from .cells import Value, line
from .table import ResultFileError, identity

__all__ = [
    "ResultFileError",
    "append",
    "check",
    "columns_of",
    "find",
    "identities",
    "identity",
    "read",
    "replace",
]


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
    file = Path(file)
    header, rows = table.read(file)
    return [table.values(file, number, header, cells) for number, _, cells in rows]


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
        As `identities`, and as `read` of the run's own rows.
    """
    file, wanted = Path(file), identity(run)
    header, _ = table.read(file)
    return [
        table.values(file, number, header, cells)
        for number, _, cells, found in table.identified(file)
        if found == wanted
    ]


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
        As `read`, but only the identity columns must hold what they should; and if the file lacks
        one of them.
    """
    counts: dict[tuple[str, ...], int] = {}
    for *_, run in table.identified(Path(file)):
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
        first = next(appending.lines(file), b"")
    except FileNotFoundError:
        first = b""
    # Of a blank line there is no column, as of an empty file.
    return tuple(table.cells(file, 1, first.rstrip(b"\r\n"))) or ("",) * bool(first)


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
        table.require_whole(file, appending.last_line(file), columns_of(file))


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
        If a row could not be read again, the file has other columns, its last row was cut, or
        another process holds its lock for too long.
    OSError
        If it cannot be written; the file is then as before.
    """
    file = Path(file)
    lines = table.as_lines(file, names, rows)
    make_folder(file.parent)
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
        As `append`, and as `identities`.
    """
    file = Path(file)
    new, wanted = table.as_lines(file, names, rows), identity(rows[0])
    make_folder(file.parent)
    with appending.locked(file):
        _fit(file, names)
        old = [number for number, *_, run in table.identified(file) if run == wanted]
        if not old:
            _append(file, names, new)
            return

        def lines() -> Iterator[bytes]:
            yield line(names).encode()
            gone = set(old)
            for number, text, _ in table.read(file)[1]:
                if number == old[0]:
                    yield "".join(new).encode()
                elif number not in gone:
                    yield text + b"\n"

        appending.rewrite(file, lines())


def _append(file: Path, names: Sequence[str], lines: Sequence[str]) -> None:
    appending.append(file, line(names), lines, lambda tail: table.require_whole(file, tail, names))


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

        def lines() -> Iterator[bytes]:
            yield line(names).encode()
            header, rows = table.read(file)
            for _, _, cells in rows:
                old = dict(zip(header, cells, strict=True))
                yield line(old.get(name, "") for name in names).encode()

        appending.rewrite(file, lines())
