"""What all plots share: colours that the colour-blind tell apart, and how a plot is saved."""

from __future__ import annotations

from pathlib import Path

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
    figure.savefig(file, dpi=150)
    figure.savefig(file.with_suffix(".svg"), metadata={"Date": None})
    pyplot().close(figure)
