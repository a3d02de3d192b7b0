"""The plots of the study, drawn from the tables that are committed and from small ones."""

import functools
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from figures.plots import correlation, predictors, regression
from figures.style import TEXT, WIDTH, matplotlib, pruner_styles
from graph_data.study import SECTIONS, section
from graph_encoding import ENCODINGS, Encoding
from pruning import PRUNERS

RESULTS = Path(__file__).parents[2] / "graph_data" / "paper_results"
FOLDERS = [RESULTS, RESULTS / "digits", RESULTS / "in_time"]
PLOTTED = [
    (name, folder)
    for name in SECTIONS
    for folder in FOLDERS
    if hasattr(section(name), "plot") and any((folder / name).glob("*.csv"))
]


def tables_of(name, folder):
    """Tables of a section as the study has them."""
    names = {"sparsity": str, "stratum": str}
    return {file.stem: pd.read_csv(file, dtype=names) for file in (folder / name).glob("*.csv")}


def plotted(name, tables):
    """A figure with all that is in it; where its parts are is known once it is drawn."""
    with matplotlib().rc_context(TEXT):
        return section(name).plot(tables)


def drawn(name, tables):
    figure = plotted(name, tables)
    with matplotlib().rc_context(TEXT):
        figure.draw_without_rendering()
    return figure


@functools.cache
def committed(name, folder):
    """The figure of tables as they are committed."""
    return drawn(name, tables_of(name, folder))


def texts(figure):
    """Everything written in a figure, legends included."""
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("name", "folder"), PLOTTED, ids=lambda value: getattr(value, "name", value)
)
def test_text_can_be_read_at_the_width_of_a_page(name, folder):
    figure = committed(name, folder)
    assert figure.get_size_inches()[0] == WIDTH
    pixels = {text.get_fontsize() / 72 / WIDTH * 850 for text in texts(figure)}
    assert min(pixels) >= 9 and max(pixels) <= 11
    for panel in figure.axes:
        across = ends_of_labels(panel.xaxis, "x0", "x1")
        upwards = ends_of_labels(panel.yaxis, "y0", "y1")
        for (_, end), (start, _) in (*pairwise(across), *pairwise(upwards)):
            assert end <= start


def ends_of_labels(axis, low, high):
    """Where the labels of an axis start and end on the page, in order; none if they are turned."""
    shown = axis.get_view_interval()
    labels = [
        tick.label1
        for tick in axis.get_major_ticks()
        if tick.label1.get_text() and min(shown) <= tick.get_loc() <= max(shown)
    ]
    straight = [label for label in labels if label.get_visible() and not label.get_rotation()]
    boxes = [label.get_window_extent() for label in straight]
    return sorted((getattr(box, low), getattr(box, high)) for box in boxes)


def test_pruners_have_their_colours():
    tables = tables_of("accuracy", FOLDERS[1])
    figure = committed("accuracy", FOLDERS[1])
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert set(lines) == {*tables["cells"]["pruning"], "dense"} <= set(PRUNERS)
    for pruner in lines:
        colour, marker = pruner_styles(PRUNERS)[pruner]
        assert lines[pruner].get_color() == colour
        if pruner != "dense":
            assert lines[pruner].get_marker() == marker


def test_pruners_of_others_have_colours_that_are_free():
    cells = tables_of("accuracy", FOLDERS[1])["cells"]
    cells["pruning"] = cells["pruning"].replace({"snip": "deep-r"})
    lines = plotted("accuracy", {"cells": cells}).axes[0].lines
    assert len({line.get_color() for line in lines}) == len(lines) == cells["pruning"].nunique() + 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.004, ".00"), (0.0, ".00"), (-0.0, ".00"), (-0.126, "−.13"), (0.5, ".50"), (-1, "−1.00")],
)
def test_hundredths(value, text):
    assert correlation.hundredths(value) == text


