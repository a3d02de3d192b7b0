"""Spectra of the unweighted graph beside those of the dense matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from pairs import bipartite_graph, mixed_pairs, pairs

from metrics.extended.unweighted import adjacency_spectrum, unweighted_radius


def dense(explicit) -> np.ndarray:
    """Unweighted symmetric adjacency matrix."""
    matrix = (explicit.matrix.toarray() != 0).astype(float)
    return matrix + matrix.T


@settings(max_examples=30)
@given(pairs(max_nodes=200) | mixed_pairs())
def test_spectra_are_those_of_the_dense_matrix(pair):
    matrix = dense(pair.explicit)
    moduli = np.sort(np.abs(np.linalg.eigvalsh(matrix)))[::-1][:3].tolist()
    moduli += [None] * (3 - len(moduli))
    found = adjacency_spectrum(pair.graph)
    for number, expected in enumerate(moduli, 1):
        value = found[f"unweighted_modulus_{number}"]
        assert (value is None) == (expected is None)
        assert value is None or value == pytest.approx(expected, abs=1e-7)
    gap = found["unweighted_spectral_gap"]
    assert (gap is None) == (None in moduli)
    assert gap is None or gap == pytest.approx(moduli[0] - moduli[2], abs=1e-7)
    laplacian = np.diag(matrix.sum(axis=0)) - matrix
    assert unweighted_radius(pair.graph)["unweighted_spectral_radius"] == pytest.approx(
        np.linalg.eigvalsh(laplacian)[-1], abs=1e-7
    )


def test_weights_do_not_matter():
    """A star of four rays: 2, -2 and zeros; Laplacian 5."""
    graph = bipartite_graph(np.array([[0.1], [3.0], [7.0], [1e-3]], np.float32))
    found = adjacency_spectrum(graph)
    assert found["unweighted_modulus_2"] == pytest.approx(2)
    assert found["unweighted_spectral_gap"] == pytest.approx(2)
    assert unweighted_radius(graph)["unweighted_spectral_radius"] == pytest.approx(5)
