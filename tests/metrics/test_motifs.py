"""Motifs against enumeration."""

from itertools import combinations
from math import comb

import networkx
import numpy as np
import oracle
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Network, Residual, sparsify
from pairs import bipartite_graph, pairs, unrolled
from torch import nn

from graph_encoding import encode
from metrics.motifs import four_cycles, motifs
from metrics.ways import exact_dot


@settings(max_examples=18)
@given(pairs(max_nodes=200))
def test_motifs(pair):
    assert motifs(pair.graph) == {"motifs": oracle.motifs(pair.explicit)}


@st.composite
def residual_networks(draw) -> Network:
    """Blocks inside blocks, whose triangles share edges, and pooling between them."""
    a, b, c = (draw(st.integers(1, 2)) for _ in range(3))
    inner: nn.Module = nn.Conv2d(b, c, 3, 1, 1)
    if draw(st.booleans()):
        inner = Residual(
            nn.Sequential(nn.Conv2d(b, 2, 3, 1, 1), nn.Conv2d(2, c, 1)), nn.Conv2d(b, c, 1)
        )
    stride = draw(st.sampled_from((1, 2)))
    module = nn.Sequential(
        nn.Conv2d(1, a, draw(st.sampled_from((1, 3))), 1, 1),
        nn.MaxPool2d(draw(st.sampled_from((1, 2)))),
        Residual(nn.Sequential(nn.Conv2d(a, b, 3, stride, 1), inner), nn.Conv2d(a, c, 1, stride)),
    )
    densities = draw(st.lists(st.sampled_from((0.3, 0.6, 1.0)), min_size=1, max_size=4))
    sparsify(module, draw(st.integers(0, 2**32 - 1)), densities)
    return Network(module, (1, 4, draw(st.integers(4, 6))))


@settings(max_examples=18)
@given(residual_networks())
def test_motifs_with_triangles(network):
    graph, explicit = unrolled(network)
    assert motifs(graph) == {"motifs": oracle.motifs(explicit)}


def test_the_drawn_residual_networks_have_triangles_that_share_edges():
    """The formula's terms for triangles, tails and diamonds are not all zero in the test above."""
    shared = []

    @settings(max_examples=20)
    @given(residual_networks())
    def look(network):
        plain = oracle.undirected(unrolled(network).explicit).to_networkx()
        triangles = sum(networkx.triangles(plain).values()) // 3
        diamonds = sum(comb(len(set(plain[u]) & set(plain[v])), 2) for u, v in plain.edges)
        shared.append((triangles > 0, diamonds > 0))

    look()
    has_triangles, has_diamonds = np.mean(shared, axis=0)
    assert has_triangles > 0.3
    assert has_diamonds > 0.2


@settings(max_examples=40)
@given(residual_networks())
def test_four_cycles(network):
    graph, explicit = unrolled(network)
    matrix = (oracle.adjacency(explicit) > 0).astype(np.int64)
    walks = matrix @ matrix
    # Pairs of distinct nodes, each met twice on a cycle, by their common neighbours.
    pairs_of_paths = np.triu(walks * (walks - 1) // 2, 1).sum()
    assert four_cycles(graph) == pairs_of_paths // 2


@settings(max_examples=8)
@given(st.data())
def test_motifs_by_looking_at_every_four_nodes(data):
    densities = data.draw(st.lists(st.sampled_from((0.3, 0.6, 1.0)), min_size=1, max_size=4))
    module = nn.Sequential(
        nn.Conv2d(1, 1, (1, 2)),
        Residual(
            nn.Sequential(nn.Conv2d(1, 2, 3, 1, 1), nn.Conv2d(2, 1, (1, 3), 1, (0, 1))),
            nn.Conv2d(1, 1, 1),
        ),
        nn.Flatten(),
        nn.Linear(6, 2),
    )
    sparsify(module, data.draw(st.integers(0, 2**32 - 1)), densities)
    graph, explicit = unrolled(Network(module, (1, 2, 4)))
    expected = oracle.motifs_by_enumeration(explicit)
    assert motifs(graph) == {"motifs": expected}
    assert oracle.motifs(explicit) == expected


class Densely(nn.Module):
    """Each layer reads all before it: the positions of four layers are complete graphs."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(channels, 1, 1) for channels in (1, 2, 3))

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


def test_complete_subgraphs_on_four_nodes():
    (graph,) = encode(Densely(), input_shape=(1, 1, 3))
    plain = graph.to_networkx().to_undirected()
    four = [plain.subgraph(nodes) for nodes in combinations(plain, 4)]
    assert sum(part.number_of_edges() == 6 for part in four) == 3
    assert motifs(graph) == {"motifs": sum(map(networkx.is_connected, four))}


def test_complete_bipartite_graph():
    graph = bipartite_graph(np.ones((40, 30), np.float32))
    # Any four nodes that lie on both sides are connected.
    expected = comb(70, 4) - comb(40, 4) - comb(30, 4)
    assert motifs(graph) == {"motifs": expected}


def test_counts_beyond_the_integers_of_a_double():
    """A spider: one output, as many legs as the map has positions, each leg two edges long."""
    side = 800
    module = nn.Sequential(
        nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 1)
    )
    (graph,) = encode(module, "unrolled", (1, side, side))
    legs = side * side
    # The body with three legs' knees, or with one whole leg and another's knee.
    expected = comb(legs, 3) + legs * (legs - 1)
    assert expected > 2**53
    assert motifs(graph) == {"motifs": expected}


def test_dot_products_of_large_counts_are_exact():
    one = np.array([2.0**40 + 1, 3, 2.0**52 - 1, 0, 7])
    other = np.array([2.0**41 + 5, 2.0**50 + 1, 2.0**51 + 3, 9, 1])
    expected = sum(int(a) * int(b) for a, b in zip(one, other, strict=True))
    assert int(one @ other) != expected
    assert exact_dot(one, other) == expected
