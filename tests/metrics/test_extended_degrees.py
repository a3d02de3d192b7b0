"""Degrees, density and components, against networkx and plain formulas on written-out graphs."""

import math

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from pairs import bipartite_graph, mixed_pairs, pairs

from metrics.extended.components import components
from metrics.extended.degrees import degrees
from metrics.extended.density import density


def written_out(pair):
    return networkx.from_scipy_sparse_array(pair.explicit.matrix)


def gini(values):
    """Mean difference of all pairs, over twice the mean."""
    differences = np.abs(np.subtract.outer(values, values)).mean()
    return differences / (2 * values.mean()) if values.any() else math.nan


@settings(max_examples=25)
@given(pairs(max_nodes=300) | mixed_pairs())
def test_degrees_density_and_components_of_written_out_graphs(pair):
    plain = written_out(pair)
    each = np.array([degree for _, degree in plain.degree()])
    sizes = [len(part) for part in networkx.connected_components(plain)]
    found = degrees(pair.graph) | density(pair.graph) | components(pair.graph)
    assert {name: math.nan if v is None else v for name, v in found.items()} == pytest.approx(
        {
            "min_degree": each.min(),
            "max_degree": each.max(),
            "mean_degree": each.mean(),
            "degree_deviation": each.std(),
            "degree_gini": gini(each),
            "density": networkx.density(plain),
            "largest_component": max(sizes),
            "smallest_component": min(sizes),
        },
        rel=1e-12,
        abs=1e-12,
        nan_ok=True,
    )


def test_a_star_by_hand():
    graph = bipartite_graph(np.ones((1, 4), np.float32))
    assert degrees(graph) == pytest.approx(
        {
            **{"min_degree": 1, "max_degree": 4, "mean_degree": 8 / 5},
            "degree_deviation": (16 / 4 - 64 / 25) ** 0.5,
            "degree_gini": 4 * 3 * 2 / (2 * 25 * 8 / 5),
        }
    )
    assert density(graph) == {"density": 4 / 10}
    assert components(graph) == {"largest_component": 5, "smallest_component": 5}
