"""Graphs before and after training: what they predict, and how growth changes them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from figures.style import PALETTE, sheet

from .predictors import ends

COLOURS = ("blue", "orange", "green", "pink")


def plot(tables: dict[str, pd.DataFrame]):
    """R2 of both moments (bars: configurations), and differences by growth, metric by metric."""
    shown = [name for name in ("scores", "growth") if name in tables]
    figure, panels = sheet(len(shown), 2, 4.6)
    draw = {"scores": _moments, "growth": _growth}
    for panel, name in zip(panels, shown):
        draw[name](panel, tables[name])
    return figure


def _moments(panel, table: pd.DataFrame) -> None:
    rows = list(dict.fromkeys(zip(table["networks_of"], table["known"], table["estimator"])))
    moments = list(dict.fromkeys(table["predictor"]))
    indexed = table.set_index(["networks_of", "known", "estimator", "predictor"])
    for place, (moment, colour) in enumerate(zip(moments, COLOURS)):
        values = indexed.loc[[(*row, moment) for row in rows]]
        panel.errorbar(
            values["r2"].clip(lower=-1),
            np.arange(len(rows)) + 0.3 * (place - 0.5),
            xerr=ends(values, "r2") if values["r2"].ge(-1).all() else None,
            fmt="o",
            color=PALETTE[colour],
            markersize=4,
            linewidth=0.8,
            label=moment,
        )
    panel.set_yticks(range(len(rows)), [f"{a}; {b}: {c}" for a, b, c in rows])
    panel.invert_yaxis()
    panel.set_xlim(-1.05, 1.05)
    panel.axvline(0, color=PALETTE["grey"], linewidth=0.8)
    panel.set_xlabel("R$^2$ on configurations not seen")
    panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)


def _growth(panel, table: pd.DataFrame) -> None:
    metrics = list(dict.fromkeys(table["metric"]))
    pairs = list(dict.fromkeys(zip(table["grown"], table["random"])))
    for place, ((grown, random), colour) in enumerate(zip(pairs, COLOURS)):
        part = table[(table["grown"] == grown) & (table["random"] == random)].set_index("metric")
        there = [i for i, metric in enumerate(metrics) if metric in part.index]
        part = part.loc[[metrics[i] for i in there]]
        panel.errorbar(
            part["difference"],
            np.array(there) + 0.3 * (place - (len(pairs) - 1) / 2),
            xerr=np.abs(part[["low", "high"]].to_numpy().T - part["difference"].to_numpy()),
            fmt="o",
            color=PALETTE[colour],
            markersize=4,
            linewidth=0.8,
            label=f"{grown} less {random}",
        )
    panel.set_yticks(range(len(metrics)), metrics)
    panel.invert_yaxis()
    panel.axvline(0, color=PALETTE["grey"], linewidth=0.8)
    panel.set_xlabel("relative difference at the end")
    panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
