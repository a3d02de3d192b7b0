"""Plots of the study: one for each section."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from .style import BLACK, BLUE, GREEN, ORANGE, PINK, SKY, YELLOW, pyplot, save

LABELS = {
    "unrolled": "unrolled (multipartite)",
    "rolled": "rolled (bipartite)",
    "rolled-channel": "rolled-channel (bipartite)",
    "ramanujan": "Ramanujan metrics",
    "density": "layer density",
    "sparsity": "sparsity alone",
}
COLOURS = {
    "unrolled": BLUE,
    "rolled": ORANGE,
    "rolled-channel": YELLOW,
    "ramanujan": GREEN,
    "density": PINK,
    "sparsity": BLACK,
}
MARKERS = dict(zip(COLOURS, "osD^vx"))
CARET = 7  # matplotlib.markers.CARETDOWN: what it points at is below the axis
PRUNER_COLOURS = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, BLACK)
GROUP_COLOURS = {
    "Local connectivity": BLUE,
    "Neighbourhood": ORANGE,
    "Strength": GREEN,
    "Global connectivity": PINK,
    "Expansion": YELLOW,
}


def plot(section: str, tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Draw a section's plot as ``study_<section>.png`` and ``.svg``.

    Parameters
    ----------
    section : str
        Of `PLOTS`; others have no plot.
    tables : dict of str to pandas.DataFrame
        What the section's ``collect`` returns; nothing is drawn if it is empty.
    folder : pathlib.Path
    """
    if section in PLOTS and tables:
        save(PLOTS[section](tables), Path(folder) / f"study_{section}.png")


def accuracy(tables: dict[str, pd.DataFrame]):
    """Accuracy by density, a panel for each model and dataset, a line for each pruner."""
    table = tables["cells"].astype({"sparsity": float})
    models, datasets = (list(dict.fromkeys(table[name])) for name in ("model", "dataset"))
    pruners = list(dict.fromkeys(table["pruning"]))
    figure, panels = pyplot().subplots(
        len(datasets),
        len(models),
        figsize=(1.2 + 2.6 * len(models), 0.6 + 2.3 * len(datasets)),
        layout="constrained",
        sharex=True,
        squeeze=False,
    )
    for (i, j), panel in np.ndenumerate(panels):
        part = table[(table["model"] == models[j]) & (table["dataset"] == datasets[i])]
        for number, pruner in enumerate(pruners):
            line = part[part["pruning"] == pruner].sort_values("sparsity")
            density = 1 - line["sparsity"]
            colour, marker = PRUNER_COLOURS[number % len(PRUNER_COLOURS)], "osD^vx*"[number % 7]
            style = {"color": colour, "linewidth": 1, "markersize": 4, "label": pruner}
            panel.plot(density, line["accuracy"], marker=marker, **style)
            panel.fill_between(
                density, line["least"], line["most"], color=colour, alpha=0.15, linewidth=0
            )
        if len(part):
            dense = part["dense_accuracy"].mean()
            panel.axhline(dense, color="grey", linewidth=0.8, linestyle="--", label="dense")
        panel.set_xscale("log")
        panel.set_title(f"{models[j]}, {datasets[i]}", fontsize=9)
        panel.tick_params(labelsize=7)
        panel.tick_params(axis="x", labelrotation=60)
    panels[0][0].invert_xaxis()  # of all: they share it
    shown = sorted(table["sparsity"].unique())
    panels[0][0].set_xticks([1 - s for s in shown], [f"{s:g}" for s in shown])
    panels[0][0].minorticks_off()
    figure.supxlabel("sparsity", fontsize=9)
    figure.supylabel("test accuracy (range over seeds shaded)", fontsize=9)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8)
    return figure


