"""How graphs are shown: one line, a table of layers, a thumbnail, and a picture."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from networks import sparsify
from torch import nn

import figures
import graph_encoding
import models
from graph_encoding.rolled import rolled


class Named(nn.Module):
    """A residual network with a name that means something in HTML."""

    def __init__(self):
        super().__init__()
        self.add_module("<b>&", nn.Conv2d(2, 3, 3, padding=1))
        self.again = nn.Conv2d(3, 3, 3, padding=1)
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        x = getattr(self, "<b>&")(x)
        return self.out((x + self.again(x)).mean((2, 3)))


def parsed(graph):
    return ElementTree.fromstring(graph._repr_html_())  # all of it is well-formed


def cells(graph):
    return [[cell.text or "" for cell in row] for row in parsed(graph).iter("tr")][1:]


def whole(text):
    return int(text.replace(",", ""))


@pytest.mark.parametrize("wiring", graph_encoding.WIRINGS)
def test_a_graph_is_one_line_and_its_parts_too(wiring):
    (graph,) = graph_encoding.encode(models.build("Resnet-20", 10), wiring=wiring)
    line = repr(graph)
    assert "\n" not in line
    assert f" {graph.num_nodes:,} nodes" in line and f" {graph.num_edges:,} edges" in line
    assert f"unrolled {wiring}" in line
    shown = [repr(block) for block in graph.blocks]
    assert all("\n" not in each for each in shown)
    assert sum(whole(re.search(r"([\d,]+) edges", each)[1]) for each in shown) == graph.num_edges
    parsed(graph)


def test_the_table_has_each_layer_of_weights():
    network = Named()
    sparsify(network, seed=0, densities=[0.5])
    (graph,) = graph_encoding.encode(network, input_shape=(2, 4, 4), wiring="identity")
    rows = cells(graph)
    kept = {name: int(np.count_nonzero(p.detach())) for name, p in network.named_parameters()}
    by_name = {row[0].split(" + ")[0]: row for row in rows}
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            row = by_name[name.removesuffix(".weight")]
            assert (whole(row[4]), whole(row[5])) == (kept[name], parameter.numel())
    assert by_name["again"][1] == "3 × 4 × 4"
    assert sum(whole(row[3]) for row in rows) == graph.num_edges
    drawn = list(parsed(graph).iter("rect"))
    assert len(drawn) == len(graph.layers)


def test_columns_of_the_thumbnail_are_as_high_as_they_have_nodes():
    graph = rolled("layer", np.ones((20, 40), np.float32))
    high, low = (float(column.get("height")) for column in parsed(graph).iter("rect"))
    assert high == pytest.approx(2 * low, abs=0.2)


def test_an_empty_graph_is_shown():
    graph = rolled("layer", np.zeros((2, 3), np.float32))
    assert "0 edges" in repr(graph)
    assert cells(graph) == [["layer", "2 × 1 × 1", "2", "0", "0", "6", "0 %"]]


def test_plot_is_the_picture_of_figures():
    graph = rolled("layer", np.ones((3, 2), np.float32))
    by_method, by_function = graph.plot(title="a"), figures.plot(graph, title="a")
    assert by_method._repr_png_() == by_function._repr_png_()
    assert by_method._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="choose from layer"):
        graph.plot(colour="red")


ALONE = """
import numpy as np
from graph_encoding.rolled import rolled
try:
    rolled("layer", np.ones((3, 2), np.float32)).plot()
except RuntimeError as error:
    print(error)
"""


def test_plot_names_what_to_import():
    run = {"capture_output": True, "text": True, "timeout": 600, "check": True}
    said = subprocess.run([sys.executable, "-c", ALONE], **run).stdout
    assert said == "graph.plot() is drawn by the room figures: import figures first\n"
