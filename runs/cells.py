"""Values as cells of a CSV, and back."""

from __future__ import annotations

import csv
import io
import numbers
from collections.abc import Iterable

from .columns import TEXT

Value = str | bool | int | float | None


def format_cell(value: object) -> str:
    """Text of a value: exact, the same on every machine, empty for ``None``.

    Parameters
    ----------
    value : str, bool, int, float or None
        NumPy scalars count as the Python numbers that they are.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If the value is anything else.
    ValueError
        If a text holds a line break.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        if "\n" in value or "\r" in value:
            raise ValueError(f"a cell cannot hold a line break: {value!r}")
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return repr(float(value))
    raise TypeError(f"a cell cannot hold a {type(value).__name__}: {value!r}")


def parse_cell(column: str, text: str) -> Value:
    """Value of a cell; the inverse of `format_cell`.

    Parameters
    ----------
    column : str
    text : str

    Returns
    -------
    str, bool, int, float or None

    Raises
    ------
    ValueError
        If the cell of a numeric column is not a number, or that of ``training`` not a boolean.
    """
    if column in TEXT:
        return text
    if column == "training":  # in capital letters from spreadsheets
        if text.lower() not in ("true", "false"):
            raise ValueError(f"training is {text!r}, not True or False")
        return text.lower() == "true"
    if text == "":
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


def line(values: Iterable[object]) -> str:
    """A row as CSV, with its line break."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(format_cell, values))
    return text.getvalue()
