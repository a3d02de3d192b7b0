"""Assortativity and transitivity, against igraph on the written-out graphs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from oracle import directed, undirected
from pairs import bipartite_graph, mixed_pairs, pairs

from metrics.extended.assortativity import assortativity
from metrics.extended.transitivity import transitivity


def correlation(one, other):
    """By its definition; None where one of them does not vary."""
    if not len(one) or one.min() == one.max() or other.min() == other.max():
        return None
    return float(np.corrcoef(one, other)[0, 1])


@settings(max_examples=30)
@given(pairs(max_nodes=300) | mixed_pairs())
def test_assortativity_is_the_correlation_over_the_edges(pair):
    matrix = (pair.explicit.matrix != 0).astype(int).tocoo()
    start, end = matrix.row, matrix.col
    fan_out, fan_in = (np.bincount(ends, minlength=matrix.shape[0]) for ends in (start, end))
    degree = fan_out + fan_in
    both = correlation(
        np.concatenate([degree[start], degree[end]]), np.concatenate([degree[end], degree[start]])
    )
    along = correlation(fan_out[start], fan_in[end])
    found = assortativity(pair.graph)
    expected = {"assortativity": both, "assortativity_directed": along}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@settings(max_examples=15)
@given(pairs(max_nodes=300) | mixed_pairs())
def test_assortativity_and_transitivity_are_those_of_igraph(pair):
    plain = undirected(pair.explicit)
    found = assortativity(pair.graph)
    if found["assortativity"] is not None:
        theirs = plain.assortativity_degree(directed=False)
        assert found["assortativity"] == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    if found["assortativity_directed"] is not None:
        theirs = directed(pair.explicit).assortativity_degree(directed=True)
        assert found["assortativity_directed"] == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    theirs = plain.transitivity_undirected(mode="nan")
    ours = transitivity(pair.graph)["transitivity"]
    assert math.isnan(theirs) if ours is None else ours == pytest.approx(theirs, rel=1e-12)


def test_a_star_is_as_disassortative_as_can_be():
    graph = bipartite_graph(np.array([[1, 1, 1, 0], [0, 0, 0, 1]], np.float32))
    # Three edges of degrees 3 and 1, one of degrees 1 and 1.
    assert assortativity(graph)["assortativity"] == pytest.approx(-3 / 5)
    assert assortativity(graph)["assortativity_directed"] is None
    assert transitivity(graph)["transitivity"] == 0
    assert transitivity(bipartite_graph(np.eye(2, dtype=np.float32)))["transitivity"] is None
