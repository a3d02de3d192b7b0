"""Which nodes are articulation points, against igraph."""

import numpy as np
import oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import networks, sparsify
from pairs import pairs, unrolled

from metrics.cuts import articulation_points, connectivity


def check(pair) -> None:
    found = articulation_points(pair.graph)
    assert found.shape == (pair.graph.num_nodes,) and found.dtype == bool
    expected = oracle.undirected(pair.explicit).articulation_points()
    assert np.flatnonzero(found).tolist() == sorted(expected)
    assert connectivity(pair.graph).cut_nodes == len(expected)


@settings(max_examples=25)
@given(pairs())
def test_articulation_points(pair):
    check(pair)


@settings(max_examples=25)
@given(networks(), st.floats(0.02, 0.3), st.integers(0, 2**32 - 1))
def test_of_very_sparse_networks(network, density, seed):
    sparsify(network.module, seed, [density])
    check(unrolled(network))
