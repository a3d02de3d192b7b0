"""The torch products, run on CPU tensors, against those in compiled code and the explicit graph."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import networks

import graph_encoding
import metrics
import models
import pruning
from graph_encoding.axis import Axis
from graph_encoding.block import Block
from graph_encoding.grid import NodeLayer
from graph_encoding.products import hybrid
from graph_encoding.products.dense import TorchProduct
from graph_encoding.products.sparse import AdjacencyProduct


@settings(max_examples=60)
@given(networks())
def test_products_are_those_of_the_written_out_matrix(network):
    (graph,) = graph_encoding.encode(network.module, "unrolled", network.input_shape)
    matrix = graph.to_scipy().astype(np.float64)
    x = np.random.default_rng(0).standard_normal(graph.num_nodes)
    nodes, blocks = graph.num_nodes, graph.blocks
    for product in (AdjacencyProduct(nodes, blocks), TorchProduct(nodes, blocks, "cpu")):
        assert product.forward(x) == pytest.approx(matrix.T @ x)
        assert product.backward(x) == pytest.approx(matrix @ x)
        assert product.symmetric(x) == pytest.approx(matrix @ x + matrix.T @ x)


def axes():
    """Every kernel, stride, padding (a negative one crops) and dilation; a third are pooled."""
    sizes = (1, 2, 3, 5), (1, 2, 3), (1, 2, 3), (-1, 0, 1, 2), (1, 2)
    for i, (size, taps, stride, padding, dilation) in enumerate(itertools.product(*sizes)):
        reach = size + 2 * padding - dilation * (taps - 1) - 1
        geometry = reach // stride + 1, taps, stride, padding, dilation
        if reach < 0:
            continue
        if i % 3:
            yield Axis(size, *geometry)
            continue
        start, width = (1 + i % 4) * np.arange(size), 1 + i % 5  # with gaps, or overlapping
        windows = np.stack([start, start + width], axis=1)
        yield Axis(int(windows.max()), *geometry, windows)


def test_any_geometry():
    random = np.random.default_rng(0)
    every = list(axes())
    for rows, columns in zip(every, random.permutation(every), strict=True):
        source = NodeLayer("source", 0, 2, rows.source_size, columns.source_size)
        target = NodeLayer("target", source.stop, 3, rows.target_size, columns.target_size)
        shape = 3, 2, rows.taps, columns.taps
        weights = random.random(shape) * (random.random(shape) < 0.7)
        entries = np.nonzero(weights)
        weight = weights[entries].astype(np.float32)
        kept = len(weight), weights.size
        block = Block("block", source, target, *entries, weight, rows, columns, *kept)
        matrix = np.zeros((target.stop, target.stop))
        for sources, targets, weight in block.edges(1000):
            np.add.at(matrix, (sources, targets), weight)
        x = random.standard_normal(target.stop)
        for product in (
            AdjacencyProduct(target.stop, [block]),
            TorchProduct(target.stop, [block], "cpu"),
        ):
            np.testing.assert_allclose(product.forward(x), matrix.T @ x, atol=1e-12)
            np.testing.assert_allclose(product.backward(x), matrix @ x, atol=1e-12)
        short = AdjacencyProduct(target.stop, [block]).symmetric(x.astype(np.float32))
        np.testing.assert_allclose(short, matrix @ x + matrix.T @ x, atol=1e-4)


def test_places_in_the_planes_of_the_largest_networks():
    """They need 64 bits."""
    (graph,) = graph_encoding.encode(models.build("Resnet-20", 10), "unrolled", (3, 8, 8))
    x = np.random.default_rng(0).standard_normal(graph.num_nodes)
    short, long = (AdjacencyProduct(graph.num_nodes, graph.blocks) for _ in range(2))
    for block in long.blocks:
        block.index = np.int64
    assert long.blocks[0].by_target[1].dtype == np.int64
    assert long.symmetric(x).tolist() == short.symmetric(x).tolist()


def test_a_papers_network():
    model = models.build("Resnet-20", 10)
    pruning.apply_masks(model, pruning.prune("erk", model, 0.98))
    (graph,) = graph_encoding.encode(model, "unrolled", (3, 16, 16), "published")
    x = np.random.default_rng(0).standard_normal(graph.num_nodes)
    side = np.zeros(graph.num_nodes, bool)
    side[graph.layers[0].offset : graph.layers[0].stop] = True
    nodes, blocks = graph.num_nodes, graph.blocks
    compiled, dense = AdjacencyProduct(nodes, blocks), TorchProduct(nodes, blocks, "cpu")
    assert dense.symmetric(x) == pytest.approx(compiled.symmetric(x), rel=1e-9, abs=1e-9)
    assert dense.across(x, side) == pytest.approx(compiled.across(x, side), rel=1e-9, abs=1e-9)


def test_the_spectra_do_not_depend_on_where_products_run(monkeypatch):
    model = models.build("Resnet-20", 10)
    pruning.apply_masks(model, pruning.prune("erk", model, 0.99))
    (graph,) = graph_encoding.encode(model, "unrolled", (3, 16, 16))
    expected = metrics.topometrics(graph)
    asked = []

    def on_cpu(num_nodes, blocks, device):
        asked.append(device)
        return TorchProduct(num_nodes, blocks, "cpu")

    monkeypatch.setattr("graph_encoding.products.dense.TorchProduct", on_cpu)
    values = metrics.topometrics(graph, device="cuda:0")
    assert asked == ["cuda:0"]
    assert values == pytest.approx(expected, rel=1e-7)


@settings(max_examples=40)
@given(networks(), st.sampled_from([0.0, 0.5, 2.0]))
def test_products_in_float32(network, density):
    """Dense, sparse, or some of either."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DENSITY", "DOUBLE_DENSITY", "MATRIX_DENSITY", "MATRIX_DOUBLE_DENSITY"):
            patch.setattr(hybrid, name, density)
        (graph,) = graph_encoding.encode(network.module, "unrolled", network.input_shape)
        product = hybrid.HybridProduct(graph.num_nodes, graph.blocks)
    x = np.random.default_rng(0).standard_normal(graph.num_nodes)
    exact = AdjacencyProduct(graph.num_nodes, graph.blocks)
    short = x.astype(np.float32)
    for name in ("forward", "backward", "symmetric"):
        expected = getattr(exact, name)(x)
        found = getattr(product, name)(short)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5 * max(np.abs(expected).max(), 1))
        assert getattr(product, name)(x) == pytest.approx(expected)
