"""Importance of the unrolled topometrics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from figures.style import BLUE, GREEN, ORANGE, PINK, SKY, YELLOW, sheet

ROUNDING = 1e-12  # no importance is smaller
GROUP_COLOURS = {
    "Local connectivity": BLUE,
    "Neighbourhood": ORANGE,
    "Strength": GREEN,
    "Global connectivity": PINK,
    "Expansion": YELLOW,
}


def plot(tables: dict[str, pd.DataFrame]):
    """Permutation importance of each metric (trees), a panel for each sparsity and for all.

    A sparsity at which no metric has any has no panel.
    """
    table = tables["importance"]
    table = table[
        (table["method"] == "trees permutation") & table["kind"].isin(["overall", "sparsity"])
    ]
    every = [s for s in dict.fromkeys(table["stratum"]) if s != "all"] + ["all"]
    seen = set(table.loc[table["importance"].fillna(0).abs() > ROUNDING, "stratum"])
    strata = [stratum for stratum in every if stratum in seen] or every
    metrics = list(dict.fromkeys(table["metric"]))
    columns = 3 if len(strata) in (5, 6) else 4  # two full rows
    figure, panels = sheet(len(strata), columns, 0.5 + 0.165 * len(metrics), sharey=True)
    for panel, stratum in zip(panels, strata):
        part = table[table["stratum"] == stratum].set_index("metric").loc[metrics]
        mean = part["importance"].to_numpy()
        ends = np.maximum([mean - part["low"], part["high"] - mean], 0)
        colours = [GROUP_COLOURS.get(group, SKY) for group in part["group"]]
        panel.barh(range(len(metrics)), mean, color=colours)
        panel.errorbar(
            mean, range(len(metrics)), xerr=ends, fmt="none", ecolor="0.3", elinewidth=0.8
        )
        panel.axvline(0, color="grey", linewidth=0.6)
        panel.set_title("all sparsities" if stratum == "all" else f"sparsity {stratum}")
        panel.locator_params(axis="x", nbins=5)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(metrics)), metrics)
    panels[0].invert_yaxis()
    label = "loss of R$^2$ when the metric is permuted (trees; each panel has a scale of its own)"
    if missing := ", ".join(stratum for stratum in every if stratum not in strata):
        label += f"\nleft out, since no metric has any importance: sparsity {missing}"
    figure.supxlabel(label, fontsize="medium")
    from matplotlib.patches import Rectangle

    handles = [
        Rectangle((0, 0), 1, 1, color=colour, label=group)
        for group, colour in GROUP_COLOURS.items()
        if group in set(table["group"])
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
