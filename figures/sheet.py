"""A figure that a notebook shows, though no interactive part of matplotlib is loaded."""

from __future__ import annotations

import io

from matplotlib.figure import Figure  # here, since `style.subplots` has set matplotlib before


class Sheet(Figure):
    """A figure that is drawn to files and shown by notebooks."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
