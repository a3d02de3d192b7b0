"""Networks of any kind, against the graph written out by loops and against torch's own passes."""

import flow
import numpy as np
import oracle
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import Gated, mixed_networks, networks_along
from pairs import mixed_pairs, pairs
from reference import GLOBAL, POOLING
from torch import nn

import metrics
from graph_encoding import encode


@settings(max_examples=100)
@given(st.one_of(mixed_pairs(), pairs(100)))
def test_edges_and_layers_are_those_of_the_written_out_graph(pair):
    graph, explicit = pair
    assert [layer.offset for layer in graph.layers] == explicit.offsets[:-1]
    difference = (graph.to_scipy().astype(np.float64) - explicit.matrix).tocoo()
    assert graph.num_edges == explicit.matrix.nnz == graph.to_scipy().nnz
    assert abs(difference.data).max(initial=0) <= 1e-6 * explicit.matrix.max()


@settings(max_examples=25)
@given(mixed_pairs())
def test_all_metrics_of_the_written_out_graph(pair):
    graph, explicit = pair
    found = metrics.topometrics(graph)
    assert found["nodes"] == explicit.num_nodes
    assert found["edges"] == explicit.matrix.nnz
    assert found["motifs"] == oracle.motifs(explicit)
    expected = {
        **oracle.local_connectivity(explicit),
        **oracle.global_connectivity(explicit),
        "1-hop": oracle.reached(explicit, 1),
        "2-hop": oracle.reached(explicit, 2),
        "strength": oracle.strength(explicit),
        "k-core": float(np.mean(oracle.core_numbers(explicit))),
        "spectral-gap": oracle.spectral_gap(explicit),
        "spectral-radius": oracle.spectral_radius(explicit),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-5), name


@settings(max_examples=40)
@given(st.one_of(mixed_networks(), *map(networks_along, (1, 2, 3))))
def test_linear_flow_of_drawn_networks(network):
    """A node that pooling meets twice counts once, in a flow twice: these networks are left out."""
    many = [isinstance(m, (Gated, nn.Upsample, *POOLING)) for m in network.module]
    pools = [isinstance(m, GLOBAL) or many[i] for i, m in enumerate(network.module)]
    assume(not any(pools[1 + many.index(True) :] if any(many) else ()))
    (graph,) = encode(network.module, "unrolled", network.input_shape, "identity")
    found = flow.largest_difference(network.module, graph, network.input_shape)
    assert found < 1e-5 or found == np.inf
