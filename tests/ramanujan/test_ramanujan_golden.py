"""Ramanujan metrics of whole networks against values of the released code (see `golden`)."""

import pytest
from golden import NETWORKS, graphs, in_half_precision, table

from ramanujan import ramanujan_metrics

TOLERANCES = {
    "delta_r": {"abs": 1e-9},
    "imdb": {"abs": 1e-9},
    # The released code solves for gaps and counts the density in single precision.
    "iterative_spectral_gap": {"rel": 1e-4},
    "layer_density": {"rel": 1e-6},
    **{key: {"abs": 0} for key in ("edges", "nodes", "no_weights", "no_params")},
}


@pytest.mark.parametrize("encoding", ["rolled", "rolled-channel"])
@pytest.mark.parametrize("index", range(len(NETWORKS)))
def test_every_layer(index, encoding):
    expected = table(NETWORKS[index], f"{encoding} ramanujan")
    assert [graph.layer_name for graph in graphs(index, encoding)] == list(expected)
    for graph in graphs(index, encoding):
        values = ramanujan_metrics(in_half_precision(graph))
        assert set(expected[graph.layer_name]) == set(TOLERANCES)
        for column, value in expected[graph.layer_name].items():
            if value is not None:
                value = pytest.approx(value, **TOLERANCES[column])
            assert values[column] == value, (graph.layer_name, column)


def test_some_layers_are_defined_and_some_are_not():
    for encoding in ("rolled", "rolled-channel"):
        for network in NETWORKS:
            rows = table(network, f"{encoding} ramanujan").values()
            assert all(row["delta_r"] is not None for row in rows)
            assert any(row["imdb"] is None for row in rows)
    dense = table(NETWORKS[2], "rolled ramanujan").values()
    assert sum(row["imdb"] is not None for row in dense) > 5
