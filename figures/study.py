"""Plots of the study: one for each section."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
    TEXT,
    WIDTH,
    YELLOW,
    matplotlib,
    pruner_styles,
    save,
    subplots,
)

LABELS = {
    "unrolled": "unrolled (multipartite)",
    "rolled": "rolled (bipartite)",
    "rolled-channel": "rolled-channel (bipartite)",
    "ramanujan": "Ramanujan metrics",
    "density": "layer density",
    "sparsity": "sparsity alone",
}
METRICS = {
    "density": "layer density",
    "imdb": "IMDB",
    "iterative_spectral_gap": "iterative spectral gap",
}
COLOURS = {
    "unrolled": BLUE,
    "rolled": ORANGE,
    "rolled-channel": YELLOW,
    "ramanujan": GREEN,
    "density": PINK,
    "sparsity": BLACK,
}
MARKERS = dict(zip(COLOURS, "osD^Px"))
ROUNDING = 1e-12  # no importance is smaller
CARET = 7  # matplotlib.markers.CARETDOWN: what it points at is below the axis
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
        with matplotlib().rc_context(TEXT):
            save(PLOTS[section](tables), Path(folder) / f"study_{section}.png")


def sheet(count: int, columns: int, height: float, **shared):
    """A figure of so many panels, in rows of at most `columns`, each row `height` inches high."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure, panels = subplots(
        rows,
        columns,
        figsize=(WIDTH, 0.7 + height * rows),
        squeeze=False,
        **shared,
    )
    for panel in panels.flat[count:]:
        panel.remove()
    return figure, panels.ravel()[:count]


def accuracy(tables: dict[str, pd.DataFrame]):
    """Accuracy by density, a panel for each model and dataset, a line for each pruner."""
    table = tables["cells"].astype({"sparsity": float})
    models, datasets = (list(dict.fromkeys(table[name])) for name in ("model", "dataset"))
    styles = pruner_styles([*dict.fromkeys(table["pruning"]), "dense"])
    dense_colour, _ = styles.pop("dense")
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
            panel.axhline(dense, color=dense_colour, linewidth=0.8, linestyle="--", label="dense")
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


def correlation(tables: dict[str, pd.DataFrame]):
    """Heat map: Pearson correlation with accuracy by metric, sparsity, model and dataset."""
    table = tables["correlations"]
    table = table[table["method"] == "pearson"]
    cells = table.drop_duplicates(["model", "dataset"])[["model", "dataset"]].values.tolist()
    sparsities = list(dict.fromkeys(table["sparsity"]))
    shown = ["density", *dict.fromkeys(table["metric"])]
    figure, panels = sheet(len(shown), 2, max(1, 0.4 + 0.2 * len(cells)), sharey=True)
    hatched = False
    for panel, metric in zip(panels, shown):
        # The density stands beside every metric; beside delta_r on the most networks.
        part = table[table["metric"] == (shown[1] if metric == "density" else metric)]
        column = "density_r" if metric == "density" else "r"
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


def regression(tables: dict[str, pd.DataFrame]):
    """R2 on networks not seen, by encoding and sparsity, a panel for each estimator."""
    table, ceilings = tables["scores"], tables["ceilings"]
    ceilings = ceilings[ceilings["kind"].isin(["sparsity", "overall"])].set_index("stratum")
    table = table[(table["level"] == "joint") & table["kind"].isin(["sparsity", "overall"])]
    strata = list(dict.fromkeys(table[table["kind"] == "sparsity"]["stratum"]))
    strata += ["all"]
    estimators = list(dict.fromkeys(table["estimator"]))
    predictors = [name for name in COLOURS if name in set(table["predictor"])]
    figure, panels = sheet(len(estimators), 2, 2.6, sharey=True)
    lowest = max(min(-0.2, float(table["r2"].min()) - 0.05), -1)
    caret = {"linestyle": "", "marker": CARET, "markersize": 5}
    for panel, estimator in zip(panels, estimators):
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
            panel.plot(lost, edge, color=COLOURS[predictor], **caret)
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
    figure.supylabel("R$^2$ on configurations not seen", fontsize="medium")
    handles, labels = panels[0].get_legend_handles_labels()
    if (table["r2"] < lowest).any():
        from matplotlib.lines import Line2D

        handles += [Line2D([], [], color=GREY, **caret)]
        labels += ["below the axis"]
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def importance(tables: dict[str, pd.DataFrame]):
    """Permutation importance of each metric (trees), a panel for each sparsity and for all.

    A sparsity at which no metric has any has no panel.
    """
    table = tables["importance"]
    table = table[
        (table["method"] == "trees permutation") & table["kind"].isin(["overall", "sparsity"])
    ]
    every = [s for s in dict.fromkeys(table["stratum"]) if s != "all"] + ["all"]
    told = set(table.loc[table["importance"].fillna(0).abs() > ROUNDING, "stratum"])
    strata = [stratum for stratum in every if stratum in told] or every
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


def ranking(tables: dict[str, pd.DataFrame]):
    """Kendall's tau and rank-biased overlap of rankings of pruners with that by accuracy."""
    table = tables["summary"]
    sparsities = [s for s in dict.fromkeys(table["sparsity"]) if s != "all"]
    lines = [
        ("unrolled", "mixture", "mixture of unrolled topometrics", "o-"),
        ("rolled", "mixture", "mixture of rolled topometrics", "s-"),
        ("rolled-channel", "mixture", "mixture of rolled-channel topometrics", "D-"),
        ("ramanujan", "mixture", "mixture of Ramanujan metrics", "^-"),
        ("ramanujan", "delta_r", "delta_r", "X--"),
        ("ramanujan", "imdb", METRICS["imdb"], "v:"),
        ("ramanujan", "iterative_spectral_gap", METRICS["iterative_spectral_gap"], "h-."),
        ("density", "layer_density", METRICS["density"], "P-"),
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
            ends = [part[measure] - part[f"{measure}_low"], part[f"{measure}_high"] - part[measure]]
            panel.errorbar(
                places + (place - (len(lines) - 1) / 2) * 0.06,
                part[measure],
                yerr=np.maximum(ends, 0),
                fmt=style,
                color=COLOURS[predictor],
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


PLOTS: dict[str, Callable] = {
    "accuracy": accuracy,
    "correlation": correlation,
    "regression": regression,
    "importance": importance,
    "ranking": ranking,
}