def correlation(tables: dict[str, pd.DataFrame]):
    """Heat map: Pearson correlation with accuracy by metric, sparsity, model and dataset."""
    table = tables["correlations"]
    table = table[table["method"] == "pearson"]
    cells = table.drop_duplicates(["model", "dataset"])[["model", "dataset"]].values.tolist()
    sparsities = list(dict.fromkeys(table["sparsity"]))
    rows = [("density", "layer density"), *((m, m) for m in dict.fromkeys(table["metric"]))]
    figure, panels = pyplot().subplots(
        1,
        len(rows),
        figsize=(2.4 + 2.0 * len(rows), max(3.2, 1.6 + 0.28 * len(cells))),
        layout="constrained",
        sharey=True,
        squeeze=False,
    )
    for panel, (metric, title) in zip(panels[0], rows):
        # The density stands beside every metric; beside delta_r on the most networks.
        part = table[table["metric"] == (rows[1][0] if metric == "density" else metric)]
        column = "density_r" if metric == "density" else "r"
        wide = part.set_index(["model", "dataset", "sparsity"])[column]
        grid = np.array([[wide.get((*cell, s), np.nan) for s in sparsities] for cell in cells])
        image = panel.imshow(grid, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(grid):
            if not np.isnan(value):
                colour = "white" if abs(value) > 0.7 else "black"
                text = f"{value:.2f}".replace("0.", ".", 1)
                panel.text(j, i, text, ha="center", va="center", fontsize=6, color=colour)
        panel.set_title(title, fontsize=9)
        panel.set_xticks(range(len(sparsities)), sparsities, fontsize=7, rotation=60)
        panel.set_xlabel("sparsity", fontsize=8)
    panels[0][0].set_yticks(range(len(cells)), [f"{m}, {d}" for m, d in cells], fontsize=7)
    figure.colorbar(image, ax=panels, label="Pearson correlation with accuracy", shrink=0.9)
    return figure


def regression(tables: dict[str, pd.DataFrame]):
    """R2 on networks not seen, by encoding and sparsity, a panel for each estimator.

    Arrows at the lower edge are below it.
    """
    table, ceilings = tables["scores"], tables["ceilings"]
    ceilings = ceilings[ceilings["kind"].isin(["sparsity", "overall"])].set_index("stratum")
    table = table[(table["level"] == "joint") & table["kind"].isin(["sparsity", "overall"])]
    strata = list(dict.fromkeys(table[table["kind"] == "sparsity"]["stratum"]))
    strata += ["all"]
    estimators = list(dict.fromkeys(table["estimator"]))
    predictors = [name for name in COLOURS if name in set(table["predictor"])]
    figure, panels = pyplot().subplots(
        1,
        len(estimators),
        figsize=(max(3.1, 0.6 * len(strata)) * len(estimators), 3.6),
        layout="constrained",
        sharey=True,
    )
    lowest = max(min(-0.2, float(table["r2"].min()) - 0.05), -1)
    for panel, estimator in zip(np.atleast_1d(panels), estimators):
        part = table[table["estimator"] == estimator].set_index(["predictor", "stratum"])
        for place, predictor in enumerate(predictors):
            known = [i for i, s in enumerate(strata) if (predictor, s) in part.index]
            values = part.loc[[(predictor, strata[i]) for i in known]]
            shift = (place - (len(predictors) - 1) / 2) * 0.12
            below = values["r2"] - values["r2_low"]
            panel.errorbar(
                np.array(known) + shift,
                values["r2"],
                yerr=np.maximum([below, values["r2_high"] - values["r2"]], 0),
                fmt=MARKERS[predictor],
                color=COLOURS[predictor],
                markersize=4,
                linewidth=0.8,
                label=LABELS[predictor],
            )
            lost = np.array(known)[(values["r2"] < lowest).to_numpy()] + shift
            edge = np.full(len(lost), lowest)
            panel.plot(lost, edge, linestyle="", marker=CARET, color=COLOURS[predictor], ms=5)
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
        panel.set_title(estimator, fontsize=10)
        panel.set_xticks(range(len(strata)), strata)
        panel.set_xlabel("sparsity")
        panel.set_ylim(lowest, 1.04)
        panel.grid(axis="y", alpha=0.3)
    first = np.atleast_1d(panels)[0]
    first.set_ylabel("R$^2$ on configurations not seen")
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    return figure


def importance(tables: dict[str, pd.DataFrame]):
    """Permutation importance of each metric (trees), a panel for each sparsity and for all."""
    table = tables["importance"]
    table = table[
        (table["method"] == "trees permutation") & table["kind"].isin(["overall", "sparsity"])
    ]
    strata = [s for s in dict.fromkeys(table["stratum"]) if s != "all"] + ["all"]
    metrics = list(dict.fromkeys(table["metric"]))
    figure, panels = pyplot().subplots(
        1,
        len(strata),
        figsize=(1.6 + 1.7 * len(strata), 1.2 + 0.22 * len(metrics)),
        layout="constrained",
        sharey=True,
        squeeze=False,
    )
    for panel, stratum in zip(panels[0], strata):
        part = table[table["stratum"] == stratum].set_index("metric").loc[metrics]
        mean = part["importance"].to_numpy()
        ends = np.maximum([mean - part["low"], part["high"] - mean], 0)
        colours = [GROUP_COLOURS.get(group, SKY) for group in part["group"]]
        panel.barh(range(len(metrics)), mean, color=colours)
        panel.errorbar(
            mean, range(len(metrics)), xerr=ends, fmt="none", ecolor="0.3", elinewidth=0.8
        )
        panel.axvline(0, color="grey", linewidth=0.6)
        title = "all sparsities" if stratum == "all" else f"sparsity {stratum}"
        panel.set_title(title, fontsize=9)
        panel.tick_params(axis="x", labelsize=7)
        panel.grid(axis="x", alpha=0.3)
    panels[0][0].set_yticks(range(len(metrics)), metrics, fontsize=8)
    panels[0][0].invert_yaxis()
    figure.supxlabel("loss of R$^2$ when the metric is permuted (trees)", fontsize=9)
    handles = [
        pyplot().Rectangle((0, 0), 1, 1, color=colour, label=group)
        for group, colour in GROUP_COLOURS.items()
        if group in set(table["group"])
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8)
    return figure


def ranking(tables: dict[str, pd.DataFrame]):
    """Kendall's tau and rank-biased overlap of rankings of pruners with that by accuracy."""
    table = tables["summary"]
    sparsities = [s for s in dict.fromkeys(table["sparsity"]) if s != "all"]
    lines = [
        ("unrolled", "mixture", "mixture of unrolled topometrics"),
        ("rolled", "mixture", "mixture of rolled topometrics"),
        ("rolled-channel", "mixture", "mixture of rolled-channel topometrics"),
        ("ramanujan", "mixture", "mixture of Ramanujan metrics"),
        ("ramanujan", "delta_r", "delta_r"),
        ("ramanujan", "imdb", "IMDB"),
        ("ramanujan", "iterative_spectral_gap", "iterative spectral gap"),
        ("density", "layer_density", "layer density"),
    ]
    styles = ["-", "-", "-", "-", "--", ":", "-.", "-"]
    figure, panels = pyplot().subplots(1, 2, figsize=(9, 4.4), layout="constrained")
    places = np.arange(len(sparsities))
    for panel, measure, label in (
        (panels[0], "tau", "Kendall's tau"),
        (panels[1], "rbo", "rank-biased overlap"),
    ):
        for place, ((predictor, score, name), style) in enumerate(zip(lines, styles)):
            part = table[(table["predictor"] == predictor) & (table["score"] == score)]
            part = part.set_index("sparsity").reindex(sparsities)
            if part[measure].isna().all():
                continue
            ends = [part[measure] - part[f"{measure}_low"], part[f"{measure}_high"] - part[measure]]
            panel.errorbar(
                places + (place - (len(lines) - 1) / 2) * 0.06,
                part[measure],
                yerr=np.maximum(ends, 0),
                fmt=MARKERS[predictor],
                linestyle=style,
                color=COLOURS[predictor],
                markersize=4,
                linewidth=1.2,
                elinewidth=0.7,
                label=name,
            )
        panel.set_xticks(places, sparsities, fontsize=8)
        panel.set(xlabel="sparsity", ylabel=label)
        panel.grid(alpha=0.3)
    panels[0].axhline(0, color="grey", linewidth=0.8)
    chance = (
        table.set_index("sparsity").groupby(level=0)["rbo_of_chance"].mean().reindex(sparsities)
    )
    panels[1].plot(places, chance, color="grey", linewidth=0.8, label="random ranking")
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


PLOTS: dict[str, Callable] = {
    "accuracy": accuracy,
    "correlation": correlation,
    "regression": regression,
    "importance": importance,
    "ranking": ranking,
}
