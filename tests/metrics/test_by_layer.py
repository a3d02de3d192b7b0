"""Rows by layer, against the written-out graph and the weights of the network."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from networks import networks
from pairs import bipartite_graph, unrolled

from metrics.by_layer import by_layer, whole
from metrics.degrees import local_connectivity


@settings(max_examples=25)
@given(networks())
def test_every_row(network):
    graph, explicit = unrolled(network)
    plain = networkx.from_scipy_sparse_array(explicit.matrix, create_using=networkx.DiGraph)
    strength = dict(plain.degree(weight="weight"))
    rows = by_layer(graph)
    assert len(rows) == len(graph.blocks)
    for row, block in zip(rows, graph.blocks, strict=True):
        weight = network.module.get_submodule(row.name).weight.detach().numpy()
        assert (row.kept_weights, row.total_weights) == (np.count_nonzero(weight), weight.size)
        assert row.density == np.count_nonzero(weight) / weight.size

        nodes = range(block.target.offset, block.target.stop)
        assert nodes.start in explicit.offsets and nodes.stop in explicit.offsets
        sources = range(block.source.offset, block.source.stop)
        assert row.nodes == len(nodes)
        assert row.edges == sum(
            1 for node in nodes for before in plain.predecessors(node) if before in sources
        )
        is_last = nodes.stop == graph.num_nodes
        sinks = [n for n in nodes if plain.in_degree(n) and not plain.out_degree(n)]
        assert row.sinks == (0 if is_last else pytest.approx(len(sinks) / len(nodes)))
        unfed = [n for n in nodes if plain.out_degree(n) and not plain.in_degree(n)]
        assert row.sources == pytest.approx(len(unfed) / len(nodes))
        alone = [n for n in nodes if not plain.degree(n)]
        assert row.disconnected == pytest.approx(len(alone) / len(nodes))
        mean = sum(strength[n] for n in nodes) / len(nodes)
        assert row.strength == pytest.approx(mean, rel=1e-5, abs=1e-12)


@settings(max_examples=20)
@given(networks())
def test_sums_over_layers(network):
    """Whatever the network, the rows add up to the whole graph's numbers."""
    graph, _ = unrolled(network)
    rows = by_layer(graph)
    assert sum(row.edges for row in rows) == graph.num_edges
    assert sum(row.kept_weights for row in rows) == graph.kept_weights
    assert sum(row.total_weights for row in rows) == graph.total_weights
    # Layers that end in one addition share their nodes.
    by_nodes = {block.target: row for block, row in zip(graph.blocks, rows, strict=True)}
    inputs = slice(graph.layers[0].stop)
    unread = int(((graph.in_degree > 0) & (graph.out_degree == 0))[inputs].sum())
    sinks = sum(row.sinks * row.nodes for row in by_nodes.values())
    assert sinks + unread == pytest.approx(local_connectivity(graph)["sink_nodes"])
    unfed = sum(row.sources * row.nodes for row in by_nodes.values())
    assert unfed == pytest.approx(local_connectivity(graph)["source_nodes"])


@settings(max_examples=20)
@given(networks())
def test_the_whole_is_what_the_topometrics_say(network):
    graph, _ = unrolled(network)
    row, local = whole(graph), local_connectivity(graph)
    assert (row.nodes, row.edges) == (graph.num_nodes, graph.num_edges)
    assert (row.kept_weights, row.total_weights) == (graph.kept_weights, graph.total_weights)
    for share, name in (
        (row.sinks, "sink_nodes"),
        (row.sources, "source_nodes"),
        (row.disconnected, "disconnected_nodes"),
    ):
        assert share * row.nodes == pytest.approx(local[name])
    assert row.strength == pytest.approx(float(graph.node_strength.mean()))


def test_by_hand():
    graph = bipartite_graph(np.array([[1, -2, 0], [0, 3, 0]], np.float32))
    (row,) = by_layer(graph)
    assert (row.nodes, row.edges, row.kept_weights, row.total_weights) == (3, 3, 3, 6)
    assert (row.density, row.sinks, row.sources) == (0.5, 0, 0)
    assert row.disconnected == pytest.approx(1 / 3)
    assert row.strength == pytest.approx(2)
