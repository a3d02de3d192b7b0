"""Strict reading of a result CSV into a table: one clear line for whatever is wrong with it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from system.appending import content
from system.errors import UserError


class TableError(UserError, ValueError):
    """A CSV that cannot be used; one line that names file, row and column."""


class Number(NamedTuple):
    """What the cells of a numeric column may hold.

    Attributes
    ----------
    low, high : float
        Least and largest value.
    whole : bool
        Whether it must be a whole number.
    empty : bool
        Whether a cell may be empty: the value is then undefined (NaN).
    undefined : tuple of str
        Other texts that stand for undefined.
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    empty: bool = False
    undefined: tuple[str, ...] = ()


class Text(NamedTuple):
    """A column of names.

    Attributes
    ----------
    empty : bool
        Whether a cell may be empty.
    """

    empty: bool = False


Column = Number | Text


def read(
    file: str | Path,
    columns: Mapping[str, Column],
    absent: Mapping[str, str | float] | None = None,
) -> pd.DataFrame:
    """Read and check the columns asked for.

    Parameters
    ----------
    file : str or Path
        CSV with a header, UTF-8.
    columns : mapping of str to Number or Text
        The columns, and what their cells may hold. Others are not read.
    absent : mapping of str to str or float, optional
        The columns that the file may lack, as one of an older version does, and what their cells
        then hold: NaN for an undefined number. All others must be there.

    Returns
    -------
    pandas.DataFrame
        The columns in the order asked for: text as str, numbers as float64. The index is each row's
        line number in the file (the header is line 1), for later messages.

    Raises
    ------
    TableError
        If the file is missing, empty, not UTF-8 or not a table, lacks a column, or a cell is not
        what it must be.
    """
    file = Path(file)
    data = _content(file)
    names = _names(file, data)
    absent = absent or {}
    missing = [name for name in columns if name not in names and name not in absent]
    if missing:
        raise TableError(f"{file}, line 1: no column {missing[0]!r}; it has {', '.join(names)}")
    try:
        text = pd.read_csv(
            io.BytesIO(data),
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
        )
    except UnicodeDecodeError as error:
        raise TableError(f"{file}: not a UTF-8 text file ({error.reason})") from None
    except pd.errors.ParserError as error:
        raise TableError(f"{file}: not a table ({' '.join(str(error).split())})") from None
    if not len(text):
        raise TableError(f"{file}: no row after the header")
    if not isinstance(text.index, pd.RangeIndex):  # pandas takes surplus first cells for an index
        raise TableError(f"{file}, line 2: more cells than the header has columns")
    text.index = pd.RangeIndex(2, len(text) + 2)
    _refuse_short(file, data, len(names), text.index)
    return pd.DataFrame(
        {
            name: _column(file, name, text[name], kind) if name in names else absent[name]
            for name, kind in columns.items()
        },
        text.index,
    )


def refuse_duplicates(file: str | Path, table: pd.DataFrame, key: Sequence[str]) -> None:
    """Refuse a table in which two rows have the same key.

    Parameters
    ----------
    file : str or Path
        For the message.
    table : pandas.DataFrame
        From `read`.
    key : sequence of str
        Columns that tell a row from all others.

    Raises
    ------
    TableError
        Naming both rows.
    """
    again = table.duplicated(list(key))
    if not again.any():
        return
    line = again.idxmax()
    row = table.loc[line, list(key)]
    same = ((table[list(key)] == row) | table[list(key)].isna() & row.isna()).all(axis=1)
    known = row[row.notna() & (row != "")]
    run = ", ".join(f"{name} {_plain(value)}" for name, value in known.items())
    raise TableError(f"{file}, line {line}: the run of line {same.idxmax()} again ({run})")


def header(file: str | Path) -> list[str]:
    """Column names of a CSV.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    list of str

    Raises
    ------
    TableError
        If there is none, or a name stands twice.
    """
    file = Path(file)
    return _names(file, _content(file))


def _content(file: Path) -> bytes:
    """The file without rows that a killed run left unfinished."""
    try:
        return content(file)
    except FileNotFoundError:
        raise TableError(f"{file}: no such file") from None


def _lines(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")


def _names(file: Path, data: bytes) -> list[str]:
    try:
        names = next(csv.reader(_lines(data)), [])
    except UnicodeDecodeError as error:
        raise TableError(f"{file}: not a UTF-8 text file ({error.reason})") from None
    except csv.Error as error:
        raise TableError(f"{file}, line 1: {error}") from None
    if not any(names):
        raise TableError(f"{file}: empty, without even a header")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise TableError(f"{file}, line 1: two columns {twice[0]!r}")
    return names


def _refuse_short(file: Path, data: bytes, wanted: int, numbers: pd.RangeIndex) -> None:
    """Refuse rows that pandas would fill up with empty cells, and a last line that was cut."""
    rows = csv.reader(_lines(data))
    next(rows)
    for number, cells in zip(numbers, rows):
        if len(cells) != wanted:
            raise TableError(
                f"{file}, line {number}: {len(cells)} cells where the header has {wanted}"
            )
    if not data.endswith((b"\n", b"\r")):
        raise TableError(
            f"{file}, line {numbers[-1]}: the last line has no line break, so it may be cut: "
            "delete it or end it"
        )


def _column(file: Path, name: str, cells: pd.Series, kind: Column) -> pd.Series | np.ndarray:
    """Checked by NumPy: pandas' own masks of dozens of columns take ten times longer."""
    texts = cells.to_numpy(object)

    def refuse(wrong: np.ndarray, why: str) -> None:
        if wrong.any():
            at = wrong.argmax()
            where = f"{file}, line {cells.index[at]}, column {name!r}"
            raise TableError(f"{where}: {texts[at]!r} {why}")

    if isinstance(kind, Text):
        refuse(np.array([not (kind.empty or text.strip()) for text in texts]), "is empty")
        return cells.astype(object)
    undefined = {*kind.undefined, *([""] if kind.empty else [])}
    blank = np.array([text in undefined for text in texts])
    refuse((texts == "") & ~blank, "is empty")
    values = pd.to_numeric(np.where(blank, np.nan, texts), errors="coerce").astype(np.float64)
    refuse(~np.isfinite(values) & ~blank, "is not a number")
    outside = ~((kind.low <= values) & (values <= kind.high)) & ~blank
    refuse(outside, f"is outside {kind.low:g} to {kind.high:g}")
    if kind.whole:
        refuse((values % 1 != 0) & ~blank, "is not a whole number")
    return values


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
