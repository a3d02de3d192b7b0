"""The sheet of all layers."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from networks import sparsify
from torch import nn

from figures.layers import COLOURS, MARKERS, PANELS, compare
from graph_encoding import encode
from metrics.by_layer import by_layer


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


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
    assert len({line.get_color() for line in lines}) == len(COLOURS) == 8
    assert len({line.get_marker() for line in lines}) == len(MARKERS) == 8


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
