"""What becomes of each layer under several pruners, side by side on one sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from metrics.by_layer import LayerSummary

from .columns import short
from .style import plain_ticks, pruner_styles, subplots

MOST = 8
"""Lines that can be told apart."""

PANELS = {
    "density": "density",
    "sinks": "share of sinks",
    "sources": "share of sources",
    "strength": "mean strength",
}


def compare(summaries: Mapping[str, Sequence[LayerSummary]], inches: float | None = None):
    """Plot density, share of sinks and of sources, and mean strength by layer.

    A pruner has the colour and marker that it has in all plots. Without another to compare with
    there is no legend.

    Parameters
    ----------
    summaries : mapping of str to sequence of LayerSummary
        From `metrics.by_layer.by_layer`, by pruner; up to 8, of one and the same network.
    inches : float, optional
        Width; by default as many as the layers need, 9 or more. Where they do not fit, only some
        are named.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is nothing to compare, too much of it, or the layers differ.

    Examples
    --------
    >>> import graph_encoding, torch, metrics.by_layer
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> graph, = graph_encoding.encode(network, torch.zeros(1, 4))
    >>> rows = metrics.by_layer.by_layer(graph)
    >>> compare({"snip": rows, "erk": rows}).savefig("layers.png")
    """
    if not 1 <= len(summaries) <= MOST:
        raise ValueError(f"{len(summaries)} pruners to compare: give 1 to {MOST}")
    names = {label: [row.name for row in rows] for label, rows in summaries.items()}
    (first, layers), *others = names.items()
    if not layers:
        raise ValueError(f"{first} has no layers")
    for label, found in others:
        if found != layers:
            raise ValueError(f"{label} has other layers than {first}: compare one network")
    each = 0.15 + 0.025 * len(summaries)  # inches a layer: room for every pruner's marker
    width = inches or min(max(9.0, 1.5 + each * len(layers)), 32.0)
    step = math.ceil(0.12 * len(layers) / (width - 1)) if inches else 1
    figure, panels = subplots(
        len(PANELS),
        1,
        figsize=(width, 9 if len(summaries) > 1 else 6.6),
        sharex=True,
    )
    styles = pruner_styles(summaries)
    for panel, (column, title) in zip(panels, PANELS.items()):
        for number, (label, rows) in enumerate(summaries.items()):
            # A little to the side of each other, so that equal values are all seen.
            aside = (number - (len(summaries) - 1) / 2) * 0.6 / MOST
            colour, marker = styles[label]
            panel.plot(
                [place + aside for place in range(len(layers))],
                [getattr(row, column) for row in rows],
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1,
                label=label,
            )
        panel.set_ylabel(title, fontsize=9)
        panel.tick_params(which="both", labelsize=8)
        panel.grid(alpha=0.3)
    values = {
        column: [getattr(row, column) for rows in summaries.values() for row in rows]
        for column in PANELS
    }
    by_column = dict(zip(PANELS, panels))
    by_column["sources"].sharey(by_column["sinks"])
    _scale_shares(by_column["sinks"], max(values["sinks"] + values["sources"]))
    _scale(by_column["strength"], values["strength"])
    _scale(by_column["density"], values["density"], most=1)
    places = range(0, len(layers), step)
    ticks = [short(layers[place]) for place in places]
    panels[-1].set_xticks(places, ticks, rotation=90, parse_math=False)
    if len(summaries) > 1:
        place = "outside upper center"
        legend = figure.legend(
            panels[0].lines, summaries, loc=place, ncols=min(4, int(width / 1.4)), fontsize=8
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def _scale_shares(panel, greatest: float) -> None:
    """Scale from 0 to the greatest share, with room for markers, but no ticks, beyond these."""
    greatest = greatest or 1
    panel.set_ylim(-0.06 * greatest, 1.08 * greatest)
    panel.set_yticks([tick for tick in panel.get_yticks() if 0 <= tick <= 1.08 * greatest])


def _scale(panel, values: Sequence[float], most: float = math.inf) -> None:
    """Scale logarithmically, down to 0 if there are zeros; no ticks above `most`."""
    positive = [value for value in values if value > 0] or [1]
    least, greatest = min(positive), max(positive)
    decade = 10.0 ** math.floor(math.log10(least))
    if len(positive) < len(values):
        panel.set_yscale("symlog", linthresh=decade, linscale=0.6)  # straight below
        panel.set_ylim(-0.3 * decade, min(2 * greatest, 1.5 * most))
        panel.set_yticks([tick for tick in panel.get_yticks() if tick == 0 or tick >= decade])
    else:
        panel.set_yscale("log")
        panel.set_ylim(least / 1.5, min(1.5 * greatest, 1.5 * most))
        if greatest < 50 * least:
            plain_ticks(panel.yaxis)
