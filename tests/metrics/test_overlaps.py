"""Graphs whose blocks overlap, as those of the ``published`` wiring do, against the plain graph."""

from itertools import combinations

import igraph
import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import sparsify
from pairs import strided_networks, unrolled
from torch import nn

from graph_encoding import Block, Graph, NodeLayer, encode
from graph_encoding.axis import Axis
from metrics import by_bits, choice, triangles, two_layouts, walks, written
from metrics.extended.transitivity import transitivity
from metrics.motifs import four_cycles, motifs
from metrics.neighbourhoods import total_two_hop
from metrics.ways import Way, are_alike

WAYS = (choice.is_cheaper, lambda *costs: True, lambda *costs: False)
"""The cheaper way, kernel algebra where it can count, all paths written out."""


@st.composite
def layers(draw, low: int, high: int) -> NodeLayer:
    """A run of nodes somewhere from `low` to `high`, in any layout."""
    height, width = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    channels = draw(st.integers(1, max(1, (high - low) // (height * width) // 2)))
    offset = draw(st.integers(low, high - channels * height * width))
    return NodeLayer("", offset, channels, height, width)


@st.composite
def overlapping_graphs(draw, stages: int = 4, size: int = 8) -> Graph:
    """Blocks between some stages that overlap, over the same or other nodes of them."""
    nodes = size * stages + 2
    runs = [
        draw(st.lists(layers(size * stage, size * stage + size + 2), min_size=1, max_size=2))
        for stage in range(stages)
    ]
    pairs = list(combinations(range(stages), 2))
    blocks: list[Block] = []
    known = np.zeros((nodes, nodes), bool)
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for pair in draw(st.lists(st.sampled_from(pairs), min_size=5, max_size=6, unique=True)):
        source, target = (draw(st.sampled_from(runs[stage])) for stage in pair)
        if source.stop > target.offset:
            continue
        taps = draw(st.sampled_from((1, 2, 3)))
        rows, columns = (
            Axis(*sizes, taps=taps, padding=taps // 2, stride=draw(st.sampled_from((1, 2))))
            for sizes in ((source.height, target.height), (source.width, target.width))
        )
        shape = target.channels, source.channels, taps, taps
        entries = np.nonzero(numbers.random(shape) < draw(st.sampled_from((0.4, 0.7, 1.0))))
        out, inp, tap_y, tap_x = (axis.astype(np.int32) for axis in entries)
        ones = np.ones(len(out), np.float32)
        count = len(out), len(out)
        block = Block("", source, target, out, inp, tap_y, tap_x, ones, rows, columns, *count)
        edges = Graph([NodeLayer("all", 0, nodes)], [block]).to_scipy().toarray() > 0
        if not (edges & known).any():  # no edge stands twice
            known |= edges
            blocks.append(block)
    return Graph([NodeLayer("all", 0, nodes)], blocks)


def plain(graph: Graph) -> igraph.Graph:
    matrix = graph.to_scipy().tocoo()
    ends = zip(matrix.row.tolist(), matrix.col.tolist(), strict=True)
    return igraph.Graph(graph.num_nodes, list(ends), directed=True)


@settings(max_examples=15)
@given(overlapping_graphs())
def test_counts_of_overlapping_blocks(graph):
    directed = plain(graph)
    undirected = directed.as_undirected()
    expected = {
        "motifs": int(np.nansum(undirected.motifs_randesu(4, cut_prob=[0] * 4))),
        "2-hop": sum(directed.neighborhood_size(order=2, mode="out")),
        "triangles": len(undirected.list_triangles()),
    }
    adjacency = np.array(undirected.get_adjacency().data)
    walks_of_two = adjacency @ adjacency
    squares = np.triu(walks_of_two * (walks_of_two - 1) // 2, 1).sum() // 2
    stars = (undirected.degree() * (np.array(undirected.degree()) - 1)).sum() // 2
    for is_cheaper in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(choice, "is_cheaper", is_cheaper)
            assert motifs(graph) == {"motifs": expected["motifs"]}
            assert four_cycles(graph) == squares
            assert total_two_hop(graph) == expected["2-hop"]
            closed = transitivity(graph)["transitivity"]
            assert (closed or 0) * stars == pytest.approx(3 * expected["triangles"])


@settings(max_examples=15)
@given(overlapping_graphs())
def test_tables_and_bits_agree_with_a_visit_of_every_path(graph):
    for term in walks.terms(graph):
        if two_layouts.cost(term.ways, term.others) is not None:
            found = two_layouts.layouts_product(term.ways, term.others)
            assert found == written.walk_product(term.ways, term.others)
    for block, ways in triangles._ways_beside(graph).items():
        expected = written.edge_triangles(block, ways)
        found = [by_bits.edges_by_bits(block, ways)]
        if two_layouts.edges_cost(block, ways) is not None:
            found.append(two_layouts.on_edges(block, ways))
        for each in found:
            assert np.array_equal(each.at_start, expected.at_start)
            assert np.array_equal(each.at_end, expected.at_end)
            assert each.squares == expected.squares
    for first in graph.blocks:
        ways = [Way(first, second) for second in graph.blocks if first.target.meets(second.source)]
        for end in {way.end for way in ways}:
            some, steps = [way for way in ways if way.end == end], [first]
            assert by_bits.visits(some) is not None
            found = by_bits.reached_by_bits(steps, some)
            assert found == written.reached_nodes(steps, some)


class Wide(nn.Module):
    """More channels than a word has bits, and a layer beside two others."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 70, 3, padding=1), nn.Conv2d(70, 70, 3, padding=1)
        self.beside = nn.Conv2d(2, 70, 1)

    def forward(self, x):
        return self.second(self.first(x)) + self.beside(x)


def test_bits_of_more_channels_than_a_word_has():
    network = Wide()
    sparsify(network, 0, [0.4])
    (graph,) = encode(network, input_shape=(2, 3, 3))
    for block, ways in triangles._ways_beside(graph).items():
        expected = written.edge_triangles(block, ways)
        found = by_bits.edges_by_bits(block, ways)
        assert found.squares == expected.squares > 0
        assert np.array_equal(found.at_end, expected.at_end)
        if block.name == "beside":
            steps = [block]
            assert by_bits.reached_by_bits(steps, ways) == written.reached_nodes(steps, ways)


@settings(max_examples=8)
@given(strided_networks())
def test_both_ways_agree_on_the_published_wiring(network):
    graph, explicit = unrolled(network, "published")
    for is_cheaper in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(choice, "is_cheaper", is_cheaper)
            assert motifs(graph) == {"motifs": oracle.motifs(explicit)}
            expected = oracle.reached(explicit, 2) * graph.num_nodes
            assert total_two_hop(graph) == round(expected)


def test_what_does_not_overlap_is_still_counted_by_algebra():
    """Only what meets a stride-2 convolution has two layouts in a Resnet-20."""
    import models

    (graph,) = encode(models.build("Resnet-20", 10), wiring="published")
    terms = walks.terms(graph)
    apart = [term for term in terms if are_alike([*term.ways, *(term.others or ())])]
    together = {
        block.name
        for term in terms
        if term not in apart
        for way in (*term.ways, *(term.others or ()))
        for block in (way.first, way.second)
    }
    beside = {"layer1.2.conv2", "layer2.2.conv2"}
    stages = {f"layer{n}.0.{part}" for n in (2, 3) for part in ("conv1", "conv2", "shortcut.0")}
    assert together <= beside | stages
    assert len(apart) > len(terms) / 2
