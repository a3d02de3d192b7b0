"""Topometrics of whole networks against values computed by other programs (see `golden`)."""

import numpy as np
import pytest
from golden import NETWORKS, graphs, in_half_precision, table

from metrics import METRICS, spectra, topometrics
from metrics.motifs import four_cycles
from metrics.registry import measure
from metrics.spectra import adjacency_moduli

COUNTS = (
    *("nodes", "edges", "sink_nodes", "source_nodes", "disconnected_nodes"),
    *("removable_out", "removable_in", "motifs"),
    *("cut-edges", "cut-nodes", "connected_components"),
)
UNROLLED = [index for index, network in enumerate(NETWORKS) if "unrolled_exact" in network]


def assert_equal(values: dict, expected: dict, gap_tolerance: float) -> int:
    """Counts to all digits, the rest to 1e-6; the gap as precisely as the other program's."""
    compared = [column for column in expected if column in values]
    for column in compared:
        if column in COUNTS:
            assert values[column] == expected[column], column
        else:
            tolerance = gap_tolerance if column == "spectral-gap" else 1e-6
            assert values[column] == pytest.approx(expected[column], rel=tolerance), column
    return len(compared)


def test_three_networks_are_held():
    assert [(n["model"], len(n["layers"])) for n in NETWORKS] == [
        ("Resnet-20", 22),
        ("CONV-6", 9),
        ("Resnet-20", 22),
    ]
    assert UNROLLED == [0, 1]


@pytest.mark.parametrize("index", UNROLLED)
def test_exact(index, monkeypatch):
    (graph,) = graphs(index, "unrolled")
    expected = NETWORKS[index]["unrolled_exact"]
    assert [layer.size for layer in graph.layers] == expected["layer_nodes"]
    moduli = adjacency_moduli(graph)
    monkeypatch.setattr(spectra, "adjacency_moduli", lambda graph: moduli)  # known now
    assert assert_equal(topometrics(graph), expected, gap_tolerance=1e-6) == 18
    assert four_cycles(graph) == expected["four_cycles"]
    assert moduli == pytest.approx(expected["adjacency_abs_eigenvalues"], rel=1e-9)


@pytest.mark.parametrize("index", UNROLLED)
def test_published(index):
    (graph,) = graphs(index, "unrolled", "published")
    expected = NETWORKS[index]["unrolled_published"]
    assert [layer.size for layer in graph.layers] == expected["layer_nodes"]
    # A network without stride-2 blocks has the graph of `test_exact`, whose spectra are known.
    all_of_it = index == UNROLLED[0]
    wanted = [found for found in METRICS if all_of_it or "spectra" not in found.where]
    values = measure(wanted, in_half_precision(graph))
    # The released code solves for the gap in single precision.
    assert assert_equal(values, expected, gap_tolerance=1e-4) == (17 if all_of_it else 15)
    estimates = expected["motif_estimates"]
    assert 0.5 * min(estimates) < values["motifs"] < 2 * max(estimates)


@pytest.mark.parametrize("encoding", ["rolled", "rolled-channel"])
@pytest.mark.parametrize("index", range(len(NETWORKS)))
def test_bipartite(index, encoding):
    expected = table(NETWORKS[index], f"{encoding} topometrics")
    found = {graph.layer_name: graph for graph in graphs(index, encoding)}
    assert list(found) == list(expected)
    for name, graph in found.items():
        values = topometrics(in_half_precision(graph))
        assert assert_equal(values, expected[name], gap_tolerance=1e-4) == 9, name


@pytest.mark.parametrize("encoding", ["rolled", "rolled-channel"])
@pytest.mark.parametrize("index", range(len(NETWORKS)))
def test_half_precision_moves_weighted_values_little(index, encoding):
    """The program itself keeps single precision."""
    expected = table(NETWORKS[index], f"{encoding} topometrics")
    for graph in graphs(index, encoding):
        row = expected[graph.layer_name]
        strength = 2 * sum(np.sum(b.weight, dtype=np.float64) for b in graph.blocks)
        assert strength / graph.num_nodes == pytest.approx(row["strength"], rel=2e-3)
        # A gap is a difference: its error is relative to the first modulus.
        first, _, third = adjacency_moduli(graph)
        assert first - third == pytest.approx(row["spectral-gap"], abs=2e-3 * first)
