"""Accuracy by sparsity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from figures.style import WIDTH, pruner_styles, subplots
from pruning import BASELINE


def plot(tables: dict[str, pd.DataFrame]):
    """Accuracy by density, a panel for each model and dataset, a line for each pruner."""
    table = tables["cells"].astype({"sparsity": float})
    models, datasets = (list(dict.fromkeys(table[name])) for name in ("model", "dataset"))
    styles = pruner_styles([*dict.fromkeys(table["pruning"]), BASELINE])
    dense_colour, _ = styles.pop(BASELINE)
    figure, panels = subplots(
        len(datasets),
        len(models),
        figsize=(WIDTH, 0.9 + (1.8 if len(models) > 2 else 2.4) * len(datasets)),
        sharex=True,
        squeeze=False,
    )
    for (i, j), panel in np.ndenumerate(panels):
        part = table[(table["model"] == models[j]) & (table["dataset"] == datasets[i])]
        for place, (pruner, (colour, marker)) in enumerate(styles.items()):
            line = part[part["pruning"] == pruner].sort_values("sparsity")
            # A little to the side of each other, so that equal values are all seen.
            density = (1 - line["sparsity"]) * 0.96 ** (place - (len(styles) - 1) / 2)
            style = {"color": colour, "linewidth": 1, "markersize": 4, "label": pruner}
            panel.plot(density, line["accuracy"], marker=marker, **style)
            panel.fill_between(
                density, line["least"], line["most"], color=colour, alpha=0.15, linewidth=0
            )
        if len(part):
            dense = part["dense_accuracy"].mean()
            panel.axhline(dense, color=dense_colour, linewidth=0.8, linestyle="--", label=BASELINE)
        panel.set_xscale("log")
        panel.set_title(f"{models[j]}, {datasets[i]}")
        panel.tick_params(axis="x", labelrotation=60)
    panels[0][0].invert_xaxis()  # of all: they share it
    shown = sorted(table["sparsity"].unique())
    panels[0][0].set_xticks([1 - s for s in shown], [f"{s:g}" for s in shown])
    panels[0][0].minorticks_off()
    figure.supxlabel("sparsity", fontsize="medium")
    figure.supylabel("test accuracy (range over seeds shaded)", fontsize="medium")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=8)
    return figure
