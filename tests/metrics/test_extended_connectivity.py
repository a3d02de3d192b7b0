"""Algebraic connectivity and normalised gap beside dense and other sparse solvers."""

from contextlib import contextmanager
from unittest.mock import patch

import networkx
import numpy as np
import pytest
import scipy.sparse.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import sparsify
from pairs import bipartite_graph, mixed_pairs, pairs
from symmetric import KINDS, symmetric_graph
from torch import nn

from graph_encoding import Graph, encode
from metrics import lanczos
from metrics.extended import connectivity
from metrics.extended.coarse import coarse_correction
from metrics.extended.connectivity import algebraic_connectivity, normalised_gap
from metrics.extended.unweighted import unweighted


@contextmanager
def iterations_only():
    """No dense solver, nothing written out."""
    with (
        patch.object(connectivity, "DENSE_SIZE", 0),
        patch.object(connectivity, "EXPLICIT_EDGES", 0),
        patch.object(lanczos, "DENSE_SIZE", 0),
    ):
        yield


def largest(graph: Graph) -> networkx.Graph | None:
    """The largest component, of equal ones the first by its nodes' numbers."""
    plain = graph.to_networkx().to_undirected()
    nodes = max(sorted(map(sorted, networkx.connected_components(plain))), key=len)
    return plain.subgraph(nodes) if len(nodes) > 1 else None


def expected(graph: Graph) -> list[float | None]:
    part = largest(graph)
    if part is None:
        return [None, None]
    adjacency = networkx.to_numpy_array(part, weight=None)
    degree = adjacency.sum(axis=0)
    root = np.sqrt(degree)
    laplacian = np.diag(degree) - adjacency
    return [
        np.linalg.eigvalsh(matrix)[1] for matrix in (laplacian, laplacian / root / root[:, None])
    ]


def found(graph: Graph) -> list[float | None]:
    return [
        algebraic_connectivity(graph)["algebraic_connectivity"],
        normalised_gap(graph)["normalised_spectral_gap"],
    ]


def assert_close(values, others):
    for value, other in zip(values, others, strict=True):
        assert (value is None) == (other is None)
        assert value is None or value == pytest.approx(other, rel=1e-7, abs=1e-12)


@settings(max_examples=15)
@given(pairs(max_nodes=200) | mixed_pairs())
def test_small_graphs(pair):
    assert_close(found(pair.graph), expected(pair.graph))


@settings(max_examples=8)
@given(pairs(max_nodes=150) | mixed_pairs())
def test_small_graphs_by_iterations_only(pair):
    with iterations_only():
        assert_close(found(pair.graph), expected(pair.graph))


@settings(max_examples=3)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
def test_symmetric_graphs_by_iterations_only(kind, seed):
    graph = symmetric_graph(kind, seed)
    with iterations_only():
        assert_close(found(graph), expected(graph))


def test_of_two_components_as_large_the_first():
    """A path of four nodes, and a star of as many."""
    matrix = np.zeros((5, 4), np.float32)
    matrix[0, 0] = matrix[0, 1] = matrix[1, 1] = 1
    matrix[2:5, 2] = 1
    assert found(bipartite_graph(matrix))[0] == pytest.approx(2 - np.sqrt(2))
    # The star's nodes come first.
    assert found(bipartite_graph(matrix[::-1].copy()))[0] == pytest.approx(1)


@pytest.mark.parametrize("written_out", [False, True])
def test_thousands_of_nodes(written_out, monkeypatch):
    """Beside a direct factorisation."""
    monkeypatch.setattr(connectivity, "EXPLICIT_EDGES", 10**6 if written_out else 0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, 2, padding=1),
        nn.Flatten(),
        nn.Linear(4 * 9 * 9, 10),
    )
    sparsify(module, 0, [0.8, 0.6, 0.3])
    (graph,) = encode(module, "unrolled", (1, 18, 18))
    adjacency = networkx.to_scipy_sparse_array(largest(graph), weight=None, dtype=float)
    degree = adjacency.sum(axis=0)
    laplacian = (scipy.sparse.diags_array(degree) - adjacency).tocsc()
    assert len(degree) > connectivity.DENSE_SIZE
    for value, mass in zip(found(graph), (np.ones(len(degree)), degree), strict=True):
        # The second of L x = l M x, by shift and invert.
        values = scipy.sparse.linalg.eigsh(
            laplacian,
            3,
            scipy.sparse.diags_array(mass).tocsc(),
            sigma=-1e-3,
            return_eigenvectors=False,
        )
        assert value == pytest.approx(np.sort(values)[1], rel=1e-8)


def test_giving_up_is_said(monkeypatch):
    monkeypatch.setattr(connectivity, "MOST_VISITS", 10)
    graph = bipartite_graph(np.ones((5, 7), np.float32))
    with iterations_only(), pytest.warns(RuntimeWarning, match="left empty"):
        assert found(graph) == [None, None]


@settings(max_examples=12)
@given(pairs(max_nodes=150) | mixed_pairs())
def test_coarse_correction_solves_between_boxes(pair):
    """Symmetric, and a projection in the energy of the Laplacian: solved once, nothing is left."""
    graph = pair.graph
    correction = coarse_correction(unweighted(graph))
    if correction is None:
        assert not graph.is_regular
        return
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((2, graph.num_nodes))
    assert x @ correction(y) == pytest.approx(y @ correction(x), abs=1e-8)
    matrix = (graph.to_scipy() != 0).astype(float)
    matrix = matrix + matrix.T
    laplacian = scipy.sparse.diags_array(matrix.sum(axis=0)) - matrix
    coarse = correction(laplacian @ x)
    again = correction(laplacian @ coarse)
    np.testing.assert_allclose(laplacian @ again, laplacian @ coarse, atol=1e-7)
