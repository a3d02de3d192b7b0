"""Tables in Markdown."""

from __future__ import annotations

import pandas as pd


def markdown(table: pd.DataFrame, digits: str = ".3g") -> str:
    """A table in Markdown.

    Parameters
    ----------
    table : pandas.DataFrame
    digits : str
        Format of the numbers that are not whole; an undefined one is an empty cell.

    Returns
    -------
    str
    """
    cells = table.map(lambda value: _cell(value, digits))
    lines = [list(map(str, cells.columns)), ["---"] * len(cells.columns), *cells.values.tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object, digits: str) -> str:
    if isinstance(value, float):
        return "" if value != value else format(value, digits)
    return str(value)