def test_undefined_correlations_are_hatched_and_said_to_be():
    tables = tables_of("correlation", FOLDERS[1])
    figure = committed("correlation", FOLDERS[1])
    everything = [text.get_text() for text in texts(figure)]
    assert not {"-.00", "−.00", "-0.00", "nan"} & set(everything)
    assert any("hatched: undefined" in text for text in everything)
    panels = [panel for panel in figure.axes if panel.images]
    for panel in panels:
        (image,) = panel.images
        missing = np.ma.getmaskarray(image.get_array())
        assert missing.any()
        assert (image.cmap(image.norm(image.get_array()))[missing, 3] == 0).all()  # see-through
        assert len(panel.texts) == (~missing).sum()
        assert panel.patch.get_hatch()
        assert to_hex(panel.patch.get_facecolor()) != to_hex(image.to_rgba(0))

    tables["correlations"] = tables["correlations"].query("sparsity != '0.999'")
    everything = [text.get_text() for text in texts(plotted("correlation", tables))]
    assert not any("hatched" in text for text in everything)


def test_an_encoding_without_a_colour_has_one_of_its_own(monkeypatch):
    monkeypatch.setitem(ENCODINGS, "own", Encoding("a:b", bipartite=True))
    known = list(predictors.looks([*ENCODINGS, "ramanujan", "density", "sparsity"]).items())
    assert [name for name, _ in known][:2] == ["unrolled", "rolled"]
    assert dict(known)["own"].label == "own (bipartite)"
    assert len({look.colour for _, look in known}) == len({look.marker for _, look in known}) == 7
    for name in ("regression", "ranking"):
        tables = tables_of(name, FOLDERS[0])
        table = "scores" if name == "regression" else "summary"
        rolled = tables[table].query("predictor == 'rolled'").assign(predictor="own")
        tables[table] = pd.concat([tables[table], rolled])
        assert any("own" in label for label in legend_of(plotted(name, tables)))


def test_what_is_below_the_axis_is_explained():
    tables = tables_of("regression", FOLDERS[1])
    assert "below the axis" in legend_of(committed("regression", FOLDERS[1]))
    looks = predictors.looks(tables["scores"]["predictor"])
    markers = [look.marker for look in looks.values()]
    assert regression.CARET not in markers and "v" not in markers
    tables["scores"]["r2"] = tables["scores"]["r2"].clip(lower=-0.1)
    assert "below the axis" not in legend_of(plotted("regression", tables))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_panel_for_each_estimator(count):
    tables = tables_of("regression", FOLDERS[0])
    names = list(dict.fromkeys(tables["scores"]["estimator"]))[:count]
    tables["scores"] = tables["scores"][tables["scores"]["estimator"].isin(names)]
    assert [panel.get_title() for panel in plotted("regression", tables).axes] == names


def test_no_panel_is_empty():
    figure = committed("importance", FOLDERS[1])
    titles = [panel.get_title() for panel in figure.axes]
    assert "sparsity 0.999" not in titles and titles[-1] == "all sparsities"
    assert len(titles) == 8
    for panel in figure.axes:
        assert any(bar.get_width() for bar in panel.patches)
    assert figure.get_supxlabel().endswith("sparsity 0.999")

    full = committed("importance", FOLDERS[0])
    assert len(full.axes) == 6 and "left out" not in full.get_supxlabel()


def test_importances_that_are_all_zero_are_drawn():
    tables = tables_of("importance", FOLDERS[1])
    tables["importance"][["importance", "low", "high"]] = 0.0
    figure = plotted("importance", tables)
    assert len(figure.axes) == 9 and "left out" not in figure.get_supxlabel()


def test_no_two_lines_of_the_ranking_look_alike():
    panel = committed("ranking", FOLDERS[0]).axes[0]
    lines = [container.lines[0] for container in panel.containers]
    assert len(lines) == 8
    assert len({line.get_marker() for line in lines}) == 8


def test_correlations_of_one_network_fit():
    table = tables_of("correlation", FOLDERS[1])["correlations"]
    table = table[table["model"] == "Resnet-20"].reset_index(drop=True)
    table.loc[0, "r"] = np.nan
    figure = drawn("correlation", {"correlations": table})
    for text in texts(figure):
        box = text.get_window_extent()
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
