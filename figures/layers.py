"""What becomes of each layer under several pruners, side by side on one sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metrics.by_layer import LayerSummary

from .columns import short
from .style import BLACK, BLUE, GREEN, ORANGE, PINK, SKY, YELLOW, pyplot

COLOURS = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, BLACK, "#7A7A7A")
MARKERS = "osD^vX*P"
PANELS = {
    "density": "density",
    "sinks": "share of sinks",
    "sources": "share of sources",
    "strength": "mean strength",
}
LOGARITHMIC = ("density", "strength")


def compare(summaries: Mapping[str, Sequence[LayerSummary]]):
    """Plot density, share of sinks and of sources, and mean strength by layer.

    Parameters
    ----------
    summaries : mapping of str to sequence of LayerSummary
        From `metrics.by_layer.by_layer`, by pruner; up to 8, of one and the same network.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is nothing to compare, too much of it, or the layers differ.

    Examples
    --------
    >>> figure = compare({"snip": by_layer(one), "erk": by_layer(other)})
    """
    if not 1 <= len(summaries) <= len(COLOURS):
        raise ValueError(f"{len(summaries)} pruners to compare: give 1 to {len(COLOURS)}")
    names = {label: [row.name for row in rows] for label, rows in summaries.items()}
    (first, layers), *others = names.items()
    if not layers:
        raise ValueError(f"{first} has no layers")
    for label, found in others:
        if found != layers:
            raise ValueError(f"{label} has other layers than {first}: compare one network")
    figure, panels = pyplot().subplots(
        len(PANELS),
        1,
        figsize=(min(max(7.0, 2.5 + 0.3 * len(layers)), 32.0), 9),
        layout="constrained",
        sharex=True,
    )
    for panel, (column, title) in zip(panels, PANELS.items()):
        values = [getattr(row, column) for rows in summaries.values() for row in rows]
        for number, (label, rows) in enumerate(summaries.items()):
            # A little to the side of each other, so that equal values are all seen.
            aside = (number - (len(summaries) - 1) / 2) * 0.6 / len(COLOURS)
            panel.plot(
                [place + aside for place in range(len(layers))],
                [getattr(row, column) for row in rows],
                color=COLOURS[number],
                marker=MARKERS[number],
                markersize=4,
                linewidth=1,
                label=label,
            )
        positive = [value for value in values if value > 0]
        if column in LOGARITHMIC and len(positive) == len(values):
            panel.set_yscale("log")
        elif column in LOGARITHMIC and positive:
            panel.set_yscale("symlog", linthresh=min(positive))  # straight below the least value
            panel.set_ylim(bottom=-0.3 * min(positive))
        else:
            panel.set_ylim(bottom=min(-0.02, -0.05 * max(values)))
        panel.set_ylabel(title, fontsize=9)
        panel.tick_params(labelsize=7)
        panel.grid(alpha=0.3)
    ticks = [short(name) for name in layers]
    panels[-1].set_xticks(range(len(layers)), ticks, rotation=90, parse_math=False)
    place = "outside upper center"
    legend = figure.legend(panels[0].lines, summaries, loc=place, ncols=4, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure
