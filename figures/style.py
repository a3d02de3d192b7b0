"""What all plots share: size, colours that the colour-blind tell apart, and how a plot is saved."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

from pruning import PRUNERS
from system.files import replacing

DPI = 200
"""Points an inch: the narrowest plots, of 9 inches, are 1,800 pixels wide."""

FORMATS = (".png", ".svg", ".pdf")
UNDATED = {".png": None, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}

PALETTE = {  # Okabe and Ito, "Color universal design", 2008
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "pink": "#CC79A7",
    "yellow": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
    "grey": "#7A7A7A",
}
BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, BLACK, GREY = PALETTE.values()
PALETTE |= {  # by Paul Tol, "Colour schemes", 2021
    "steel": "#6699CC",
    "forest": "#117733",
    "sand": "#DDCC77",
    "brown": "#661100",
    "rose": "#CC6677",
    "purple": "#AA4499",
    "crimson": "#AA4466",
}

WIDTH = 9.0
"""Inches of a plot; shown 850 pixels wide, letters of `TEXT` are then 10 pixels high."""

TEXT = {"font.size": 7.5, "axes.titlesize": "medium"}

OTHERS = (("#882255", ">"), ("#999933", "p"), ("#332288", "h"), ("#44AA99", "*"))  # by Paul Tol


def pruner_styles(labels: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each line of a plot of pruners.

    Parameters
    ----------
    labels : iterable of str
        Pruners have those of `pruning.PRUNERS`; other labels, in their order, what is left of these
        and then `OTHERS`. None is given twice before all are.

    Returns
    -------
    dict of str to (str, str)
    """
    labels = list(labels)
    own = {name: (PALETTE[p.colour], p.marker) for name, p in PRUNERS.items() if p.colour}
    found = {label: own[label] for label in labels if label in own}
    free = [style for style in (*own.values(), *OTHERS) if style not in found.values()]
    return found | dict(zip([label for label in labels if label not in found], cycle(free)))


def matplotlib():
    """Matplotlib, set so that the same plot is the same file, to the byte.

    ``MPLBACKEND`` may name what is not installed, as it does in shells that Jupyter starts; then
    matplotlib cannot be imported. No backend is used here but what `subplots` names. So whatever
    imports matplotlib first takes it from here.
    """
    backend = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend  # as matplotlib does, for others to use
    matplotlib.rcParams["svg.hashsalt"] = "topology"
    matplotlib.rcParams["svg.fonttype"] = "none"  # text that can be searched and changed
    matplotlib.rcParams["pdf.fonttype"] = 42
    return matplotlib


def subplots(rows: int = 1, columns: int = 1, *, figsize, dpi: int | None = None, **shared):
    """A figure that is drawn to files, and its panels, as from ``matplotlib.pyplot.subplots``.

    Parameters
    ----------
    rows, columns : int
    figsize : (float, float)
        Inches.
    dpi : int, optional
    **shared
        Of ``matplotlib.figure.Figure.subplots``.

    Returns
    -------
    matplotlib.figure.Figure, matplotlib.axes.Axes or numpy.ndarray of them
    """
    matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from .sheet import Sheet

    figure = Sheet(figsize=figsize, dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **shared)


def sheet(count: int, columns: int, height: float, **shared):
    """A figure of so many panels, in rows of at most `columns`, each row `height` inches high."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure, panels = subplots(
        rows,
        columns,
        figsize=(WIDTH, 0.7 + height * rows),
        squeeze=False,
        **shared,
    )
    for panel in panels.flat[count:]:
        panel.remove()
    return figure, panels.ravel()[:count]


def plain_ticks(axis) -> None:
    """Label 1, 2 and 5 of each decade of a short logarithmic axis with plain numbers.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
    """
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())


def save(figure, file: Path) -> None:
    """Write a figure as PNG and, beside it, as SVG.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    file : pathlib.Path
        The PNG.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=DPI)
    figure.savefig(file.with_suffix(".svg"), metadata=UNDATED[".svg"])


def write(figure, file: Path, dpi: int = DPI) -> None:
    """Write a figure to one file, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    file : pathlib.Path
        Its suffix, one of `FORMATS` in letters of any case, says how.
    dpi : int
        Points an inch.
    """
    suffix = file.suffix.lower()
    with replacing(file) as opened:
        figure.savefig(opened, format=suffix[1:], dpi=dpi, metadata=UNDATED[suffix])
