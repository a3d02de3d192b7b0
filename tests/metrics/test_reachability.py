"""Reachability, against networkx on the written-out graphs."""

import networkx
import numpy as np
from hypothesis import given, settings
from pairs import pairs

from metrics.reachability import reached_from_inputs, reaching_outputs


def expected(graph: networkx.DiGraph, start: range) -> np.ndarray:
    """Mark what is reached from some nodes, themselves among them."""
    found = set(start)
    for layer in networkx.bfs_layers(graph, start):
        found |= set(layer)
    return np.isin(np.arange(graph.number_of_nodes()), list(found))


@settings(max_examples=20)
@given(pairs(max_nodes=300))
def test_reachability_is_that_of_networkx(pair):
    graph = pair.graph
    explicit = graph.to_networkx()
    first, last = graph.layers[0], graph.layers[-1]
    np.testing.assert_array_equal(
        reached_from_inputs(graph), expected(explicit, range(first.offset, first.stop))
    )
    np.testing.assert_array_equal(
        reaching_outputs(graph), expected(explicit.reverse(), range(last.offset, last.stop))
    )
