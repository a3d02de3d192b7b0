"""Colours of edges and nodes in pictures of graphs."""

from __future__ import annotations

import numpy as np

from .columns import Columns
from .nodes import Bins
from .style import BLACK, BLUE, GREEN, ORANGE, PINK, YELLOW, matplotlib

DEPTH = ("#4B3F9E", BLUE, "#008A96", GREEN)
"""Edges from the first layers to the last, of like lightness; warm colours are left for marks."""

PAST, REMOVED, NODES, NO_STRENGTH = "#5F6670", "#C9A671", "#30343B", "#D8D8D8"
MARK_COLOURS = {"disconnected": BLACK, "sinks": ORANGE, "sources": YELLOW, "cut-nodes": PINK}
"""In the order in which the marks stand beside a column."""


class Paint:
    """Colours of edges and nodes.

    Parameters
    ----------
    columns : Columns
    bins : list of Bins
        Of each column.
    colour : {"layer", "strength"}
    """

    def __init__(self, columns: Columns, bins: list[Bins], colour: str) -> None:
        matplotlib()
        from matplotlib.colors import LinearSegmentedColormap, ListedColormap, LogNorm

        self.columns, self.bins = columns, bins
        self.by_strength = colour == "strength"
        self.depth = LinearSegmentedColormap.from_list("depth", DEPTH)
        if self.by_strength:
            bright = matplotlib().colormaps["viridis_r"](np.linspace(0.14, 1, 256))  # not on white
            self.map = ListedColormap(bright)
            found = np.concatenate([part.strength for part in bins])
            found = found[found > 0] if (found > 0).any() else np.ones(1)
            self.norm = LogNorm(found.min(), max(found.max(), found.min() * 1.01), clip=True)

    def at(self, x: np.ndarray) -> np.ndarray:
        """Colours (n, 4) of depths, in columns."""
        return self.depth(np.asarray(x, float) / max(1, len(self.columns.layers) - 1))

    def of_strength(self, strength: np.ndarray) -> np.ndarray:
        """Colours (..., 4) of strengths; grey where there is none."""
        from matplotlib.colors import to_rgba

        colours = self.map(self.norm(np.maximum(strength, self.norm.vmin)))
        colours[np.asarray(strength) <= 0] = to_rgba(NO_STRENGTH)
        return colours

    def strength(self, height: np.ndarray, column: int) -> np.ndarray:
        """Logarithm of the mean strength of the nodes near a place of a column."""
        found = np.log(np.maximum(self.bins[column].strength, self.norm.vmin))
        place = (height - 0.5) / self.columns.heights[column] + 0.5
        return found[np.clip((place * len(found)).astype(int), 0, len(found) - 1)]


def tint(colour: str, strength: np.ndarray) -> np.ndarray:
    """Opaque colours (n, 3) between white (strength 0) and a colour (1)."""
    from matplotlib.colors import to_rgb

    return 1 - np.asarray(strength)[:, None] * (1 - np.array(to_rgb(colour)))
