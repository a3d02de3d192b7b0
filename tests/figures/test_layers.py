"""The sheet of all layers."""

from itertools import pairwise

import numpy as np
import pytest
from networks import sparsify
from torch import nn

from figures.layers import MOST, PANELS, compare
from figures.style import pruner_styles
from graph_encoding import encode
from metrics.by_layer import by_layer
from pruning import PRUNERS


def rows(density, seed=0, layers=3):
    module = nn.Sequential(*(nn.Conv2d(2, 2, 3, 1, 1) for _ in range(layers)))
    sparsify(module, seed, [density])
    (graph,) = encode(module, "unrolled", (2, 4, 4))
    return by_layer(graph)


def test_every_value_is_drawn():
    summaries = {"snip": rows(0.1), "erk": rows(0.5, 1), "dead": rows(0)}
    figure = compare(summaries)
    assert len(figure.axes) == len(PANELS)
    for panel, column in zip(figure.axes, PANELS, strict=True):
        assert len(panel.lines) == 3
        for line, found in zip(panel.lines, summaries.values(), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), [getattr(r, column) for r in found])
            assert (np.round(line.get_xdata()) == [0, 1, 2]).all()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(summaries)
    assert [t.get_text() for t in figure.axes[-1].get_xticklabels()] == ["0", "1", "2"]
    figure.canvas.draw()


def test_lines_differ_in_colour_and_marker():
    figure = compare({str(i): rows(0.3, i) for i in range(8)})
    lines = figure.axes[0].lines
    assert len({line.get_color() for line in lines}) == MOST == 8
    assert len({line.get_marker() for line in lines}) == MOST


def test_a_pruner_has_its_colour_and_marker_in_any_company():
    for pruners in (["erk", "snip"], ["snip", "one of my own", "erk"], ["erk"]):
        for panel in compare({pruner: rows(0.3) for pruner in pruners}).axes:
            for line in panel.lines:
                if line.get_label() in PRUNERS:
                    style = line.get_color(), line.get_marker()
                    assert style == pruner_styles(PRUNERS)[line.get_label()]


def test_one_network_needs_no_legend():
    figure = compare({"snip": rows(0.3)})
    assert not figure.legends
    assert all(len(panel.lines) == 1 for panel in figure.axes)


@pytest.mark.parametrize("densities", [(0, 0.1, 1), (1, 1, 1), (0.3, 0.4), (0, 0), (0.02,)])
def test_scales(densities):
    figure = compare({str(i): rows(density, i) for i, density in enumerate(densities)})
    figure.canvas.draw()
    panels = dict(zip(PANELS, figure.axes, strict=True))
    assert panels["sinks"].get_ylim() == panels["sources"].get_ylim()
    for column, panel in panels.items():
        low, high = panel.get_ylim()
        drawn = np.concatenate([line.get_ydata() for line in panel.lines])
        assert low < drawn.min() and drawn.max() < high
        ticks = [tick for tick in panel.get_yticks() if low <= tick <= high]
        assert ticks and min(ticks) >= 0
        if column != "strength":
            assert max(ticks) < 1.001  # as sums are
        axis = panel.yaxis
        labels = [tick.label1 for tick in axis.get_major_ticks() + axis.get_minor_ticks()]
        assert {label.get_fontsize() for label in labels} == {8}


@pytest.mark.parametrize(
    ("summaries", "says"),
    [
        ({}, "0 pruners"),
        ({str(i): rows(0.5) for i in range(9)}, "9 pruners"),
        ({"one": rows(0.5), "other": rows(0.5, layers=2)}, "other has other layers than one"),
        ({"one": []}, "no layers"),
    ],
)
def test_what_cannot_be_compared(summaries, says):
    with pytest.raises(ValueError, match=says):
        compare(summaries)


def test_names_of_a_narrow_sheet_do_not_touch():
    figure = compare({"snip": rows(0.3, layers=70)}, 4.4)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[-1].get_xticklabels()]
    assert len(boxes) > 10 and figure.get_figwidth() == 4.4
    assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))
    assert all(len(panel.lines[0].get_xdata()) == 70 for panel in figure.axes)
