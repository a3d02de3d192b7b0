"""Spectra against dense eigenvalue solvers."""

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import networks, sparsify
from pairs import bipartite, pairs, unrolled
from torch import nn

from graph_encoding import encode
from graph_encoding.rolled import rolled
from metrics import lanczos, spectra
from metrics.spectra import adjacency_moduli, spectral_gap, spectral_radius


def assert_equals_oracle(pair):
    if pair.explicit.num_nodes < 3:
        assert spectral_gap(pair.graph) == {"spectral-gap": None}
    else:
        expected = np.sort(np.abs(np.linalg.eigvalsh(oracle.adjacency(pair.explicit))))[::-1]
        scale = 1e-8 * max(expected[0], 1e-30)
        np.testing.assert_allclose(adjacency_moduli(pair.graph), expected[:3], atol=scale)
        gap = oracle.spectral_gap(pair.explicit)
        assert spectral_gap(pair.graph)["spectral-gap"] == pytest.approx(gap, abs=scale)
    radius = oracle.spectral_radius(pair.explicit)
    assert spectral_radius(pair.graph)["spectral-radius"] == pytest.approx(
        radius, rel=1e-8, abs=1e-12
    )


@settings(max_examples=25)
@given(pairs(max_nodes=300))
def test_spectra(pair):
    assert_equals_oracle(pair)


@settings(max_examples=15)
@given(networks(max_nodes=400))
def test_spectra_of_networks(network):
    assert_equals_oracle(unrolled(network))


@settings(max_examples=10)
@given(
    st.integers(130, 300), st.integers(130, 300), st.floats(0.005, 0.3), st.integers(0, 2**32 - 1)
)
def test_spectra_by_iteration(left, right, density, seed):
    """More nodes with edges than a dense solver is used for."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((left, right)) * (rng.random((left, right)) < density)
    assert_equals_oracle(bipartite(matrix.astype(np.float32)))


def test_equal_eigenvalues_are_all_found():
    """Three equal complete bipartite graphs: the first six eigenvalue moduli agree."""
    block = np.ones((100, 150))
    matrix = np.kron(np.eye(3), block).astype(np.float32)
    graph = bipartite(matrix).graph
    assert spectral_gap(graph)["spectral-gap"] == pytest.approx(0, abs=1e-6)
    assert adjacency_moduli(graph) == pytest.approx([np.sqrt(15_000)] * 3, rel=1e-8)


@pytest.mark.parametrize("channels", [5, 150])
@pytest.mark.parametrize("shape", [(4, 4), (1, 1)])
def test_equal_components_at_every_position(channels, shape):
    """A 1 x 1 convolution is one component a position, all with the same eigenvalues."""
    module = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False))
    sparsify(module, seed=2, densities=[0.3])
    (graph,) = encode(module, "unrolled", (channels, *shape))
    weight = np.abs(module[0].weight.detach().numpy()[:, :, 0, 0].astype(np.float64))
    first, second = np.linalg.svd(weight, compute_uv=False)[:2]
    third = first if shape[0] * shape[1] > 1 else second
    assert adjacency_moduli(graph) == pytest.approx([first, first, third], rel=1e-9)
    row, column = weight.sum(axis=1), weight.sum(axis=0)
    laplacian = np.block([[np.diag(row), -weight], [-weight.T, np.diag(column)]])
    radius = np.linalg.eigvalsh(laplacian)[-1]
    assert spectral_radius(graph)["spectral-radius"] == pytest.approx(radius, rel=1e-9)


def test_complete_bipartite_graph():
    graph = bipartite(np.full((500, 300), 2, np.float32)).graph
    # One pair of eigenvalues of modulus 2 sqrt(500 * 300), the rest 0; Laplacian 2 (500 + 300).
    assert spectral_gap(graph)["spectral-gap"] == pytest.approx(2 * np.sqrt(150_000), rel=1e-9)
    assert spectral_radius(graph)["spectral-radius"] == pytest.approx(1600, rel=1e-9)


def test_what_does_not_converge_is_said_and_left_empty(monkeypatch):
    monkeypatch.setattr(lanczos, "MOST_PRODUCTS", 4)
    graph = rolled("layer", np.random.default_rng(0).random((300, 300), dtype=np.float32) ** 9)
    with pytest.warns(RuntimeWarning, match="left empty"):
        assert spectra.spectral_gap(graph) == {"spectral-gap": None}
    with pytest.warns(RuntimeWarning, match="left empty"):
        assert spectra.spectral_radius(graph) == {"spectral-radius": None}


def test_what_converges_late_is_said(monkeypatch):
    monkeypatch.setattr(lanczos, "TOLERANCE", 1e-30)
    monkeypatch.setattr(lanczos, "MOST_PRODUCTS", 20)
    matrix = np.random.default_rng(0).random((300, 300), dtype=np.float32) ** 9
    with pytest.warns(RuntimeWarning, match="very close together"):
        radius = spectra.laplacian_radius(rolled("layer", matrix))
    explicit = np.block([[np.zeros((300, 300)), matrix.T], [matrix, np.zeros((300, 300))]])
    laplacian = np.diag(explicit.sum(axis=0)) - explicit
    assert radius == pytest.approx(np.linalg.eigvalsh(laplacian)[-1], rel=1e-6)


def test_equal_components_share_their_eigenvalues():
    """Two equal stars far apart: the three largest moduli are equal, so there is no gap."""
    weight = np.zeros((2, 800), np.float32)
    weight[0, :400] = weight[1, 400:] = 1
    graph = rolled("layer", weight)
    assert spectra.adjacency_moduli(graph) == pytest.approx([20, 20, 20])
    assert spectra.laplacian_radius(graph) == pytest.approx(401)
