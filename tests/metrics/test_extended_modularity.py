"""Modularity beside networkx; Louvain's communities beside igraph's and beside single moves."""

import igraph
import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import sparsify
from pairs import bipartite_graph, mixed_pairs, pairs
from torch import nn

from graph_encoding import Graph, encode
from metrics.extended.modularity import louvain, modularity, modularity_of


def plain(graph: Graph) -> networkx.Graph:
    return graph.to_networkx().to_undirected()


def sets(labels: np.ndarray) -> list[set[int]]:
    return [set(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)]


@settings(max_examples=20)
@given(pairs(max_nodes=150) | mixed_pairs(), st.integers(0, 2**32 - 1))
def test_modularity_is_that_of_networkx(pair, seed):
    graph = pair.graph
    if not graph.num_edges:
        assert set(modularity(graph).values()) == {None}
        return
    by_layer = np.repeat(np.arange(len(graph.layers)), [layer.size for layer in graph.layers])
    drawn = np.random.default_rng(seed).integers(0, 5, graph.num_nodes)
    found, values = louvain(graph), modularity(graph)
    for labels, value in (
        (by_layer, values["modularity_layers"]),
        (drawn, modularity_of(graph, drawn)),
        (found.labels, values["modularity_louvain"]),
    ):
        expected = networkx.community.modularity(plain(graph), sets(labels), weight=None)
        assert value == pytest.approx(expected, abs=1e-12)
    connected = [part for part in sets(found.labels) if graph.degree[list(part)].sum()]
    assert values["louvain_communities"] == len(connected)


@settings(max_examples=12)
@given(pairs(max_nodes=100) | mixed_pairs(max_nodes=80))
def test_joining_two_communities_raises_nothing(pair):
    graph = pair.graph
    if not graph.num_edges:
        return
    found = louvain(graph)
    used = np.unique(found.labels[graph.degree > 0])
    for one in used:
        for other in used[used > one]:
            joined = np.where(found.labels == other, one, found.labels)
            assert modularity_of(graph, joined) <= found.modularity + 1e-6


@settings(max_examples=20)
@given(pairs(max_nodes=150) | mixed_pairs())
def test_about_as_good_as_igraph(pair):
    graph = pair.graph
    if not graph.num_edges:
        return
    ends = [edge[:2] for edge in graph.to_networkx().edges]
    theirs = igraph.Graph(graph.num_nodes, ends).community_multilevel().modularity
    assert louvain(graph).modularity >= theirs - 0.05


def test_planted_communities_are_found():
    draw = np.random.default_rng(0)
    side = np.repeat(np.arange(6), 20)
    chance = np.where(side[:, None] == side, 0.6, 0.02)
    graph = bipartite_graph((draw.random((120, 120)) < chance).astype(np.float32))
    labels = louvain(graph).labels
    # Both sides' nodes of a group are together, and no others.
    assert sets(labels) == sets(np.concatenate([side, side]))


def test_a_map_of_thousands_of_nodes():
    """Local kernels: neighbourhoods are communities, as igraph finds them."""
    module = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1))
    sparsify(module, 0, [0.7])
    (graph,) = encode(module, "unrolled", (1, 20, 20))
    ends = [edge[:2] for edge in graph.to_networkx().edges]
    theirs = igraph.Graph(graph.num_nodes, ends).community_multilevel().modularity
    ours = modularity(graph)
    assert ours["modularity_louvain"] == pytest.approx(theirs, abs=0.03)
    assert ours["modularity_layers"] < 0
