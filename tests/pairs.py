"""Graphs as the program encodes them, each with its twin from `reference`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from networks import (
    DENSITIES,
    Network,
    Residual,
    bipartite_matrices,
    mixed_networks,
    networks,
    networks_along,
    sparsify,
)
from reference import ExplicitGraph, explicit_bipartite, explicit_graph
from torch import from_numpy, nn, no_grad

from graph_encoding import Graph, encode


class Pair(NamedTuple):
    """One graph, block by block and edge by edge."""

    graph: Graph
    explicit: ExplicitGraph


def unrolled(network: Network, wiring: str = "exact") -> Pair:
    """A network's multipartite graph."""
    module, shape = network.module, network.input_shape
    (graph,) = encode(module, "unrolled", shape, wiring)
    return Pair(graph, explicit_graph(module, shape, wiring))


def bipartite(matrix: np.ndarray) -> Pair:
    """The bipartite graph of a linear layer with these weights (left, right)."""
    return Pair(bipartite_graph(matrix), explicit_bipartite(matrix))


def bipartite_graph(matrix: np.ndarray) -> Graph:
    """The same without its twin."""
    layer = nn.Linear(*matrix.shape, bias=False)
    with no_grad():
        layer.weight.copy_(from_numpy(matrix.T.copy()))
    (graph,) = encode(nn.Sequential(layer), "rolled")
    return graph


def pairs(max_nodes: int = 500, max_side: int = 12) -> st.SearchStrategy[Pair]:
    """Multipartite graphs of small networks in both wirings, and random bipartite graphs."""
    return st.one_of(
        networks(max_nodes).map(unrolled),
        *(networks_along(dims, min(max_nodes, 150)).map(unrolled) for dims in (1, 2, 3)),
        strided_networks().map(lambda network: unrolled(network, "published")),
        bipartite_matrices(max_side).map(bipartite),
    )


def mixed_pairs(max_nodes: int = 120) -> st.SearchStrategy[Pair]:
    """Multipartite graphs of networks of all kinds, without and with identity shortcuts."""
    some = st.one_of(mixed_networks(max_nodes), networks_along(2, max_nodes))
    return st.builds(unrolled, some, st.sampled_from(("exact", "identity")))


@st.composite
def strided_networks(draw) -> Network:
    """Residual networks on even maps with the convolutions that the published wiring changes."""
    channels, size = draw(st.integers(1, 3)), draw(st.sampled_from((4, 6, 8)))
    width = draw(st.integers(1, 3))
    body = [nn.Conv2d(channels, width, 3, 2, 1), nn.Conv2d(width, width, 3, 1, 1)]
    module = nn.Sequential(
        nn.Conv2d(1, channels, 3, 1, 1),
        Residual(nn.Sequential(*body), nn.Conv2d(channels, width, 1, 2)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 3),
    )
    densities = draw(st.lists(st.sampled_from(DENSITIES[:-1]), min_size=1, max_size=4))
    sparsify(module, draw(st.integers(0, 2**32 - 1)), densities)
    return Network(module, (1, size, size))
