"""Lines laid over each other and counted pixel by pixel."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .columns import Columns, width
from .style import DPI

ROWS = 840
"""Pixels of the tallest column."""


class Canvas:
    """How many edges, and of what mean value, pass through each pixel.

    Parameters
    ----------
    columns : Columns
    valued : bool
        Whether edges have values.

    Attributes
    ----------
    counts : numpy.ndarray of float32, shape (across, down)
    x : numpy.ndarray of float64, shape (across,)
        Where each column of pixels lies.
    faintest : float
        Opacity of the least count.
    """

    faintest = 0.12

    def __init__(self, columns: Columns, valued: bool = False) -> None:
        self.columns = columns
        gaps = max(1, len(columns.layers) - 1)
        self.gap = int(np.ceil(DPI * width(gaps + 1) / gaps))
        self.above = int(np.ceil(-columns.top * ROWS))
        shape = (gaps * self.gap, self.above + ROWS)
        self.x = (np.arange(shape[0]) + 0.5) / self.gap
        self.counts = np.zeros(shape, np.float32)
        self._values = np.zeros(shape, np.float32) if valued else None

    def add(
        self,
        pair: tuple[int, int],
        start: np.ndarray,
        end: np.ndarray,
        weight: np.ndarray,
        values: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """Lay edges between two columns.

        Parameters
        ----------
        pair : tuple of int
            The columns, the left one first.
        start, end : numpy.ndarray of float64
            Heights of their nodes.
        weight : numpy.ndarray
            How many edges each stands for.
        values : tuple of numpy.ndarray, optional
            Values at the left and at the right end.
        """
        if pair[0] < pair[1]:
            self._lay(pair, start, end, weight, values, pair[1] - pair[0])
            return
        pair = (min(pair[0], len(self.columns.layers) - 2), pair[0] + 1)
        for near, far in ((start, end), (end, start)):  # folded: there and back
            self._lay(pair, near, near + (far - near) / 0.8, weight, values, 0.4)

    def _lay(self, pair, start, end, weight, values, until) -> None:
        from .laying import lay  # compiled code, which a picture of few edges does without

        pixels = int(until * self.gap)
        # Few edges are looked at more often a pixel, so that steep ones show no gaps.
        looks = int(np.clip(2e6 / (len(start) * pixels + 1), 2, 16))
        x = (np.arange(pixels)[:, None] + (np.arange(looks) + 0.5) / looks) / self.gap
        first = pair[0] * self.gap
        at = slice(first, first + pixels)
        counts = self.counts[at]
        summed = counts if self._values is None else self._values[at]
        ends = np.empty((2, 0)) if values is None else np.stack(values)
        bend = self.columns.bend(pair, x)
        lay(start, end, weight / looks, ends, *bend, ROWS, self.above, counts, summed)

    @property
    def means(self) -> np.ndarray:
        """Mean value of the edges through each pixel; 0 where there are none."""
        return self._values / np.maximum(self.counts, 1e-30)

    @cached_property
    def limits(self) -> tuple[float, float]:
        """Counts, in a thousandth of the height, of the faintest and of the darkest shade."""
        found = self.counts[self.counts > 0] * (ROWS / 1000)
        if not len(found):
            return 1.0, 10.0
        low, high = np.quantile(found, (0.03, 0.998))
        return float(low), float(max(high, 2 * low))

    def draw(self, axes, image: np.ndarray, first: int, last: int, zorder: float) -> None:
        """Show what lies between two columns of an `image`."""
        axes.imshow(
            image[:, first * self.gap : last * self.gap],
            extent=(first, last, 1, -self.above / ROWS),
            interpolation="nearest",
            aspect="auto",
            zorder=zorder,
        )

    def image(self, colours, most: float = 1.0) -> np.ndarray:
        """The canvas as it is drawn.

        Parameters
        ----------
        colours : colour or numpy.ndarray of float64, shape (across, down or 1, 4)
        most : float
            Opacity of the darkest shade.

        Returns
        -------
        numpy.ndarray of uint8, shape (down, across, 4)
        """
        from matplotlib.colors import to_rgba

        low, high = np.log(self.limits)
        shade = np.log(np.maximum(self.counts * (ROWS / 1000), 1e-30))
        shade = np.clip((shade - low) / (high - low), 0, 1)
        shade = (self.faintest + (1 - self.faintest) * shade) * (self.counts > 0)
        rgba = np.empty((*self.counts.shape, 4), np.uint8)
        tint = np.array(to_rgba(colours)) if isinstance(colours, str) else colours
        rgba[..., :3] = np.round(255 * tint[..., :3])
        rgba[..., 3] = np.round(255 * most * shade)
        return rgba.swapaxes(0, 1)
