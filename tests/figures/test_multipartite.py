"""The picture of a graph: what it shows and says, and that it holds a bounded part of the graph."""

import tracemalloc
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from networks import Residual, sparsify
from torch import nn

from figures import edge_drawing, multipartite, node_drawing
from figures.columns import Columns
from figures.edge_drawing import CHUNK, LEAST
from figures.multipartite import draw
from figures.nodes import MARKS
from figures.sampling import Edges
from figures.style import save
from graph_encoding import encode
from metrics.cuts import connectivity
from metrics.degrees import local_connectivity

SVG = "{http://www.w3.org/2000/svg}"


def encoded(module, shape, encoding="unrolled", wiring="exact", density=0.3):
    sparsify(module, 1, [density])
    return encode(module, encoding, shape, wiring)[0]


def network():
    body = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(6, 6, 3, 1, 1))
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 1, 1),
        Residual(body, nn.Conv2d(4, 6, 1, 2)),
        nn.Flatten(),
        nn.Linear(96, 5),
    )


@pytest.fixture(scope="module")
def small():
    return encoded(network(), (1, 8, 8))


def edge_lines(axes):
    """Thin lines: the columns' are thick."""
    return [
        collection
        for collection in axes.collections
        if isinstance(collection, LineCollection) and collection.get_linewidth()[0] < 1
    ]


def texts(figure):
    legend = figure.axes[0].get_legend()
    entries = [text.get_text() for text in legend.get_texts()] if legend else []
    title = " ".join(figure.axes[0].get_title(loc="left").split())
    return title, " ".join(figure.get_supxlabel().split()), entries


def test_a_line_for_every_edge(small):
    figure = draw(small, title="Net")
    lines = edge_lines(figure.axes[0])
    assert sum(len(part.get_segments()) for part in lines) == small.num_edges
    assert all(part.get_rasterized() for part in lines)
    assert not figure.axes[0].images
    title, note, entries = texts(figure)
    density = 100 * small.layer_density
    assert title == (
        f"Net: {small.num_nodes:,} nodes, {small.num_edges:,} edges, {density:.3g} % of weights"
    )
    assert note.startswith(f"Lines of all {small.num_edges:,} edges")
    assert entries == ["edges past a column"]
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(labels) == len(small.layers)
    assert labels[0] == "input\n1 × 10 × 10"
    assert "1.body.1\n+ shortcut\n6 × 4 × 4" in labels  # both end there
    # The shortcut's edges go over the column in between.
    top = min(segment[:, 1].min() for part in lines for segment in part.get_segments())
    assert top < 0


@pytest.mark.parametrize("lines", [0, 20_000])
def test_rows_go_on_where_the_one_above_ends(small, lines):
    assert len(small.layers) == 5
    (whole,), panels = (
        [axes for axes in draw(small, lines=lines, per_row=most).axes if axes.get_xlim()[0] != 0]
        for most in (None, 3)
    )
    shown = [[int(tick) for tick in panel.get_xticks()] for panel in panels]
    assert shown == [[0, 1, 2], [2, 3, 4]]
    labels = [[label.get_text() for label in axes.get_xticklabels()] for axes in (whole, *panels)]
    assert labels[0] == labels[1] + labels[2][1:]
    for panel, (first, *_, last) in zip(panels, shown):
        for part in edge_lines(panel):
            box = part.get_clip_box().transformed(panel.transData.inverted())
            assert box.x0 == pytest.approx(first)
            assert box.x1 == pytest.approx(last + 0.5 * (last == 4))
        for image in panel.images:
            assert image.get_extent()[:2] == [first, last]
    if lines:
        assert edge_lines(panels[0]) and edge_lines(panels[1])
    for at, image in enumerate(whole.images):
        pieces = [np.asarray(panel.images[at].get_array()) for panel in panels]
        assert (np.concatenate(pieces, axis=1) == np.asarray(image.get_array())).all()


def test_edges_inside_a_column_are_in_the_row_that_goes_on_from_it():
    """The published wiring has them; they are folded to the right of their column."""
    module = nn.Sequential(nn.Conv2d(1, 2, 3, 1, 1), nn.Conv2d(2, 3, 3, 2, 1))
    graph = encoded(module, (1, 8, 8), wiring="published", density=0.9)

    def folded(axes):
        return sum(
            (segment[0, 0], segment[-1, 0]) == (1, 1)
            for part in edge_lines(axes)
            for segment in part.get_segments()
        )

    whole = folded(draw(graph).axes[0])
    assert whole > 0
    assert folded(draw(graph, per_row=2).axes[1]) == whole


