"""Rankings of the pruners."""

from __future__ import annotations

import numpy as np
import pandas as pd

from figures.style import sheet
from graph_encoding import ENCODINGS

from .predictors import DENSITY, METRICS, RAMANUJAN, ends, looks


def plot(tables: dict[str, pd.DataFrame]):
    """Kendall's tau and rank-biased overlap of rankings of pruners with that by accuracy."""
    table = tables["summary"]
    sparsities = [s for s in dict.fromkeys(table["sparsity"]) if s != "all"]
    predictors = looks(table["predictor"])
    lines = [
        *(
            (name, "mixture", f"mixture of {name} topometrics", f"{look.marker}-")
            for name, look in predictors.items()
            if name in ENCODINGS
        ),
        (RAMANUJAN, "mixture", "mixture of Ramanujan metrics", "^-"),
        (RAMANUJAN, "delta_r", "delta_r", "X--"),
        (RAMANUJAN, "imdb", METRICS["imdb"], "v:"),
        (RAMANUJAN, "iterative_spectral_gap", METRICS["iterative_spectral_gap"], "h-."),
        (DENSITY, "layer_density", METRICS[DENSITY], "P-"),
    ]
    figure, panels = sheet(2, 2, 4)
    places = np.arange(len(sparsities))
    for panel, measure, label in (
        (panels[0], "tau", "Kendall's tau"),
        (panels[1], "rbo", "rank-biased overlap"),
    ):
        for place, (predictor, score, name, style) in enumerate(lines):
            part = table[(table["predictor"] == predictor) & (table["score"] == score)]
            part = part.set_index("sparsity").reindex(sparsities)
            if part[measure].isna().all():
                continue
            panel.errorbar(
                places + (place - (len(lines) - 1) / 2) * 0.06,
                part[measure],
                yerr=ends(part, measure),
                fmt=style,
                color=predictors[predictor].colour,
                markersize=5.5,
                markeredgecolor="white",
                markeredgewidth=0.4,
                linewidth=1.2,
                elinewidth=0.7,
                label=name,
            )
        panel.set_xticks(places, sparsities)
        panel.set(xlabel="sparsity", ylabel=label)
        panel.grid(alpha=0.3)
    panels[0].axhline(0, color="grey", linewidth=0.8)
    chance = (
        table.set_index("sparsity").groupby(level=0)["rbo_of_chance"].mean().reindex(sparsities)
    )
    panels[1].plot(places, chance, color="grey", linewidth=0.8, label="random ranking")
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
