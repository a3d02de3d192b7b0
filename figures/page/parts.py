"""What pages are made of: the frame, lists of facts, pictures, and how a network is made again.

The frame is `page.html`; here its blanks are filled. Every text is escaped, pictures are embedded.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import struct
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from metrics.registry import columns_of
from models import MODELS
from runs import records
from runs.columns import IDENTITY
from runs.measures import MEASURES
from runs.summary import number

from .. import layers
from ..style import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from metrics.by_layer import LayerSummary

LABELS = {
    "dataset": "Data set",
    "pruning": "Pruner",
    "sparsity": "Sparsity asked for",
    "achieved_sparsity": "Sparsity achieved",
    "training": "Trained",
    "batch_size": "Batch size",
    "lr": "Learning rate",
    "accuracy": "Test accuracy",
}
MEANINGS = {
    column.name: column.meaning
    for kind in reversed(MEASURES.values())  # what two have means what it does in the first
    for column in columns_of(kind.metrics)
}
PHONE = {"per_row": 6, "inches": 4.4}
"""A graph's picture on a phone."""

READABLE = 0.75
"""Least size of a picture on a screen, which then scrolls, by its own size."""


class Picture(NamedTuple):
    """A picture for screens and paper, and one for the width of a phone."""

    wide: Figure | bytes
    narrow: Figure | bytes


def document(
    *, kicker: str, heading: str, title: str, facts: Mapping[str, str], sections: Mapping[str, str]
) -> str:
    """A whole page.

    Parameters
    ----------
    kicker, heading, title : str
        What kind of page it is; of what; and both, for the window.
    facts : mapping of str to str
        What to know at a glance.
    sections : mapping of str to str
        HTML by title. Those without any are left out.

    Returns
    -------
    str
        HTML, to be written as UTF-8.
    """
    sections = {title: body for title, body in sections.items() if body}
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return Template(text).substitute(
        script=_hash(text.partition("<script>")[2].partition("</script>")[0]),
        title=escape(title),
        kicker=escape(kicker),
        heading=escape(heading),
        facts=listed("facts", facts),
        links="".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in sections),
        sections="".join(
            f'<section id="{_anchor(title)}" aria-labelledby="{_anchor(title)}-title">\n'
            f'<h2 id="{_anchor(title)}-title">{title}</h2>\n{body}\n</section>\n'
            for title, body in sections.items()
        ),
    )


def _hash(script: str) -> str:
    """What allows the page's own script, and no other, in its policy."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def listed(kind: str, entries: Mapping[str, str]) -> str:
    """Names and what is said of them; `kind` is the list's class."""
    lines = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>\n"
        for name, text in entries.items()
    )
    return f'<dl class="{kind}">\n{lines}</dl>'


def label(name: str) -> str:
    """What a column of a result file is called on a page."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def shown(value: object) -> str:
    """A value of a result file as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value)


def picture(title: str, drawn: Figure | bytes | Picture) -> str:
    """A picture above its caption, in a region that scrolls where the screen is narrow."""
    wide, narrow = drawn if isinstance(drawn, Picture) else (drawn, None)
    data, width, height = _png(wide)
    shape, least = ' class="tall"' if height > width else "", READABLE * width * 96 / DPI
    image = (
        f'<img src="{data}" width="{width}" height="{height}" '
        f'style="--least: {least:.0f}px" alt="{escape(title)}">'
    )
    if narrow is not None:
        data, width, height = _png(narrow)
        image = (
            f'<picture><source media="screen and (max-width: 40rem)" srcset="{data}" '
            f'width="{width}" height="{height}">{image}</picture>'
        )
    return (
        f'<figure{shape}>\n<div class="scroll" role="region" aria-label="Picture" tabindex="0">'
        f"{image}</div>\n<figcaption>{escape(title)}</figcaption></figure>\n"
    )


def compared(summaries: Mapping[str, Sequence[LayerSummary]]) -> Picture:
    """What `layers.compare` plots, for a screen and for a phone."""
    return Picture(layers.compare(summaries), layers.compare(summaries, PHONE["inches"]))


def _png(drawn: Figure | bytes) -> tuple[str, int, int]:
    """A PNG as an address, and its size in pixels."""
    if not isinstance(drawn, bytes):
        buffer = io.BytesIO()
        drawn.savefig(buffer, format="png", dpi=DPI)
        drawn = buffer.getvalue()
    width, height = struct.unpack(">II", drawn[16:24])  # of the first chunk
    return f"data:image/png;base64,{base64.b64encode(drawn).decode('ascii')}", width, height


def origin(rows: Sequence[Mapping[str, object]]) -> str:
    """The versions of what made the page, and the commands that measure the networks again."""
    found = {name: version for name, version in records.versions().items() if version}
    commands = [command(row) for row in rows]
    if None in commands:
        return listed("versions", found)
    these = "The same network" if len(rows) == 1 else "The same networks"
    lines = escape("\n".join(commands))
    return (
        f"{listed('versions', found)}\n"
        f"<p>{these}, measured again:</p>\n<pre><code>{lines}</code></pre>"
    )


def command(row: Mapping[str, object]) -> str | None:
    """The command line of a run; None of a network of the user's own, which goes by a label."""
    if row.get("model") not in MODELS:
        return None
    words = ["python", "main.py"]
    for name in (name for name in IDENTITY if name != "epoch"):
        value = row.get(name)
        if value not in (None, "") and not (name == "training" and not value):
            words += [f"--{name.replace('_', '-')}", "true" if value is True else str(value)]
    return shlex.join(words)
