"""What each predictor adds to what is known of a network."""

from __future__ import annotations

import numpy as np
import pandas as pd

from figures.style import PALETTE, sheet

from .predictors import Look, ends, looks

NO_METRICS = "none"


def plot(tables: dict[str, pd.DataFrame]):
    """R2 by what is known, a panel for each estimator; bars are clustered intervals, if any."""
    table = tables["scores"]
    known = list(dict.fromkeys(table["known"]))
    estimators = list(dict.fromkeys(table["estimator"]))
    predictors = looks(table["predictor"])
    predictors[NO_METRICS] = Look("what is known alone", PALETTE["black"], "_")
    figure, panels = sheet(len(estimators), 2, 2.6, sharey=True)
    for panel, estimator in zip(panels, estimators):
        part = table[table["estimator"] == estimator].set_index(["predictor", "known"])
        for place, (predictor, look) in enumerate(predictors.items()):
            there = [i for i, name in enumerate(known) if (predictor, name) in part.index]
            values = part.loc[[(predictor, known[i]) for i in there]]
            panel.errorbar(
                np.array(there) + (place - (len(predictors) - 1) / 2) * 0.13,
                values["r2"],
                yerr=ends(values, "r2"),
                fmt=look.marker,
                color=look.colour,
                markersize=4,
                linewidth=0.8,
                label=look.label,
            )
        panel.set_title(estimator)
        names = [name.replace(", ", ",\n").replace(" x ", "\nx ") for name in known]
        panel.set_xticks(range(len(known)), names)
        panel.set_xlim(-0.5, len(known) - 0.5)
        panel.set_ylim(max(-0.2, min(0, float(table["r2"].min()) - 0.05)), 1.04)
        panel.grid(axis="y", alpha=0.3)
    figure.supxlabel(
        "known beside the metrics (bars: clustered by model and data set)", fontsize="medium"
    )
    figure.supylabel("R$^2$ on configurations not seen", fontsize="medium")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6)
    return figure
