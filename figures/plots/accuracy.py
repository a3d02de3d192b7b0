"""Accuracy by sparsity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from figures.style import WIDTH, pruner_styles, subplots
from pruning import BASELINE

FROM = {
    "dense_accuracy": ("--", BASELINE),
    "best_sparse_accuracy": (":", "best sparse network"),
}
"""What the accuracy drop is measured from."""


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
            density = (1 - line["sparsity"]) * 0.94 ** (place - (len(styles) - 1) / 2)
            style = {"color": colour, "linewidth": 1, "markersize": 4, "label": pruner}
            # Every other line is dashed and its markers are hollow, so that one below is seen:
            # those of er and erk differ by less than they are wide.
            if place % 2:
                style |= {"linestyle": (0, (4, 2)), "markerfacecolor": "white"}
            panel.plot(density, line["accuracy"], marker=marker, **style)
            panel.fill_between(
                density, line["least"], line["most"], color=colour, alpha=0.15, linewidth=0
            )
        for name in FROM if len(part) else ():
            if name in part and part[name].notna().any():
                style = {"color": dense_colour, "linewidth": 0.8, "linestyle": FROM[name][0]}
                panel.axhline(part[name].mean(), label=FROM[name][1], **style)
        panel.set_xscale("log")
        panel.set_title(f"{models[j]}, {datasets[i]}")
        panel.tick_params(axis="x", labelrotation=60)
    panels[0][0].invert_xaxis()  # of all: they share it
    shown = sorted(table["sparsity"].unique())
    panels[0][0].set_xticks([1 - s for s in shown], [f"{s:g}" for s in shown])
    panels[0][0].minorticks_off()
    figure.supxlabel("sparsity", fontsize="medium")
    figure.supylabel("test accuracy (range over seeds shaded)", fontsize="medium")
    named = {}
    for panel in panels.flat:
        named |= dict(zip(*reversed(panel.get_legend_handles_labels())))
    figure.legend(named.values(), named, loc="outside upper center", ncols=8)
    return figure
