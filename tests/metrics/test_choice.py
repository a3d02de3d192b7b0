"""Both ways to count are exact, and the cheaper one is taken, whatever the geometry."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Network, Residual, mixed_networks, networks, sparsify
from pairs import unrolled
from reference import ExplicitGraph
from torch import nn

from graph_encoding import encode
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
    "flattened, dense": (flattened(6), 1.0),
    "flattened, wide": (flattened(6, 60), 0.3),
    "after a convolution": (after_convolution(8), 0.3),
    "kernel of the whole map": (nn.Sequential(nn.Conv2d(3, 5, 8), nn.Conv2d(5, 4, 1)), 0.3),
    "huge kernel": (nn.Sequential(nn.Conv2d(2, 3, 7, padding=3), nn.Conv2d(3, 3, 5)), 0.2),
    "patches": (nn.Sequential(nn.Conv2d(3, 5, 4, 4), nn.Conv2d(5, 5, 2)), 0.5),
    "one position": (nn.Sequential(nn.Conv2d(12, 9, 1), nn.Conv2d(9, 7, 1)), 0.4),
    "depthwise": (depthwise(5), 0.5),
    "shortcut beside large kernels": (beside(7), 0.3),
    "small kernels": (nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)), 0.5),
}
"""Networks with a density, for images of 8 x 8 (but as some need them)."""


def drawn(name: str) -> Network:
    module, density = GEOMETRIES[name]
    sparsify(module, 0, [density])
    channels = next(m.in_channels for m in module if isinstance(m, nn.Conv2d)) if any(
        isinstance(m, nn.Conv2d) for m in module
    ) else 3
    side = {"flattened, dense": 6, "flattened, wide": 6, "one position": 1}.get(name, 8)
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