def test_one_marked_node_is_seen():
    module = nn.Sequential(nn.Conv2d(1, 8, 3, 1, 1), nn.Conv2d(8, 1, 3, 1, 1))
    with torch.no_grad():
        module[1].weight[:, 3] = 0  # the last of its 3 rows of nodes reads one pixel of padding
        module[0].weight[3, :, 1:] = 0
    graph = encode(module, "unrolled", (1, 40, 40))[0]
    count = local_connectivity(graph)["sink_nodes"]
    assert 0 < count < graph.num_nodes / 10
    figure = draw(graph, mark=("sinks",), sample=1000)
    marks = [
        part
        for part in figure.axes[0].collections
        if isinstance(part, LineCollection)
        and part.get_linewidth()[0] > 1
        and part.get_segments()
        and part.get_segments()[0][0, 0] % 1
    ]
    under, over = marks  # white below it
    assert under.get_zorder() < over.get_zorder()
    assert under.get_linewidth()[0] > over.get_linewidth()[0]
    for segment in over.get_segments():
        assert segment[1, 1] - segment[0, 1] >= node_drawing.LEAST_MARK
    assert (over.get_colors()[:, 3] == 1).all()


def test_shades_and_what_they_stand_for(small):
    figure = draw(small, lines=0, sample=300)
    assert not edge_lines(figure.axes[0])
    assert len(figure.axes[0].images) == 2  # between neighbours; past a column
    _, note, entries = texts(figure)
    assert f"of the {small.num_edges:,} edges (one in " in note
    assert entries == ["edges past a column"]
    assert figure.axes[1].get_ylabel() == "edges that cross a spot (1/1000 of the height)"
    whole = draw(small, lines=0)
    assert f"Shades of all {small.num_edges:,} edges" in texts(whole)[1]


def test_marks_are_counted():
    graph = encoded(network(), (1, 8, 8), density=0.08)
    figure = draw(graph, mark=MARKS)
    local, cuts = local_connectivity(graph), connectivity(graph)
    assert set(texts(figure)[2]) == {
        "edges past a column",
        f"sinks (fed, read by nobody): {local['sink_nodes']:,}",
        f"sources (read, fed by nobody): {local['source_nodes']:,}",
        f"disconnected (no edge): {local['disconnected_nodes']:,}",
        f"cut nodes (without one the graph falls apart): {cuts.cut_nodes:,}",
    }
    assert local["sink_nodes"] and local["source_nodes"] and cuts.cut_nodes


def test_removed_edges(small):
    figure = draw(small, removed=True)
    removed = sum(edge_drawing.RemovedEdges(block).count for block in small.blocks)
    _, note, entries = texts(figure)
    assert f"Lines of all {removed:,} removed edges, below the kept ones" in note
    assert "removed edges" in entries
    assert sum(len(part.get_segments()) for part in edge_lines(figure.axes[0])) == (
        removed + small.num_edges
    )


def test_removed_edges_that_cannot_be_told():
    graph = encoded(network(), (1, 8, 8), "rolled-channel")
    figure = draw(graph, removed=True)
    assert (
        "emoved edges not shown of layers whose edges are not single weights: 0" in texts(figure)[1]
    )
    assert "removed edges" not in texts(figure)[2]


def test_strength(small):
    for lines in (0, 20_000):
        figure = draw(small, colour="strength", lines=lines, sample=2000)
        bar = figure.axes[-1]
        assert bar.get_ylabel() == "mean weight that meets at a node"
        mean = [bins.strength for bins in multipartite._bins(small, "strength", ())]
        mean = np.concatenate(mean)
        assert bar.get_ylim() == pytest.approx((mean[mean > 0].min(), mean.max()))
        colours = np.concatenate(
            [part.get_colors() for part in edge_lines(figure.axes[0])]
            or [figure.axes[0].images[0].get_array()[::9, ::9].reshape(-1, 4) / 255]
        )
        assert len(np.unique(colours[:, :3], axis=0)) > 5


