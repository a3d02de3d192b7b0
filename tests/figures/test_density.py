"""Lines counted pixel by pixel: nothing is lost, and every line is where it belongs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Residual, networks, sparsify
from pairs import unrolled
from torch import nn

from figures.columns import Columns, names, rows, short
from figures.density import ROWS, Canvas
from figures.edge_drawing import looked_up
from figures.sampling import Edges
from graph_encoding import encode


@settings(max_examples=5)
@given(networks(max_nodes=60), st.integers(1, 400))
def test_as_many_edges_as_there_are_pass_every_column_of_pixels(network, size):
    graph, _ = unrolled(network)
    columns = Columns(graph)
    canvas = Canvas(columns)
    across = np.zeros(len(graph.layers) - 1)
    for block in graph.blocks:
        for lines in looked_up(columns, Edges(block), size, np.random.default_rng(0)):
            canvas.add(*lines)
            across[slice(*lines.pair)] += lines.weight.sum()
    sums = canvas.counts.sum(axis=1).reshape(len(across), -1)
    np.testing.assert_allclose(sums, np.broadcast_to(across[:, None], sums.shape), rtol=1e-4)
    assert across.sum() >= graph.num_edges


@settings(max_examples=30)
@given(networks(max_nodes=150))
def test_all_edges_of_a_small_graph_are_looked_up_between_their_columns(network):
    graph, explicit = unrolled(network)
    columns = Columns(graph)
    found = set()
    for block in graph.blocks:
        for lines in looked_up(columns, Edges(block), 10**9, np.random.default_rng(0)):
            ids = []
            for column, heights in zip(lines.pair, (lines.start, lines.end), strict=True):
                layer = graph.layers[column]
                place = (heights - 0.5) / columns.heights[column] + 0.5
                ids.append(layer.offset + np.round(place * layer.size - 0.5).astype(int))
            assert (lines.weight == 1).all()
            found |= set(zip(ids[0].tolist(), ids[1].tolist(), strict=True))
    matrix = explicit.matrix.tocoo()
    assert found == set(zip(matrix.row.tolist(), matrix.col.tolist(), strict=True))


def with_shortcuts():
    first = Residual(
        nn.Sequential(nn.Conv2d(2, 3, 3, 1, 1), nn.Conv2d(3, 4, 1)), nn.Conv2d(2, 4, 1)
    )
    module = nn.Sequential(nn.Conv2d(1, 2, 1), first, nn.Flatten(), nn.Linear(64, 5))
    sparsify(module, 0, [0.5])
    (graph,) = encode(module, "unrolled", (1, 4, 4))
    return graph


def test_shortcuts_go_over_the_columns_that_they_pass():
    graph = with_shortcuts()
    columns = Columns(graph)
    assert columns.lanes == {(1, 3): 0}
    assert columns.top < 0
    start, end = np.array([0.2, 0.9]), np.array([0.4, 0.5])
    for x, height in ((0, start), (2, end)):
        np.testing.assert_allclose(columns.path((1, 3), start, end, x), height)
    passing = columns.path((1, 3), start, end, 1.0)
    assert (columns.top < passing).all() and (passing < 0).all()
    # Neighbours are joined by straight lines.
    middle = columns.path((0, 1), start, end, 0.5)
    np.testing.assert_allclose(middle, (start + end) / 2)


@pytest.mark.parametrize("pair", [(0, 1), (1, 3)], ids=["to the next column", "in a lane"])
def test_one_line_is_where_it_belongs(pair):
    graph = with_shortcuts()
    columns = Columns(graph)
    canvas = Canvas(columns, valued=True)
    one = np.ones(1)
    canvas.add(pair, 0.25 * one, 0.75 * one, 10 * one, (2 * one, 4 * one))
    pixel, row = np.nonzero(canvas.counts)
    assert set(pixel) == {*range(pair[0] * canvas.gap, pair[1] * canvas.gap)}
    height = (row - canvas.above + 0.5) / ROWS
    x, length = canvas.x[pixel] - pair[0], pair[1] - pair[0]
    there = columns.path(pair, 0.25, 0.75, x)
    steepest = np.abs(np.diff(there)).max()
    assert np.abs(height - there).max() < 2 / ROWS + steepest
    np.testing.assert_allclose(canvas.means[pixel, row], 2 + 2 * x / length, atol=2 / canvas.gap)
    image = canvas.image("#000000")
    assert image.shape == (*canvas.counts.shape[::-1], 4)
    assert ((image[..., 3] > 0) == (canvas.counts.T > 0)).all()


@pytest.mark.parametrize("column", [0, 4])
def test_edges_inside_a_column_are_folded_beside_it(column):
    """The published wiring has them."""
    canvas = Canvas(Columns(with_shortcuts()))
    canvas.add((column, column), np.array([0.3]), np.array([0.6]), np.array([1]))
    sums = canvas.counts.sum(axis=1)
    assert set(np.round(sums[sums > 0], 3)) == {2}


def test_more_edges_are_darker():
    canvas = Canvas(Columns(with_shortcuts()))
    for height, count in ((0.2, 1), (0.5, 10), (0.8, 100)):
        canvas.add((0, 1), *(np.full(1, height),) * 2, np.full(1, count))
    shades = canvas.image("#000000")[..., 3].max(axis=1)
    faint, middle, dark = shades[shades > 0]
    assert 0 < faint < middle < dark <= 255
    assert middle - faint == pytest.approx(dark - middle, abs=3)  # logarithmic


@pytest.mark.parametrize(
    "most, found",
    [
        (None, [(0, 9)]),
        (10, [(0, 9)]),
        (9, [(0, 5), (5, 9)]),
        (4, [(0, 3), (3, 6), (6, 9)]),
        (2, [(n, n + 1) for n in range(9)]),
    ],
)
def test_rows(most, found):
    assert rows(10, most) == found
    assert rows(2, most) == [(0, 1)]


def test_columns_are_named_after_all_that_ends_in_them():
    graph = with_shortcuts()
    found = [names(graph, layer) for layer in graph.layers]
    assert found == [["input"], ["0"], ["1.body.0"], ["1.body.1", "shortcut"], ["3"]]


def test_names_are_shortened():
    assert short("layer1.0.conv1") == "layer1.0.conv1"
    long = short("block1.layer.0.convShortcut.something")
    assert len(long) <= 22 and long.startswith("block1") and long.endswith("something")
