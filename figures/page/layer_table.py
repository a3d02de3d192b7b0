"""The table of layers of a page: a row a layer, which the page's script sorts by any column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple


class Cell(NamedTuple):
    """A number of a row.

    Attributes
    ----------
    heading : str
        Of its column.
    value : object
        What it is sorted by.
    text : str
        What is shown.
    share : float, optional
        Length of a bar behind it, from 0 to 1.
    is_alarm : bool
        Whether the reader had better see it.
    """

    heading: str
    value: object
    text: str
    share: float | None = None
    is_alarm: bool = False


def percent(value: float) -> str:
    """A share as text."""
    percent = 100 * value
    shown = f"{percent:.1f}" if percent >= 0.1 or not percent else f"{percent:.1g}"
    return f"{shown}\N{NO-BREAK SPACE}%"


def table(meanings: Mapping[str, str], rows: Sequence[str], last: str, note: str) -> str:
    """All rows in a region that scrolls.

    Parameters
    ----------
    meanings : mapping of str to str
        By heading, that of the names first.
    rows : sequence of str
        From `row`.
    last : str
        A row below the others, or nothing.
    note : str
        HTML below the table.
    """
    first, *others = meanings
    heads = _head(first, meanings[first], "") + "".join(
        _head(heading, meanings[heading], ' class="number"') for heading in others
    )
    foot = f"<tfoot>\n{last}</tfoot>\n" if last else ""
    return (
        '<p class="hint">A click on a heading sorts by it, another one turns the order round.</p>\n'
        '<div class="scroll" role="region" aria-labelledby="layers-title" tabindex="0">\n'
        '<table class="layers">\n<thead><tr><th scope="col" class="number" '
        f'title="place in the order in which the network runs them">#</th>{heads}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n{foot}</table>\n</div>\n"
        f'<p class="note">{note}</p>'
    )


def _head(heading: str, meaning: str, kind: str) -> str:
    return f'<th scope="col"{kind} title="{escape(meaning)}">{escape(heading)}</th>'


def row(place: int | str, name: str, cells: Sequence[Cell], tag: str = "") -> str:
    """A layer; with a tag it is marked as one that the reader had better see."""
    shown = escape(name).replace(".", ".<wbr>")
    if tag:
        shown += f' <span class="tag">{tag}</span>'
    line = (
        f'<td class="number" data-value="{place}">{place}</td>'
        f'<th scope="row" data-value="{escape(name)}">{shown}</th>{"".join(map(_cell, cells))}'
    )
    kind = ' class="alarm"' if tag else ""
    return f"<tr{kind}>{line}</tr>\n"


def _cell(cell: Cell) -> str:
    kinds = "number" + " share" * (cell.share is not None) + " alarm" * cell.is_alarm
    bar = "" if cell.share is None else f' style="--share: {cell.share:.2%}"'
    return (
        f'<td class="{kinds}" data-value="{escape(str(cell.value))}" '
        f'data-heading="{escape(cell.heading)}"{bar}>{escape(cell.text)}</td>'
    )