@pytest.mark.parametrize("wiring", ["exact", "published"])
@pytest.mark.parametrize("density", [0, 0.1])
@pytest.mark.parametrize("lines", [0, 20_000])
def test_any_wiring_and_density(wiring, density, lines):
    module = nn.Sequential(nn.Conv2d(1, 2, 3, 1, 1), nn.Conv2d(2, 3, 3, 2, 1))
    graph = encoded(module, (1, 6, 6), wiring=wiring, density=density)
    options = {"removed": True, "mark": MARKS, "colour": "strength", "sample": 100}
    figure = draw(graph, lines=lines, **options)
    figure.dpi = 50
    figure.canvas.draw()


def test_names_that_look_like_formulas(small):
    figure = draw(small, title=r"$\frac{ $")
    figure.dpi = 50
    figure.canvas.draw()
    assert texts(figure)[0].startswith(r"$\frac{ $")


@pytest.mark.parametrize("options", [{"colour": "red"}, {"mark": ["sinks", "roots"]}])
def test_unknown_options(small, options):
    with pytest.raises(ValueError, match="choose from"):
        draw(small, **options)


def test_seed(small):
    def picture(seed):
        figure = draw(small, lines=0, sample=100, seed=seed)
        return np.asarray(figure.axes[0].images[0].get_array())

    assert (picture(0) == picture(0)).all()
    assert (picture(0) != picture(1)).any()


def test_many_layers_fit_on_the_sheet():
    module = nn.Sequential(*(nn.Conv2d(1, 1, 3, 1, 1) for _ in range(120)))
    figure = draw(encoded(module, (1, 4, 4), density=0.9))
    assert figure.get_figwidth() <= 32
    figure.canvas.draw()
    labels = figure.axes[0].get_xticklabels()
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    assert len(boxes) == 121
    assert all(one.x1 <= other.x0 + 1 for one, other in pairwise(boxes))
    assert min(label.get_fontsize() for label in labels) >= 5


def test_memory_is_bounded_whatever_the_number_of_edges(monkeypatch):
    module = nn.Sequential(nn.Conv2d(3, 20, 3, 1, 1), nn.Conv2d(20, 20, 3, 1, 1))
    graph = encoded(module, (3, 64, 64), density=0.8)
    assert graph.num_edges > 10_000_000
    looked_up, plain = [], Edges.__getitem__

    def noting(self, numbers):
        looked_up.append(len(numbers))
        return plain(self, numbers)

    monkeypatch.setattr(Edges, "__getitem__", noting)
    tracemalloc.start()
    draw(graph, sample=20_000, mark=("sinks",), removed=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(looked_up) <= CHUNK
    assert 20_000 <= sum(looked_up) <= 2 * (20_000 + 2 * LEAST)
    assert peak < 100e6 < 8 * graph.num_edges


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_column_is_as_tall_as_it_has_nodes_or_as_their_logarithm(small, scale):
    """Dots and lines of the columns reach from the first node's place to the last one's."""
    heights = Columns(small, scale).heights
    sizes = np.array([layer.size for layer in small.layers])
    if scale == "linear":
        seen = sizes / sizes.max() > 0.02  # the smallest are drawn a little taller
        assert heights[seen] == pytest.approx((sizes / sizes.max())[seen])
        assert (heights[~seen] == 0.02).all()
    else:
        sizes, first = np.unique(sizes, return_index=True)
        grown = np.diff(heights[first]) / np.diff(np.log1p(sizes))
        assert grown == pytest.approx(grown[0])
    assert heights.max() == 1
    _, note, _ = texts(draw(small, heights=scale))
    assert ("logarithm" in note) == (scale == "log")


def test_a_picture_is_1800_pixels_wide_and_its_svg_has_text(small, tmp_path):
    figure = draw(small, title="Netz 9")
    save(figure, tmp_path / "graph.png")
    assert matplotlib.image.imread(tmp_path / "graph.png").shape[1] >= 1800
    svg = ElementTree.parse(tmp_path / "graph.svg")
    found = " ".join("".join(text.itertext()) for text in svg.iter(f"{SVG}text"))
    assert f"{small.num_edges:,} edges" in found and "Netz 9" in found


def test_a_bare_picture_has_edges_and_no_words(small):
    figure = draw(small, mark=("sinks",), bare=True, inches=4)
    (axes,) = figure.axes
    assert edge_lines(axes) and figure.get_figwidth() == 4 > figure.get_figheight()
    assert not axes.axison and not figure.texts and axes.get_legend() is None
    assert not axes.get_title(loc="left")
