"""Text that somebody else chose, fit for a line on the screen, a cell, a picture, a file's name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

FORMULA = ("=", "+", "-", "@")
"""How a cell begins that spreadsheets compute."""


def printable(text: str) -> str:
    r"""Text with an escape in the place of every character that cannot be seen.

    Parameters
    ----------
    text : str
        Of any characters: control characters, line breaks and halves of surrogate pairs, which no
        file can hold, are among those that are replaced.

    Returns
    -------
    str

    Examples
    --------
    >>> printable("a\x1b[31m\ud800 ü")
    'a\\x1b[31m\\ud800 ü'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def one_line(text: object, most: int | None = None) -> str:
    """Text without line breaks and with single blanks, printable, cut if it is longer than `most`.

    Examples
    --------
    >>> one_line("no such\\n  file", most=10)
    'no such...'
    """
    line = printable(" ".join(str(text).split()))
    return line if most is None or len(line) <= most else line[: most - 3] + "..."


def choose(name: object, known: Iterable[str]) -> str:
    """What to give in place of a name that is not known, the closest one first.

    Parameters
    ----------
    name : object
        As the user gave it; letters of any case and missing hyphens make no difference.
    known : iterable of str

    Returns
    -------
    str
        Of one line, to go on after a colon.

    Examples
    --------
    >>> choose("resnet20", ["CONV-6", "Resnet-20"])
    'did you mean Resnet-20? choose from CONV-6, Resnet-20'
    """
    known = list(known)
    plain = {_plain(each): each for each in known}
    close = difflib.get_close_matches(_plain(str(name)), plain, n=1)
    hint = f"did you mean {plain[close[0]]}? " if close else ""
    return f"{hint}choose from {', '.join(known)}"


def _plain(text: str) -> str:
    return re.sub("[-_ ]", "", text).lower()


def name(text: str) -> str:
    """A name fit for a cell, too: printable, and no formula of a spreadsheet.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        With an apostrophe before what a spreadsheet would compute.

    Examples
    --------
    >>> name("layer1.0.conv1"), name("=1+1")
    ('layer1.0.conv1', "'=1+1")
    """
    found = printable(text)
    return f"'{found}" if found.startswith(FORMULA) else found


def file_name(text: str) -> str:
    """Part of a file's name: letters, digits and ``_ . + -`` alone, the first of them no sign.

    Examples
    --------
    >>> file_name("../w x.pt")
    '_._w_x.pt'
    """
    return re.sub(r"^[.+-]|[^\w.+-]", "_", text)
