"""Spectra whose iterations run in float32, against dense solvers in float64."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from symmetric import KINDS, errors, iterations_only, symmetric_graph
from torch import nn

from graph_encoding import encode
from metrics import lanczos, probe, spectra
from metrics.lanczos import extreme_eigenvalues
from metrics.refinement import refined


@contextmanager
def single_only(basis=100):
    """No dense solver, no written-out matrix, and probes in float32 whatever the size."""
    with (
        iterations_only(basis),
        patch.object(spectra, "EXPLICIT_EDGES", -1),
        patch.object(probe, "SMALL_SIZE", 0),
    ):
        yield


class Matrix:
    """A symmetric matrix with the given eigenvalues; its products have the vector's precision."""

    def __init__(self, values, seed=0):
        draw = np.random.default_rng(seed)
        self.vectors, _ = np.linalg.qr(draw.standard_normal((len(values),) * 2))
        matrix = (self.vectors * values) @ self.vectors.T
        # What float32 holds exactly, as weights are.
        matrix = ((matrix + matrix.T) / 2).astype(np.float32)
        self.values = np.linalg.eigvalsh(matrix.astype(np.float64))
        self.matrices = {kind: matrix.astype(kind) for kind in (np.float32, np.float64)}
        self.products = {np.float32: 0, np.float64: 0}

    def __call__(self, x):
        self.products[x.dtype.type] += 1
        return self.matrices[x.dtype.type] @ x

    def errors(self, count, by_modulus=False, start=None):
        """Errors of what is found, relative to the largest modulus."""
        start = np.ones(len(self.values)) if start is None else start
        found = extreme_eigenvalues(self, start, count, by_modulus, single=True)
        key = -np.abs(self.values) if by_modulus else -self.values
        expected = self.values[np.argsort(key, kind="stable")][:count]
        if by_modulus:
            found, expected = np.abs(found), np.abs(expected)
        return np.abs(found - expected) / np.abs(self.values).max()


BULK = np.linspace(-0.5, 0.5, 400)


@pytest.mark.parametrize("by_modulus", [False, True])
@pytest.mark.parametrize(
    "top",
    [
        [1.0, 0.9, 0.8],
        [1.0, 1 - 1e-7, 0.8],
        [1.0, 1 - 1e-7, 1 - 2e-7, 0.8],
        [1.0, 0.8, 0.8 - 1e-7, 0.8 - 3e-7, 0.7],
        [1.0, 1 - 1e-5, 1 - 2e-5, 1 - 3e-5, 0.8],
        [1.0, 0.9, 0.9 - 1e-4, 0.9 - 2e-4],
        [1.0, -1 + 1e-7, 0.9, -0.9, 0.7],
    ],
)
def test_close_values(top, by_modulus):
    with single_only():
        matrix = Matrix(np.concatenate([top, BULK]))
        assert matrix.errors(3, by_modulus).max() <= 2e-9
        assert matrix.products[np.float32] > 0


def test_float32_does_the_work_where_it_is_precise_enough():
    with single_only():
        matrix = Matrix(np.concatenate([[1.0, 0.95, 0.9], BULK]))
        assert matrix.errors(3).max() <= 2e-9
    assert matrix.products[np.float64] < matrix.products[np.float32] / 2


def test_float64_takes_over_where_it_is_not():
    """Of values 1e-6 apart float32 cannot tell how many are above a level."""
    close = 1 - 1e-6 * np.arange(300)
    with single_only(basis=20):
        matrix = Matrix(np.concatenate([close, BULK]))
        assert matrix.errors(2).max() <= 2e-9
    assert matrix.products[np.float64] > 20


def test_two_values_too_close_for_float32_are_found_as_a_group_by_it():
    """Their own residuals are small long before it is seen that there are two."""
    with single_only(basis=20):
        matrix = Matrix(np.concatenate([[1.0, 0.99821, 0.998208], np.linspace(0, 0.997, 600)]))
        assert matrix.errors(2).max() <= 2e-9
    assert matrix.products[np.float64] < matrix.products[np.float32] / 10


@pytest.mark.parametrize("seed", range(3))
def test_what_the_start_does_not_reach_is_met_by_the_probe(seed):
    with single_only(), patch.object(lanczos, "NOISE", 0.0):
        matrix = Matrix(np.concatenate([[5, 4.999, 4.9, 4.8], 4 * (BULK + 0.5)]), seed)
        start = matrix.vectors @ np.where(np.arange(len(BULK) + 4) % 2, 0, 1.0)
        assert matrix.errors(4, start=start).max() <= 2e-9


