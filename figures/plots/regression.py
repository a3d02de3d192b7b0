"""R2 of every encoding."""

from __future__ import annotations

import numpy as np
import pandas as pd

from figures.style import GREY, sheet

from .predictors import ends, looks

CARET = 7  # matplotlib.markers.CARETDOWN: what it points at is below the axis


def plot(tables: dict[str, pd.DataFrame]):
    """R2 on networks not seen, by encoding and sparsity, a panel for each estimator.

    Bars are clustered intervals, if any.
    """
    table, ceilings = tables["scores"], tables["ceilings"]
    ceilings = ceilings[ceilings["kind"].isin(["sparsity", "overall"])].set_index("stratum")
    table = table[(table["level"] == "joint") & table["kind"].isin(["sparsity", "overall"])]
    strata = list(dict.fromkeys(table[table["kind"] == "sparsity"]["stratum"]))
    strata += ["all"]
    estimators = list(dict.fromkeys(table["estimator"]))
    predictors = looks(table["predictor"])
    figure, panels = sheet(len(estimators), 2, 2.6, sharey=True)
    lowest = max(min(-0.2, float(table["r2"].min()) - 0.05), -1)
    caret = {"linestyle": "", "marker": CARET, "markersize": 5}
    for panel, estimator in zip(panels, estimators):
        part = table[table["estimator"] == estimator].set_index(["predictor", "stratum"])
        for place, (predictor, look) in enumerate(predictors.items()):
            known = [i for i, s in enumerate(strata) if (predictor, s) in part.index]
            values = part.loc[[(predictor, strata[i]) for i in known]]
            shift = (place - (len(predictors) - 1) / 2) * 0.12
            panel.errorbar(
                np.array(known) + shift,
                values["r2"],
                yerr=ends(values, "r2"),
                fmt=look.marker,
                color=look.colour,
                markersize=4,
                linewidth=0.8,
                label=look.label,
            )
            lost = np.array(known)[(values["r2"] < lowest).to_numpy()] + shift
            edge = np.full(len(lost), lowest)
            panel.plot(lost, edge, color=look.colour, **caret)
        panel.axhline(0, color="grey", linewidth=0.6)
        panel.axvline(len(strata) - 1.5, color="grey", linewidth=0.6, linestyle=":")
        panel.hlines(
            ceilings["ceiling"].reindex(strata).clip(lower=0),
            np.arange(len(strata)) - 0.42,
            np.arange(len(strata)) + 0.42,
            color="grey",
            linewidth=1.5,
            label="ceiling: what differs between configurations",
        )
        panel.set_title(estimator)
        panel.set_xticks(range(len(strata)), strata)
        panel.set_xlabel("sparsity")
        panel.set_ylim(lowest, 1.04)
        panel.grid(axis="y", alpha=0.3)
    figure.supylabel("R$^2$ on configurations not seen, nothing else known", fontsize="medium")
    handles, labels = panels[0].get_legend_handles_labels()
    if (table["r2"] < lowest).any():
        from matplotlib.lines import Line2D

        handles += [Line2D([], [], color=GREY, **caret)]
        labels += ["below the axis"]
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure
