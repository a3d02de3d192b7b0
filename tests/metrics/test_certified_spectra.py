"""Spectra of networks whose eigenvalues are multiple, close, or unseen by a symmetric start.

``PYTHONPATH=. python tests/symmetric.py 2000`` tries many more graphs of the same kinds.
"""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import sparsify
from symmetric import KINDS, errors, iterations_only, symmetric_graph
from torch import nn

from graph_encoding import Graph, encode
from metrics import lanczos, topometrics
from metrics.lanczos import extreme_eigenvalues
from metrics.spectra import adjacency_moduli, spectral_gap


@settings(max_examples=60)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.sampled_from([20, 100]))
def test_symmetric_networks_by_iterations_only(kind, seed, basis):
    with iterations_only(basis):
        assert np.max(errors(symmetric_graph(kind, seed))) <= 2e-9


@settings(max_examples=20)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
def test_symmetric_networks(kind, seed):
    assert np.max(errors(symmetric_graph(kind, seed))) <= 2e-9


def equal_convolution():
    layer = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.ones_(layer.weight)
    return layer


def test_a_line_whose_third_modulus_was_the_fifth():
    torch.manual_seed(0)
    module = nn.Conv2d(1, 8, (1, 7), padding=(0, 3))
    (graph,) = encode(module, "unrolled", (1, 1, 256))
    for threshold in (lanczos.DENSE_SIZE, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lanczos, "DENSE_SIZE", threshold)
            assert adjacency_moduli(graph)[2] == pytest.approx(3.78559719, abs=1e-8)
            assert spectral_gap(graph)["spectral-gap"] == pytest.approx(0.0032410, abs=1e-7)


def chain(width: int, depth: int) -> nn.Module:
    layers = [nn.Linear(width, width, bias=False) for _ in range(depth)]
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("module", "shape", "gap"),
    [
        (equal_convolution(), (1, 20, 30), 0.08893),
        (chain(5, 90), (5,), 0.017483),
        (chain(1, 599), (1,), None),
        (chain(2, 299), (2,), None),
    ],
    ids=["equal kernel", "narrow", "chain of 600", "double chain"],
)
def test_equal_weights(module, shape, gap):
    (graph,) = encode(module, "unrolled", shape)
    if gap:
        assert spectral_gap(graph)["spectral-gap"] == pytest.approx(gap, rel=1e-4)
    assert np.max(errors(graph)) <= 2e-9


def singular_values(graph: Graph, count: int) -> np.ndarray:
    """The largest, by another program that looks for more than these from a random start."""
    matrix = graph.to_scipy().astype(np.float64)
    values = scipy.sparse.linalg.eigsh(
        (matrix + matrix.T).tocsr(),
        3 * count,
        which="LA",
        ncv=20 * count,
        tol=1e-11,
        v0=np.random.default_rng(0).standard_normal(graph.num_nodes),
        return_eigenvectors=False,
    )
    return np.sort(values)[::-1][:count]


def seeded_convolutions(*channels: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Conv2d(*ends, 3, padding=1) for ends in pairwise(channels)))


@pytest.mark.parametrize(
    ("channels", "shape", "gap"),
    [((1, 1), (1, 64, 64), 0.0018858), ((1, 8, 8), (1, 16, 120), None)],
    ids=["thousands of nodes", "millions of edges"],
)
def test_maps(channels, shape, gap):
    (graph,) = encode(seeded_convolutions(*channels), "unrolled", shape)
    first, third = singular_values(graph, 2)
    if gap:
        assert first - third == pytest.approx(gap, abs=1e-7)
    assert adjacency_moduli(graph) == pytest.approx([first, first, third], abs=1e-9 * first)


def test_weakly_joined_clusters():
    """Thirty clusters of one spectrum, joined by edges of 1e-5: thirty close eigenvalues."""
    draw = np.random.default_rng(0)
    cluster = draw.random((12, 12))
    layer = np.kron(np.eye(30), cluster)
    for number in range(30):
        layer[12 * number, 12 * ((number + 1) % 30)] += 1e-5
    module = nn.Linear(360, 360, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(layer))
    (graph,) = encode(nn.Sequential(module), "unrolled", (360,))
    with iterations_only():
        assert np.max(errors(graph)) <= 2e-9
    assert np.max(errors(graph)) <= 2e-9


def test_what_one_thread_finds_several_find(monkeypatch):
    monkeypatch.setattr(lanczos, "DENSE_SIZE", 0)
    module = nn.Sequential(equal_convolution(), nn.Conv2d(1, 2, 3, padding=1))
    sparsify(module, 0, [1.0, 0.7])
    (graph,) = encode(module, "unrolled", (1, 18, 18))
    assert topometrics(graph, threads=1) == topometrics(graph, threads=2)


@pytest.mark.parametrize("by_modulus", [False, True])
@pytest.mark.parametrize("copies", [2, 3, 9])
def test_multiplicities(copies, by_modulus, monkeypatch):
    """A single vector sees each eigenvalue once."""
    monkeypatch.setattr(lanczos, "DENSE_SIZE", 0)
    draw = np.random.default_rng(1)
    values = np.concatenate([[4], np.full(copies, 3.0), -2 + 4 * draw.random(400)])
    vectors, _ = np.linalg.qr(draw.standard_normal((len(values),) * 2))
    matrix = (vectors * values) @ vectors.T
    for count in (1, 2, 3, 4):
        found = extreme_eigenvalues(matrix.__matmul__, np.ones(len(values)), count, by_modulus)
        np.testing.assert_allclose(found, np.sort(values)[::-1][:count], atol=4e-9)


def test_an_eigenvector_that_the_start_is_orthogonal_to(monkeypatch):
    """As the odd ones of a mirrored graph are to a mirrored guess."""
    draw = np.random.default_rng(2)
    vectors, _ = np.linalg.qr(draw.standard_normal((500, 500)))
    values = np.concatenate([[5, 4.999, 4.9, 4.8], 4 * draw.random(496)])
    matrix = (vectors * values) @ vectors.T
    start = vectors @ np.where(np.arange(500) % 2, 0, 1.0)
    monkeypatch.setattr(lanczos, "NOISE", 0.0)
    monkeypatch.setattr(lanczos, "DENSE_SIZE", 0)
    found = extreme_eigenvalues(matrix.__matmul__, start, 4)
    np.testing.assert_allclose(found, values[:4], atol=5e-9)


def test_a_small_second_singular_value_keeps_its_digits():
    """The squares of the singular values would lose it."""
    draw = np.random.default_rng(0)
    for part in (0.0, 1e-6, 1e-4, 1e-2):
        matrix = np.ones((300, 280)) + part * draw.random((300, 280))
        module = nn.Linear(280, 300, bias=False)
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(matrix))
        (graph,) = encode(nn.Sequential(module), "unrolled", (280,))
        assert np.max(errors(graph)) <= 2e-9
