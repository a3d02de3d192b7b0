"""Correlations of Ramanujan metrics with accuracy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from figures.style import sheet

from .predictors import DENSITY, METRICS


def plot(tables: dict[str, pd.DataFrame]):
    """Heat map: Pearson correlation with accuracy by metric, sparsity, model and dataset."""
    table = tables["correlations"]
    table = table[table["method"] == "pearson"]
    cells = table.drop_duplicates(["model", "dataset"])[["model", "dataset"]].values.tolist()
    sparsities = list(dict.fromkeys(table["sparsity"]))
    shown = [DENSITY, *dict.fromkeys(table["metric"])]
    figure, panels = sheet(len(shown), 2, max(1, 0.4 + 0.2 * len(cells)), sharey=True)
    hatched = False
    for panel, metric in zip(panels, shown):
        # The density stands beside every metric; beside delta_r on the most networks.
        part = table[table["metric"] == (shown[1] if metric == DENSITY else metric)]
        column = "density_r" if metric == DENSITY else "r"
        wide = part.set_index(["model", "dataset", "sparsity"])[column]
        grid = np.array([[wide.get((*cell, s), np.nan) for s in sparsities] for cell in cells])
        image = panel.imshow(grid, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        panel.set_facecolor("0.93")
        panel.patch.set(hatch="////", edgecolor="0.7")  # seen where there is no number
        for (i, j), value in np.ndenumerate(grid):
            if not np.isnan(value):
                dark = np.dot(image.to_rgba(value)[:3], (0.299, 0.587, 0.114)) < 0.45
                colour = "white" if dark else "black"
                panel.text(j, i, hundredths(value), ha="center", va="center", color=colour)
        panel.set_title(METRICS.get(metric, metric))
        panel.set_xticks(range(len(sparsities)), sparsities)
        hatched |= bool(np.isnan(grid).any())
    panels[0].set_yticks(range(len(cells)), [f"{m}, {d}" for m, d in cells])
    figure.supxlabel("sparsity", fontsize="medium")
    label = "Pearson correlation with accuracy"
    if hatched:
        label += "\n(hatched: undefined or not measured)"
    figure.colorbar(image, ax=panels, label=label)
    return figure


def hundredths(value: float) -> str:
    """A correlation with two decimals and nothing before the point, 0 without a sign."""
    text = f"{round(value, 2) + 0.0:.2f}"
    return text.replace("0.", ".", 1).replace("-", "−")