def test_residuals_are_those_of_the_vectors():
    draw = np.random.default_rng(0)
    matrix = Matrix(np.concatenate([[1.0, 1 - 1e-6, 0.9], BULK]))
    exact = matrix.matrices[np.float64]
    rough = matrix.vectors[:, :3] + 1e-6 * draw.standard_normal((len(BULK) + 3, 3))
    basis = rough.T.astype(np.float32)
    ritz, inverse = refined(matrix, basis, by_modulus=False)
    vectors = basis.T.astype(np.float64) @ ritz.vectors
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(inverse, np.linalg.inv(basis @ basis.T.astype(np.float64)))
    residuals = np.linalg.norm(exact @ vectors - vectors * ritz.values, axis=0)
    assert (residuals <= ritz.residuals * (1 + 1e-9)).all()
    assert (ritz.residuals <= 3 * residuals.max()).all()
    assert np.abs(ritz.values - matrix.values[::-1][:3]).max() <= 1e-9


@settings(max_examples=12)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.sampled_from([20, 100]))
def test_symmetric_networks(kind, seed, basis):
    with single_only(basis):
        assert np.max(errors(symmetric_graph(kind, seed))) <= 2e-9


def linear(*weights):
    layers = [nn.Linear(*weight.shape[::-1], bias=False) for weight in weights]
    with torch.no_grad():
        for layer, weight in zip(layers, weights, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.astype(np.float32)))
    return encode(nn.Sequential(*layers), "unrolled", (weights[0].shape[1],))[0]


@pytest.mark.parametrize("scale", [1e30, 1e12, 1e8, 1e-8, 1e-12, 1e-30, 1e-38])
def test_weights_at_the_ends_of_the_range_of_float32(scale):
    draw = np.random.default_rng(1)
    with single_only():
        graph = linear(scale * draw.random((70, 60)), scale * draw.random((50, 70)))
        assert np.max(errors(graph)) <= 2e-9


def test_weights_of_very_different_sizes():
    """Squares of the small ones are nothing to float32, and nothing beside the large ones."""
    draw = np.random.default_rng(2)
    with single_only():
        graph = linear(*(10.0 ** draw.uniform(-40, 3, shape) for shape in [(70, 60), (50, 70)]))
        assert np.max(errors(graph)) <= 2e-9


def test_threads_of_torch_are_as_before():
    graph = linear(np.ones((3, 2)))
    before = torch.get_num_threads()
    with graph.product.alone():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_products_do_not_depend_on_the_threads_of_torch():
    draw = np.random.default_rng(0)
    graph = linear(draw.random((1000, 2048)))
    x = draw.standard_normal(graph.num_nodes).astype(np.float32)

    def product():
        with graph.product.alone():
            return graph.product.symmetric(x).tobytes()

    found, before = set(), torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with ThreadPoolExecutor(1) as pool:  # where metrics are computed
            found.add(pool.submit(product).result())
    torch.set_num_threads(before)
    assert len(found) == 1


def test_what_rounding_does_to_a_probe():
    """The bound holds the length of the errors' effect, by the recurrence with an error a step."""
    draw = np.random.default_rng(1)
    steps, value, level = 30, 1.1, 1.1
    diagonal, beside = 0.2 * draw.standard_normal(steps), draw.uniform(0.3, 0.5, steps)

    def part(errors):
        """What the last vector has along an eigenvector of `value`, the first has one."""
        parts = [0.0, 1.0]
        for j in range(steps):
            before = beside[j - 1] * parts[-2] if j else 0.0
            parts.append(((value - diagonal[j]) * parts[-1] - before + errors[j]) / beside[j])
        return np.array(parts[1:])

    exact = part(np.zeros(steps))
    effects = [(part(unit)[-1] - exact[-1]) / exact[-1] for unit in np.eye(steps)]
    pivots = exact[1:] * beside / exact[:-1]
    grown = [np.array([p]) for p in exact[:-1]]
    weights = [np.array([1 / (p**2 * pivot)]) for p, pivot in zip(exact[:-1], pivots, strict=True)]
    expected = probe.ALIGNED * np.sqrt(2 / np.pi) * probe.ROUNDING * level
    expected *= np.linalg.norm(effects)
    assert probe._rounding(grown, weights, level) == pytest.approx(expected, rel=1e-9)
