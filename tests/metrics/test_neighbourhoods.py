"""1-hop and 2-hop against igraph's neighbourhood sizes."""

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from networks import networks
from pairs import bipartite, pairs, unrolled

from metrics.neighbourhoods import one_hop, two_hop


@settings(max_examples=25)
@given(pairs())
def test_neighbourhood_sizes(pair):
    assert one_hop(pair.graph)["1-hop"] == pytest.approx(
        oracle.reached(pair.explicit, 1), rel=1e-12
    )
    assert two_hop(pair.graph)["2-hop"] == pytest.approx(
        oracle.reached(pair.explicit, 2), rel=1e-12
    )


@settings(max_examples=25)
@given(networks())
def test_neighbourhood_sizes_of_networks(network):
    graph, explicit = unrolled(network)
    expected = round(oracle.reached(explicit, 2) * explicit.num_nodes)
    assert round(two_hop(graph)["2-hop"] * explicit.num_nodes) == expected


def test_bipartite_graphs_end_after_one_step():
    graph = bipartite(np.ones((3, 2), np.float32)).graph
    # Three left nodes reach themselves and two others, two right nodes only themselves.
    assert one_hop(graph)["1-hop"] == two_hop(graph)["2-hop"] == (3 * 3 + 2) / 5
