"""What a run found, for the eye: metrics grouped as in the paper."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from metrics.registry import columns_of
from system.text import printable

from . import naming
from .columns import completed
from .measures import MEASURES

Row = Mapping[str, object]
Groups = Mapping[str, Sequence[str]]

SHORT = {"layer_density": "density"} | {
    column.name: column.short
    for kind in MEASURES.values()
    for column in columns_of(kind.metrics)
    if column.short
}


def summary(rows: Sequence[Row], groups: Groups) -> str:
    """Describe one run.

    Parameters
    ----------
    rows : sequence of mapping
        One row for an unrolled graph, one a layer for bipartite graphs.
    groups : mapping of str to sequence of str
        Column names by title.

    Returns
    -------
    str
        Several lines.
    """
    if "layer_name" not in rows[0]:
        body = _list(rows[0], groups)
    else:
        body = _table(rows, groups, "layer", [printable(str(row["layer_name"])) for row in rows])
    return f"{naming.heading(rows[0])}\n\n{body}"


def trajectory(moments: Sequence[Sequence[Row]], groups: Groups) -> str:
    """How a run went: a line a moment of its training.

    Parameters
    ----------
    moments : sequence of sequence of mapping
        The rows of each moment. Of bipartite graphs, which have a row a layer, only what the layers
        have in common is shown.
    groups : mapping of str to sequence of str
        Column names by title.

    Returns
    -------
    str
        Several lines.
    """
    rows = [rows[0] for rows in moments]
    shown = {"Network": ("accuracy", "moved")}
    if "layer_name" not in rows[0]:
        shown |= groups
    return _table(rows, shown, "epoch", [str(completed(row)["epoch"]) for row in rows])


def times(seconds: Mapping[str, float]) -> str:
    """Wall time of each stage, and of all.

    Parameters
    ----------
    seconds : mapping of str to float

    Returns
    -------
    str
        One line.
    """
    parts = ", ".join(f"{stage} {time:.1f}" for stage, time in seconds.items())
    return f"{sum(seconds.values()):.1f} s: {parts}"


def _list(row: Row, groups: Groups) -> str:
    values = {name: number(row[name]) for names in groups.values() for name in names}
    left, right = max(map(len, values)), max(map(len, values.values()))
    lines = []
    for title, names in groups.items():
        lines.append(title)
        lines += [f"  {name:<{left}}  {values[name]:>{right}}" for name in names]
    return "\n".join(lines)


def _table(rows: Sequence[Row], groups: Groups, title: str, names: Sequence[str]) -> str:
    """One line a row, such as a layer; groups that do not fit beside each other go below."""
    first = ["", title, *names]
    first = [f"{cell:<{max(map(len, first))}}" for cell in first]
    room = max(shutil.get_terminal_size((160, 24)).columns, 80)
    blocks = [first]
    for title, columns in groups.items():
        group = [_column(rows, name) for name in columns]
        lines = ["  ".join(cells) for cells in zip(*group, strict=True)]
        width = max(len(title), len(lines[0]))
        lines = [f"{line:>{width}}" for line in [f"{title:<{width}}", *lines]]
        if len(blocks[-1][0]) + 3 + width > room and blocks[-1] is not first:
            blocks.append(first)
        blocks[-1] = [f"{a}   {b}" for a, b in zip(blocks[-1], lines, strict=True)]
    return "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks)


def _column(rows: Sequence[Row], name: str) -> list[str]:
    cells = [SHORT.get(name, name), *(compact(row[name]) for row in rows)]
    width = max(map(len, cells))
    return [f"{cell:>{width}}" for cell in cells]


def number(value: object) -> str:
    """A number with its thousands apart, seven digits of a fraction, or a dash for none."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.7g}"


def compact(value: object) -> str:
    """A number in few characters: whole below ten million, otherwise four digits."""
    if value is None:
        return "-"
    if isinstance(value, int) and abs(value) < 10_000_000:
        return str(value)
    return f"{value:.4g}"
