"""Ramanujan metrics against their definitions, spelled out on the whole adjacency matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graph_encoding
import models
from graph_encoding.rolled import rolled
from ramanujan import ramanujan_metrics


def moduli(matrix):
    """Eigenvalue moduli of the symmetric adjacency matrix, falling."""
    left, right = matrix.shape
    whole = np.zeros((left + right, left + right))
    whole[:left, left:] = matrix
    return np.sort(np.abs(np.linalg.eigvalsh(whole + whole.T)))[::-1]


def drop_isolated(matrix):
    return matrix[(matrix > 0).any(axis=1)][:, (matrix > 0).any(axis=0)]


def mean_degrees(matrix):
    edges = (matrix > 0).sum()
    return edges / matrix.shape[0], edges / matrix.shape[1]


def bound(matrix):
    left, right = mean_degrees(matrix)
    return np.sqrt(left - 1) + np.sqrt(right - 1)


def by_definition(matrix):
    """``delta_r``, ``imdb`` and ``iterative_spectral_gap`` of a left x right matrix."""
    kept = drop_isolated(matrix)
    delta_r = None
    if sum(kept.shape) >= 4 and bound(kept) > 0:
        delta_r = (bound(kept) - moduli(kept > 0)[2]) / bound(kept)
    slacks, gaps = [], []
    degrees = (matrix > 0).sum(axis=1)
    for degree in range(3, matrix.shape[1] + 1):
        part = drop_isolated(matrix[degrees == degree])
        if part.size and min(mean_degrees(part)) >= 3:
            slacks.append((bound(part) - moduli(part > 0)[2]) / bound(part))
            gaps.append(moduli(part)[0] - moduli(part)[2])
    if not slacks:
        return delta_r, None, None
    return delta_r, np.mean(slacks), np.mean(gaps)


@settings(max_examples=150)
@given(
    left=st.integers(1, 14),
    right=st.integers(1, 10),
    density=st.sampled_from([0.0, 0.15, 0.5, 0.8, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_matrices(left, right, density, seed):
    stream = np.random.default_rng(seed)
    weight = stream.standard_normal((right, left)) * (stream.random((right, left)) < density)
    graph = rolled("layer", weight.astype(np.float32))
    values = ramanujan_metrics(graph)
    expected = by_definition(np.abs(weight.astype(np.float32)).T.astype(np.float64))
    found = tuple(values[name] for name in ("delta_r", "imdb", "iterative_spectral_gap"))
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        assert one is None or one == pytest.approx(other, rel=1e-9, abs=1e-9)


def test_complete_bipartite_graph_by_hand():
    """All degrees are 4 and 5; the unweighted matrix has rank one, so mu is zero."""
    values = ramanujan_metrics(rolled("layer", np.full((4, 5), 2.0, np.float32)))
    assert values["delta_r"] == pytest.approx(1)
    assert values["imdb"] == pytest.approx(1)
    assert values["iterative_spectral_gap"] == pytest.approx(2 * np.sqrt(20))
    assert (values["edges"], values["nodes"], values["layer_density"]) == (20, 9, 1.0)


def test_a_multipartite_graph_is_refused():
    (graph,) = graph_encoding.encode(models.build("Resnet-20", 10))
    with pytest.raises(ValueError, match="rolled, rolled-channel"):
        ramanujan_metrics(graph)
