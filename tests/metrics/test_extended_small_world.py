"""Small-worldness: cycles and lengths beside networkx, the random graph beside drawn ones."""

from itertools import combinations, permutations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from networks import sparsify
from pairs import bipartite_graph, mixed_pairs, pairs
from torch import nn

from graph_encoding import Graph, encode
from metrics.extended import distances
from metrics.extended.distances import path_length
from metrics.extended.layered import Layered, layered, random_clustering, random_length
from metrics.extended.small_world import small_world


def plain(graph: Graph) -> networkx.Graph:
    return graph.to_networkx().to_undirected()


def squares_and_paths(graph: networkx.Graph) -> tuple[int, int]:
    """Cycles and paths on four nodes, from the middle edge of a path and the ends of a cycle."""
    paths = sum(
        len({u, v, a, b}) == 4
        for u, v in graph.edges
        for a in graph[u]
        for b in graph[v]
        if a != v and b != u
    )
    cycles = 0
    for a, b in combinations(graph, 2):
        shared = len(set(graph[a]) & set(graph[b]))
        cycles += shared * (shared - 1) // 2
    return cycles // 2, paths


def mean_distance(graph: networkx.Graph) -> float:
    lengths = [
        length
        for start, reached in networkx.all_pairs_shortest_path_length(graph)
        for node, length in reached.items()
        if node != start
    ]
    return float(np.mean(lengths))


@settings(max_examples=12)
@given(pairs(max_nodes=100) | mixed_pairs(max_nodes=80))
def test_clustering_and_lengths_are_networkxs(pair):
    explicit = plain(pair.graph)
    found = small_world(pair.graph)
    cycles, paths = squares_and_paths(explicit)
    if paths:
        assert found["square_clustering"] == pytest.approx(4 * cycles / paths)
    else:
        assert found["square_clustering"] is None
    if not explicit.number_of_edges():
        assert found["path_length"] is found["small_worldness"] is None
        return
    assert found["path_length"] == pytest.approx(mean_distance(explicit))
    assert found["path_length_error"] == 0
    if found["small_worldness"] is not None:
        clustering = found["square_clustering"] / found["square_clustering_random"]
        length = found["path_length"] / found["path_length_random"]
        assert found["small_worldness"] == pytest.approx(clustering / length)


def network() -> Graph:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1)
    )
    sparsify(module, 0, [0.7, 0.5, 0.3])
    return encode(module, "unrolled", (1, 12, 12))[0]


def test_a_sample_of_starts_is_near_the_truth(monkeypatch):
    """Within four of its standard errors, which are no larger than a few percent."""
    graph = network()
    exact = path_length(graph)
    monkeypatch.setattr(distances, "EXACT_SIZE", 0)
    sampled = path_length(graph)
    assert exact.error == 0 < sampled.error < 0.03 * exact.mean
    assert abs(sampled.mean - exact.mean) <= 4 * sampled.error
    assert sampled == path_length(graph)


def test_standard_errors_are_those_of_repeated_samples(monkeypatch):
    graph = network()
    monkeypatch.setattr(distances, "EXACT_SIZE", 0)
    monkeypatch.setattr(distances, "STARTS", 60)
    original = np.random.default_rng
    found = []
    for seed in range(40):
        monkeypatch.setattr(np.random, "default_rng", lambda _, seed=seed: original(seed))
        found.append(path_length(graph))
    spread = np.std([length.mean for length in found], ddof=1)
    assert 0.6 < spread / np.mean([length.error for length in found]) < 1.6


def by_enumeration(random: Layered) -> float | None:
    """Expected cycles over expected paths, over all sequences of four nodes."""
    layer = np.repeat(np.arange(len(random.sizes)), random.sizes)
    chance = random.chances[layer][:, layer]
    paths = cycles = 0.0
    for a, b, c, d in permutations(range(len(layer)), 4):
        walk = chance[a, b] * chance[b, c] * chance[c, d]
        paths += walk / 2
        cycles += walk * chance[d, a] / 8
    return 4 * cycles / paths if paths else None


@pytest.mark.parametrize(
    ("sizes", "joined"),
    [
        ((2, 3), {(0, 1): 0.5}),
        ((3, 2, 3), {(0, 1): 0.3, (1, 2): 0.9}),
        ((2, 3, 2), {(0, 1): 0.3, (1, 2): 0.9, (0, 2): 0.4}),  # a shortcut: triangles
        ((1, 1, 4, 2), {(0, 1): 1.0, (1, 2): 0.9, (2, 3): 0.2, (1, 3): 0.5, (2, 2): 0.1}),
        ((1, 5), {(0, 1): 0.5}),
    ],
)
def test_random_clustering_is_that_of_enumeration(sizes, joined):
    chances = np.zeros((len(sizes),) * 2)
    for (one, other), chance in joined.items():
        chances[one, other] = chances[other, one] = chance
    random = Layered(np.array(sizes), chances)
    expected = by_enumeration(random)
    if expected is None:
        assert random_clustering(random) is None
    else:
        assert random_clustering(random) == pytest.approx(expected, rel=1e-12)


def test_random_lengths_are_those_of_drawn_graphs():
    graph = network()
    random = layered(graph)
    layer = np.repeat(np.arange(len(random.sizes)), random.sizes)
    chance = np.triu(random.chances[layer][:, layer], 1)
    # As many edges are expected between any two layers as there are.
    assert chance.sum() == pytest.approx(graph.num_edges)
    draw = np.random.default_rng(0)
    drawn = [networkx.from_numpy_array(draw.random(chance.shape) < chance) for _ in range(2)]
    starts = draw.choice(len(layer), 60, replace=False)
    lengths = [
        length
        for one in drawn
        for start in starts
        for length in networkx.single_source_shortest_path_length(one, start).values()
    ]
    expected = sum(lengths) / sum(length > 0 for length in lengths)
    found = random_length(random)
    assert found.error < 0.01 * found.mean
    assert found.mean == pytest.approx(expected, rel=0.03)


def test_a_complete_bipartite_graph():
    """Everything closes; lengths 1 across and 2 within a side, as in its random graph."""
    found = small_world(bipartite_graph(np.ones((4, 6), np.float32)))
    assert found["square_clustering"] == found["square_clustering_random"] == 1
    assert found["path_length"] == pytest.approx((2 * 24 + 2 * (12 + 30)) / 90)
    assert found["small_worldness"] == pytest.approx(1, rel=0.02)
