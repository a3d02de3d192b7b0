"""Core numbers against igraph."""

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from pairs import bipartite, pairs

from metrics.cores import core_numbers, k_core


@settings(max_examples=40)
@given(pairs())
def test_core_numbers_of_every_node(pair):
    expected = oracle.core_numbers(pair.explicit)
    assert core_numbers(pair.graph).tolist() == expected
    assert k_core(pair.graph)["k-core"] == pytest.approx(np.mean(expected), rel=1e-12)


def test_complete_bipartite_graph():
    graph = bipartite(np.ones((7, 4), np.float32)).graph
    assert core_numbers(graph).tolist() == [4] * 11
