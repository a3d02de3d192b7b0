"""What all plots share: colours that the colour-blind tell apart, and how a plot is saved."""

from __future__ import annotations

from pathlib import Path

from atomic import replacing

DPI = 150
FORMATS = (".png", ".svg", ".pdf")
UNDATED = {".png": None, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}

# Okabe and Ito, "Color universal design", 2008.
BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)


def pyplot():
    """Matplotlib's pyplot, drawing to files; the same plot is the same file, to the byte."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "topology"
    import matplotlib.pyplot as plt

    return plt


def save(figure, file: Path) -> None:
    """Write a figure as PNG and, beside it, as SVG.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Closed afterwards.
    file : pathlib.Path
        The PNG.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=DPI)
    figure.savefig(file.with_suffix(".svg"), metadata=UNDATED[".svg"])
    pyplot().close(figure)


def write(figure, file: Path, dpi: int = DPI) -> None:
    """Write a figure to one file, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Closed afterwards.
    file : pathlib.Path
        Its suffix, one of `FORMATS`, says how.
    dpi : int
        Points an inch.
    """
    with replacing(file) as opened:
        figure.savefig(opened, format=file.suffix[1:], dpi=dpi, metadata=UNDATED[file.suffix])
    pyplot().close(figure)
