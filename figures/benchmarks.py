"""Plots of the benchmarks: time and memory against edges, with fitted growth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .style import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    TEXT,
    WIDTH,
    YELLOW,
    matplotlib,
    plain_ticks,
    save,
    subplots,
)

COLOURS = {
    "ours": BLUE,
    "scipy": ORANGE,
    "igraph": GREEN,
    "networkit": PINK,
    "networkx": YELLOW,
}

LABELS = {  # what each library answers, its own graph included
    "scipy": "SciPy: 2-hop, motifs, spectra, components, degrees",
    "igraph": "igraph: cores, cuts, components",
    "networkit": "NetworKit: cores, components",
    "networkx": "NetworkX: cores, cuts, components",
}


def power_law(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Exponent and factor of the power law that fits best: a line through log y over log x."""
    exponent, intercept = np.polyfit(np.log(x), np.log(y), 1)
    return float(exponent), float(np.exp(intercept))


def plot_cost(whole: pd.DataFrame, metrics: pd.DataFrame, file: Path) -> None:
    """Time and memory of all metrics against edges, ours and the peers'.

    Parameters
    ----------
    whole : pandas.DataFrame
        Whole commands: columns run, edges, seconds, megabytes.
    metrics : pandas.DataFrame
        Metric by metric: columns by, edges, seconds, megabytes.
    file : pathlib.Path
        PNG to write; an SVG goes beside it.
    """
    with matplotlib().rc_context(TEXT):
        figure, panels = subplots(1, 2, figsize=(WIDTH, 4.2))
        ours = whole[whole.run == "second run"].sort_values("edges")
        lines = {"ours": ours[["edges", "seconds", "megabytes"]]}
        for library, part in metrics[metrics.by != "ours"].groupby("by"):
            sums = part.groupby("edges").agg({"seconds": "sum", "megabytes": "max"}).reset_index()
            lines[library] = sums
        for panel, column, unit in zip(
            panels, ("seconds", "megabytes"), ("seconds", "peak memory (MB)"), strict=True
        ):
            for library, line in lines.items():
                label = "ours: all metrics, whole process" if library == "ours" else LABELS[library]
                if len(line) > 2:
                    exponent, factor = power_law(line.edges, line[column])
                    label += f" (edges$^{{{exponent:.2f}}}$)"
                    ends = np.array([line.edges.min(), line.edges.max()])
                    panel.plot(
                        ends, factor * ends**exponent, "--", color=COLOURS[library], alpha=0.6
                    )
                panel.loglog(line.edges, line[column], "o", color=COLOURS[library], label=label)
            panel.set(xlabel="edges", ylabel=unit)
            plain_ticks(panel.yaxis)
            panel.grid(alpha=0.3, which="both")
            panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.01), frameon=False)
        save(figure, file)


def plot_scaling(table: pd.DataFrame, file: Path) -> None:
    """Time against edges and memory against nodes as the image grows.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns side, nodes, edges, seconds, megabytes, base_megabytes.
    file : pathlib.Path
        PNG to write; an SVG goes beside it.
    """
    with matplotlib().rc_context(TEXT):
        figure, panels = subplots(1, 2, figsize=(WIDTH, 3.8))
        added = (table.megabytes - table.base_megabytes).clip(lower=1)
        for panel, x, y, labels in (
            (panels[0], table.edges, table.seconds, ("edges", "seconds")),
            (panels[1], table.nodes, added, ("nodes", "memory over the loaded program (MB)")),
        ):
            growth = f"grows as {labels[0]}$^{{{power_law(x, y)[0]:.2f}}}$"
            panel.loglog(x, y, "o-", color=COLOURS["ours"], label=growth)
            panel.margins(y=0.08)
            panel.set_xlim(right=x.max() * (x.max() / x.min()) ** 0.25)  # room for the last side
            for side, at_x, at_y in zip(table.side, x, y, strict=True):
                panel.annotate(
                    f"{side} × {side}", (at_x, at_y), xytext=(5, -8), textcoords="offset points"
                )
            panel.set(xlabel=labels[0], ylabel=labels[1])
            plain_ticks(panel.yaxis)
            panel.grid(alpha=0.3)
            panel.legend()
        save(figure, file)
