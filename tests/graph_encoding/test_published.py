"""The ``published`` wiring: the released code's graph at stride-2 3 x 3 convolutions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from networks import networks, sparsify
from pairs import strided_networks, unrolled
from torch import nn

import models
from graph_encoding import encode


def edge_set(graph) -> set[tuple[int, int]]:
    return {
        pair
        for source, target, _ in graph.edges()
        for pair in zip(source.tolist(), target.tolist(), strict=True)
    }


@settings(max_examples=60)
@given(strided_networks())
def test_edges_are_those_of_the_written_out_graph(network):
    graph, explicit = unrolled(network, "published")
    assert [layer.offset for layer in graph.layers] == explicit.offsets[:-1]
    assert abs(graph.to_scipy().astype(np.float64) - explicit.matrix).max() == 0
    assert graph.num_edges == explicit.matrix.nnz
    matrix = explicit.matrix
    assert np.array_equal(graph.out_degree, np.diff(matrix.indptr))
    assert np.array_equal(graph.in_degree, np.bincount(matrix.indices, minlength=matrix.shape[0]))


def test_one_weight_by_hand():
    """Input of 1 x 4 x 4 taken to be 3 x 3: ids 0-8, and targets from id 9 on."""
    first, strided = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 3, 2, 1)
    with torch.no_grad():
        first.weight.zero_()
        strided.weight.zero_()
        strided.weight[0, 0, 1, 1] = 1
    model = nn.Sequential(first, strided)
    (exact,) = encode(model, "unrolled", (1, 4, 4), "exact")
    (published,) = encode(model, "unrolled", (1, 4, 4), "published")
    # 16 input nodes, then 16 nodes read by the strided convolution, then its 4 outputs.
    assert edge_set(exact) == {(16, 32), (18, 33), (24, 34), (26, 35)}
    assert edge_set(published) == {(16, 25), (18, 26), (22, 27), (24, 28)}
    assert [layer.size for layer in published.layers] == [16, 16, 4]


def unstrided(network) -> bool:
    return all(
        layer.stride == (1, 1) or layer.kernel_size != (3, 3)
        for layer in network.module.modules()
        if isinstance(layer, nn.Conv2d)
    )


@settings(max_examples=30)
@given(networks().filter(unstrided))
def test_networks_without_stride_are_wired_exactly(network):
    exact, published = unrolled(network).graph, unrolled(network, "published").graph
    assert edge_set(exact) == edge_set(published)


def test_conv6_is_wired_exactly():
    model = models.build("CONV-6", 10)
    sparsify(model, seed=0, densities=[0.001])
    exact, published = (encode(model, wiring=w)[0].to_scipy() for w in ("exact", "published"))
    assert abs(exact - published).max() == 0


@pytest.mark.parametrize(
    ("name", "sinks", "sources"),
    [("Resnet-20", 1504, 2000), ("Resnet-32", 1504, 2000), ("Wide-Resnet-28-2", 3008, 4000)],
)
def test_phantom_sources_and_sinks_of_the_published_results(name, sinks, sources):
    """Dense enough, no true node is a sink or a source; the published wiring makes some up."""
    model = models.build(name, 10)
    (exact,) = encode(model, wiring="exact")
    (published,) = encode(model, wiring="published")
    for graph, expected in ((exact, (0, 0)), (published, (sinks, sources))):
        fed, feeds = graph.in_degree > 0, graph.out_degree > 0
        inner = slice(graph.layers[1].offset, graph.layers[-1].offset)
        found = (fed & ~feeds)[inner].sum(), (feeds & ~fed)[inner].sum()
        assert found == expected
