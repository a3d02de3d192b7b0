"""Both ways to count are exact, and the cheaper one is taken, whatever the geometry."""

import tracemalloc
from collections.abc import Callable

import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Network, Residual, mixed_networks, networks, sparsify
from pairs import unrolled
from torch import nn

from graph_encoding import Graph, encode
from metrics import choice, triangles, walks, ways, written
from metrics.motifs import motifs
from metrics.neighbourhoods import total_two_hop, two_hop


def flattened(side: int, hidden: int = 20) -> nn.Sequential:
    layers = nn.Flatten(), nn.Linear(3 * side * side, hidden), nn.Linear(hidden, 10)
    return nn.Sequential(*layers)


def after_convolution(side: int) -> nn.Sequential:
    head = nn.Flatten(), nn.Linear(4 * side * side, 8), nn.Linear(8, 5)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(1), *head)


def depthwise(kernel: int) -> nn.Sequential:
    middle = nn.Conv2d(6, 6, kernel, padding=kernel // 2, groups=6)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), middle, nn.Conv2d(6, 4, 1))


def beside(kernel: int) -> nn.Sequential:
    """A shortcut over two layers with large kernels: triangles."""
    first = nn.Conv2d(3, 4, kernel, padding=kernel // 2)
    body = nn.Sequential(nn.Conv2d(3, 4, kernel, padding=kernel // 2), nn.Conv2d(4, 4, 1))
    return nn.Sequential(nn.Conv2d(3, 3, 1), Residual(body, first), nn.Conv2d(4, 2, 3))


GEOMETRIES = {
    "flattened": (flattened(8), 0.1),
    "flattened, dense": (flattened(4, 6), 1.0),
    "flattened, wide": (flattened(4, 30), 0.2),
    "after a convolution": (after_convolution(8), 0.3),
    "kernel of the whole map": (nn.Sequential(nn.Conv2d(3, 5, 8), nn.Conv2d(5, 4, 1)), 0.3),
    "huge kernel": (nn.Sequential(nn.Conv2d(2, 3, 7, padding=3), nn.Conv2d(3, 3, 5)), 0.1),
    "patches": (nn.Sequential(nn.Conv2d(3, 5, 4, 4), nn.Conv2d(5, 5, 2)), 0.5),
    "one position": (nn.Sequential(nn.Conv2d(12, 9, 1), nn.Conv2d(9, 7, 1)), 0.4),
    "depthwise": (depthwise(5), 0.2),
    "shortcut beside large kernels": (beside(5), 0.1),
    "small kernels": (nn.Sequential(nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3)), 0.3),
}
"""Networks with a density, for images of 8 x 8 (but as some need them)."""


def drawn(name: str) -> Network:
    module, density = GEOMETRIES[name]
    sparsify(module, 0, [density])
    channels = getattr(module[0], "in_channels", 3)
    side = {"flattened, dense": 4, "flattened, wide": 4, "one position": 1}.get(name, 8)
    return Network(module, (channels, side, side))


@pytest.fixture(params=[True, False], ids=["algebra", "written out"])
def one_way(request, monkeypatch):
    monkeypatch.setattr(choice, "is_cheaper", lambda *costs: request.param)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_either_way_is_exact(name, one_way):
    pair = unrolled(drawn(name))
    assert motifs(pair.graph) == {"motifs": oracle.motifs(pair.explicit)}
    expected = round(oracle.reached(pair.explicit, 2) * pair.explicit.num_nodes)
    assert total_two_hop(pair.graph) == expected


@settings(max_examples=20)
@given(st.one_of(networks(100), mixed_networks(60)), st.sampled_from(("exact", "identity")))
def test_all_ways_agree(network, wiring):
    graph, explicit = unrolled(network, wiring)
    expected = {"motifs": oracle.motifs(explicit)} | {"2-hop": oracle.reached(explicit, 2)}
    with pytest.MonkeyPatch.context() as patch:
        for chosen in (choice.is_cheaper, lambda *costs: True, lambda *costs: False):
            patch.setattr(choice, "is_cheaper", chosen)
            found = motifs(graph) | two_hop(graph)
            assert found == pytest.approx(expected, rel=1e-12)


LARGER = {
    "flattened": (flattened(32), 0.02, (3, 32, 32)),
    "flattened, dense": (flattened(8), 1.0, (3, 8, 8)),
    "after a convolution": (after_convolution(16), 0.1, (3, 16, 16)),
    "kernel of the whole map": (
        nn.Sequential(nn.Conv2d(3, 20, 24), nn.Conv2d(20, 10, 1)),
        0.02,
        (3, 24, 24),
    ),
    "huge kernel": (
        nn.Sequential(nn.Conv2d(3, 8, 15, padding=7), nn.Conv2d(8, 8, 3)),
        0.02,
        (3, 24, 24),
    ),
    "patches": (nn.Sequential(nn.Conv2d(3, 16, 8, 8), nn.Conv2d(16, 16, 3)), 0.1, (3, 32, 32)),
    "one position": (nn.Sequential(nn.Conv2d(90, 60, 1), nn.Conv2d(60, 30, 1)), 0.1, (90, 1, 1)),
    "depthwise": (depthwise(7), 0.5, (3, 16, 16)),
    "small kernels": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)),
        0.5,
        (3, 48, 48),
    ),
}


def larger(name: str) -> Graph:
    module, density, shape = LARGER[name]
    sparsify(module, 0, [density])
    (graph,) = encode(module, "unrolled", shape)
    return graph


def elements(graph: Graph, is_cheaper: Callable) -> int:
    """Numbers handled for the closed walks and triangles: products and their sums, or paths."""
    handled = 0

    def counting(function, size):
        def counted(*args, **kwargs):
            nonlocal handled
            result = function(*args, **kwargs)
            handled += size(result, *args)
            return result

        return counted

    def in_sums(counts, one, *_):
        return len(counts.value) * one.start.channels * one.end.channels + one.row_ways.size

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "is_cheaper", is_cheaper)
        counts = ways.Way.middle_counts
        patch.setattr(ways.Way, "middle_counts", counting(counts, lambda found, *_: found.size))
        for module in (ways, triangles):
            patch.setattr(module, "position_counts", counting(ways.position_counts, in_sums))
        patch.setattr(
            written,
            "neighbour_lists",
            counting(written.neighbour_lists, lambda found, *_: found.far.size),
        )
        visited = counting(written.walk_product, lambda _, group, others=None: paths(group, others))
        patch.setattr(written, "walk_product", visited)
        walks.closed_four_walks(graph)
        triangles.triangles(graph)
    return handled


def paths(group, others) -> int:
    return sum(way.paths for way in [*group, *(others or ())])


@pytest.mark.parametrize("name", LARGER)
def test_no_more_is_handled_than_in_the_cheaper_way(name):
    graph = larger(name)
    chosen, algebra, written_out = (
        elements(graph, is_cheaper)
        for is_cheaper in (choice.is_cheaper, lambda *costs: True, lambda *costs: False)
    )
    assert chosen <= 1.5 * min(algebra, written_out)


def test_memory_does_not_grow_with_the_square_of_the_positions():
    """A flattened map of 3 x 96 x 96, whose tables of positions alone would take 680 MB."""
    module = flattened(96)
    sparsify(module, 0, [0.02])
    (graph,) = encode(module, "unrolled", (3, 96, 96))
    tracemalloc.start()
    count, reached = motifs(graph), two_hop(graph)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6
    edges = graph.to_scipy().astype(bool).astype(int)
    assert reached["2-hop"] == ((edges + edges @ edges).nnz / graph.num_nodes) + 1
    assert count["motifs"] > 0
