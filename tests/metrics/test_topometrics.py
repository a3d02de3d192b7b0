"""All topometrics at once: names, order, groups, extreme networks, threads and progress."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from networks import sparsify
from pairs import bipartite_graph, pairs
from torch import nn

import metrics
import models
import ramanujan
from graph_encoding import encode

PAPERS = [
    *("nodes", "edges"),
    *("sink_nodes", "source_nodes", "disconnected_nodes", "removable_out", "removable_in"),
    *("1-hop", "2-hop", "motifs"),
    *("strength", "k-core"),
    *("cut-edges", "cut-nodes", "connected_components", "avg_connected_components"),
    *("spectral-gap", "spectral-radius"),
]
COUNTS = set(PAPERS[:7]) | {"motifs", "cut-edges", "cut-nodes", "connected_components"}


def papers(values: dict) -> dict:
    """The paper's metrics among those of a graph."""
    return {column: values[column] for column in PAPERS}


def assert_answers(values: dict) -> None:
    """Every metric has a plain, finite value, or none."""
    assert list(values) == list(metrics.COLUMNS)
    assert all(type(values[column]) is int for column in COUNTS)
    for column, value in values.items():
        assert value is None or type(value) in (int, float), column
        assert value is None or math.isfinite(value), column


@settings(max_examples=12)
@given(pairs(max_nodes=200))
def test_values_are_plain_numbers_in_order(pair):
    values = metrics.topometrics(pair.graph)
    assert_answers(values)
    assert values["nodes"] == pair.explicit.num_nodes
    assert values["edges"] == pair.explicit.matrix.nnz
    # None only below three nodes, where there is no third eigenvalue.
    assert [c for c in PAPERS if values[c] is None] == (
        ["spectral-gap"] if values["nodes"] < 3 else []
    )


def test_groups_are_the_papers():
    groups = {
        "Size": PAPERS[:2],
        "Local connectivity": PAPERS[2:7],
        "Neighbourhood": PAPERS[7:10],
        "Strength": PAPERS[10:12],
        "Global connectivity": PAPERS[12:16],
        "Expansion": PAPERS[16:],
    }
    found = {g: [name for name in metrics.GROUPS[g] if name in PAPERS] for g in groups}
    assert found == groups


def dense_network() -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.Conv2d(3, 4, 3, 2, padding=1),
        nn.Flatten(),
        nn.Linear(64, 5),
    )
    sparsify(model, seed=0, densities=[1.0])
    return model


def network_with(densities: list[float]) -> nn.Sequential:
    model = dense_network()
    sparsify(model, seed=0, densities=densities)
    return model


@pytest.mark.parametrize("encoding", ["unrolled", "rolled", "rolled-channel"])
@pytest.mark.parametrize(
    "densities",
    [
        pytest.param([1.0], id="sparsity 0"),
        pytest.param([0.5, 0.0, 0.5], id="collapsed layer"),
        pytest.param([0.0], id="no edges"),
    ],
)
def test_extreme_networks_are_measured(encoding, densities):
    for graph in encode(network_with(densities), encoding, (2, 8, 8)):
        assert_answers(metrics.topometrics(graph))


@pytest.mark.parametrize("wiring", ["exact", "published"])
@pytest.mark.parametrize("density", [0.001, 0.0])
def test_a_nearly_empty_and_an_empty_resnet_are_measured(density, wiring):
    model = models.build("Resnet-20", 10)
    sparsify(model, seed=0, densities=[density])
    (graph,) = encode(model, wiring=wiring)
    values = metrics.topometrics(graph)
    assert_answers(values)
    if density == 0:
        assert papers(values) == {
            **dict.fromkeys(PAPERS, 0),
            **{"nodes": 191_894, "disconnected_nodes": 191_894, "connected_components": 191_894},
            **{"1-hop": 1, "2-hop": 1, "avg_connected_components": 1},
        }


def test_complete_bipartite_graph_by_hand():
    values = metrics.topometrics(bipartite_graph(np.full((3, 2), -2, np.float32)))
    assert papers(values) == pytest.approx(
        {
            **{"nodes": 5, "edges": 6},
            **{"sink_nodes": 0, "source_nodes": 0, "disconnected_nodes": 0},
            **{"removable_out": 0, "removable_in": 0},
            **{"1-hop": 11 / 5, "2-hop": 11 / 5, "motifs": 5},
            **{"strength": 24 / 5, "k-core": 2},
            **{"cut-edges": 0, "cut-nodes": 0},
            **{"connected_components": 1, "avg_connected_components": 5},
            **{"spectral-gap": 2 * math.sqrt(6), "spectral-radius": 10},
        },
        rel=1e-12,
    )


def test_threads_change_no_digit():
    (graph,) = encode(network_with([0.4, 0.3, 0.5]), "unrolled", (2, 8, 8))
    assert metrics.topometrics(graph) == metrics.topometrics(graph, threads=4)


def test_progress_counts_to_its_total():
    calls = []
    graph = bipartite_graph(np.ones((3, 4), np.float32))
    metrics.topometrics(graph, progress=lambda *call: calls.append(call))
    total = calls[0][1]
    assert [(done, of) for done, of, _ in calls] == [(i, total) for i in range(1, total + 1)]
    assert all(isinstance(text, str) and text for *_, text in calls)


def test_a_list_of_graphs_gives_a_list_that_names_layers():
    layers = encode(network_with([0.4, 0.3, 0.5]), "rolled", (2, 8, 8))
    calls = []
    rows = metrics.topometrics(layers, progress=lambda *call: calls.append(call[:2]))
    assert [row.pop("layer_name") for row in rows] == ["0", "1", "3"]
    assert rows == [metrics.topometrics(layer) for layer in layers]
    assert calls == [(i, calls[0][1]) for i in range(1, calls[0][1] + 1)]
    graphs = encode(network_with([0.4, 0.3, 0.5]), "unrolled", (2, 8, 8))
    assert metrics.topometrics(iter(graphs)) == [metrics.topometrics(graphs[0])]
    assert metrics.topometrics([]) == []


def test_pandas_takes_the_values():
    layers = encode(network_with([0.4, 0.3, 0.5]), "rolled", (2, 8, 8))
    table = pd.DataFrame(metrics.topometrics(layers)).set_index("layer_name")
    assert table["edges"].to_dict() == {g.layer_name: g.num_edges for g in layers}
    assert pd.Series(metrics.topometrics(layers[0]))["nodes"] == layers[0].num_nodes


@pytest.mark.parametrize("measure", [metrics.topometrics, ramanujan.ramanujan_metrics])
@pytest.mark.parametrize(
    "given, kind",
    [(dense_network(), "Sequential"), ([nn.Linear(2, 2)], "Linear"), (3, "int"), ("graph", "str")],
)
def test_what_is_no_graph_is_refused_in_one_line(measure, given, kind):
    with pytest.raises(TypeError, match=f"and not of {kind}$"):
        measure(given)


def test_ramanujan_metrics_of_a_list():
    layers = encode(network_with([0.6, 0.5, 0.5]), "rolled-channel", (2, 8, 8))
    rows = ramanujan.ramanujan_metrics(layers)
    assert [row.pop("layer_name") for row in rows] == ["0", "1", "3"]
    assert rows == [ramanujan.ramanujan_metrics(layer) for layer in layers]
