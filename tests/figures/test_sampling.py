"""Edges looked up by number, kept and removed, against the edges written out."""

import copy
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import networks, sparsify
from pairs import strided_networks
from torch import nn, no_grad

from figures.sampling import Edges, RemovedEdges, groups_of, shares, spread
from graph_encoding import encode


def graph_of(network, wiring="exact"):
    (graph,) = encode(network.module, "unrolled", network.input_shape, wiring)
    return graph


def dense_graph(network, wiring="exact"):
    """The graph before pruning."""
    module = copy.deepcopy(network.module)
    with no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.fill_(1)
    (graph,) = encode(module, "unrolled", network.input_shape, wiring)
    return graph


def all_of(edges) -> Counter:
    source, target = edges[np.arange(edges.count)]
    return Counter(zip(source.tolist(), target.tolist(), strict=True))


def streamed(block) -> Counter:
    found = Counter()
    for source, target, _ in block.edges(1000):
        found.update(zip(source.tolist(), target.tolist(), strict=True))
    return found


def check(network, wiring="exact"):
    kept, dense = graph_of(network, wiring), dense_graph(network, wiring)
    for block, whole in zip(kept.blocks, dense.blocks, strict=True):
        edges, removed = Edges(block), RemovedEdges(block)
        assert edges.count == block.num_edges
        assert all_of(edges) == streamed(block)
        assert edges.count + removed.count == whole.num_edges
        assert all_of(edges) + all_of(removed) == streamed(whole)


@settings(max_examples=20)
@given(networks(max_nodes=250))
def test_every_edge_kept_or_removed(network):
    """Strided, padded, dilated, grouped and pooled layers: together they are the dense network."""
    check(network)


@settings(max_examples=12)
@given(strided_networks())
def test_of_the_published_wiring(network):
    check(network, "published")


@settings(max_examples=20)
@given(networks(max_nodes=250), st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_sampled_edges_are_edges(network, seed, size):
    kept, dense = graph_of(network), dense_graph(network)
    rng = np.random.default_rng(seed)
    for block, whole in zip(kept.blocks, dense.blocks, strict=True):
        there, before = streamed(block), streamed(whole)
        for edges, allowed in ((Edges(block), there), (RemovedEdges(block), before - there)):
            numbers, lengths = spread(edges.count, size, rng)
            source, target = edges[numbers]
            found = Counter(zip(source.tolist(), target.tolist(), strict=True))
            assert found <= allowed
            assert found.total() == min(size, edges.count)
            assert lengths.sum() == edges.count


def test_every_edge_is_as_likely():
    """Over many samples of a pooled and strided block each edge stands for one edge on average."""
    layer = nn.Conv2d(2, 3, 3, 2, 1)
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(2), layer)
    sparsify(module, 3, [0.5])
    (graph,) = encode(module, "unrolled", (1, 10, 10))
    block = graph.blocks[-1]
    rng, runs, size = np.random.default_rng(0), 2000, 40
    for edges in (Edges(block), RemovedEdges(block)):
        assert edges.count > 3 * size
        stands_for = np.zeros(edges.count)
        for _ in range(runs):
            numbers, lengths = spread(edges.count, size, rng)
            stands_for[numbers] += lengths
        # An edge is picked with probability 1/l from a stretch of l and then stands for l.
        error = (stands_for - runs) / np.sqrt(runs * (edges.count / size - 1))
        assert np.abs(error).max() < 5
        assert 0.8 < (error**2).mean() < 1.2


@given(st.integers(0, 10**15), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_spread(count, size, seed):
    numbers, lengths = spread(count, size, np.random.default_rng(seed))
    assert len(numbers) == len(lengths) == min(count, size)
    assert lengths.sum() == count
    assert (np.diff(numbers) > 0).all()
    if count:
        assert numbers[0] >= 0 and numbers[-1] < count
        assert lengths.max() - lengths.min() <= 1
    again, _ = spread(count, size, np.random.default_rng(seed))
    assert (numbers == again).all()


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.integers(1, 10**6))
def test_shares(counts, size):
    found = shares(counts, size, least=7)
    assert all(part <= count for part, count in zip(found, counts, strict=True))
    assert all(part >= min(7, count) for part, count in zip(found, counts, strict=True))
    assert sum(found) <= size + 7 * len(counts)
    if sum(counts) <= size:
        assert found == counts


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups(groups):
    module = nn.Sequential(nn.Conv2d(4, 8, 3, groups=groups))
    sparsify(module, 0, [0.5])
    (graph,) = encode(module, "unrolled", (4, 5, 5))
    assert groups_of(graph.blocks[0]) == groups


def test_rolled_channel_graphs_do_not_tell_what_was_removed():
    module = nn.Sequential(nn.Conv2d(4, 8, 3))
    sparsify(module, 0, [0.1])
    (graph,) = encode(module, "rolled-channel")
    with pytest.raises(ValueError, match="its edges are not its weights"):
        RemovedEdges(graph.blocks[0])
    (graph,) = encode(module, "rolled")
    assert RemovedEdges(graph.blocks[0]).count == 4 * 8 * 9 - graph.num_edges


def test_removed_of_layers_without_and_with_all_weights():
    for density in (0.0, 1.0):
        module = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1))
        sparsify(module, 0, [density])
        (graph,) = encode(module, "unrolled", (2, 4, 4))
        counts = Edges(graph.blocks[0]).count, RemovedEdges(graph.blocks[0]).count
        assert counts == ((0, 864) if density == 0 else (864, 0))
