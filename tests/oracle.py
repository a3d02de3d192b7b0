"""Every topometric by a plain library on the written-out graph."""

from __future__ import annotations

from itertools import combinations

import igraph
import numpy as np
from reference import ExplicitGraph


def undirected(graph: ExplicitGraph) -> igraph.Graph:
    """The graph without directions."""
    matrix = graph.matrix.tocoo()
    ends = zip(matrix.row.tolist(), matrix.col.tolist(), strict=True)
    result = igraph.Graph(graph.num_nodes, list(ends), directed=False)
    assert result.is_simple()
    return result


def directed(graph: ExplicitGraph) -> igraph.Graph:
    """The graph with the edge attribute ``weight``."""
    matrix = graph.matrix.tocoo()
    ends = zip(matrix.row.tolist(), matrix.col.tolist(), strict=True)
    result = igraph.Graph(graph.num_nodes, list(ends), directed=True)
    result.es["weight"] = matrix.data.tolist()
    return result


def local_connectivity(graph: ExplicitGraph) -> dict[str, int]:
    """Sink, source and disconnected nodes, one node at a time."""
    plain = directed(graph)
    inputs, outputs = range(graph.offsets[1]), range(graph.offsets[-2], graph.num_nodes)
    counts = dict.fromkeys(
        ("sink_nodes", "source_nodes", "disconnected_nodes", "removable_out", "removable_in"), 0
    )
    for node, (fan_in, fan_out) in enumerate(zip(plain.indegree(), plain.outdegree(), strict=True)):
        if fan_in == fan_out == 0:
            counts["disconnected_nodes"] += 1
        elif fan_out == 0 and node not in outputs:
            counts["sink_nodes"] += 1
            counts["removable_out"] += fan_in
        elif fan_in == 0 and node not in inputs:
            counts["source_nodes"] += 1
            counts["removable_in"] += fan_out
    return counts


def reached(graph: ExplicitGraph, steps: int) -> float:
    """Mean number of nodes within so many steps along the edges, the node itself included."""
    return float(np.mean(directed(graph).neighborhood_size(order=steps, mode="out")))


def motifs(graph: ExplicitGraph) -> int:
    """Connected induced subgraphs on four vertices, enumerated by igraph (RAND-ESU, no cuts)."""
    if graph.num_nodes < 4:
        return 0
    counts = np.array(undirected(graph).motifs_randesu(4, cut_prob=[0, 0, 0, 0]))
    return int(np.nansum(counts))


def motifs_by_enumeration(graph: ExplicitGraph) -> int:
    """The same, by looking at every set of four vertices."""
    adjacent = adjacency(graph) > 0

    def is_connected(four: tuple[int, ...]) -> bool:
        found, others = [four[0]], set(four[1:])
        for node in found:
            near = {other for other in others if adjacent[node, other]}
            found += near
            others -= near
        return not others

    return sum(is_connected(four) for four in combinations(range(graph.num_nodes), 4))


def strength(graph: ExplicitGraph) -> float:
    """Mean summed weight of the edges at a node."""
    plain = directed(graph)
    return float(np.mean(plain.strength(mode="all", weights="weight")))


def core_numbers(graph: ExplicitGraph) -> list[int]:
    """Core number of every node."""
    return undirected(graph).coreness()


def global_connectivity(graph: ExplicitGraph) -> dict[str, int | float]:
    """Bridges, articulation points, components."""
    plain = undirected(graph)
    components = len(plain.connected_components())
    return {
        "cut-edges": len(plain.bridges()),
        "cut-nodes": len(plain.articulation_points()),
        "connected_components": components,
        "avg_connected_components": graph.num_nodes / components,
    }


def adjacency(graph: ExplicitGraph) -> np.ndarray:
    """Weighted symmetric adjacency matrix, dense."""
    matrix = graph.matrix.toarray()
    return matrix + matrix.T


def spectral_gap(graph: ExplicitGraph) -> float:
    """First minus third eigenvalue modulus of the weighted adjacency matrix."""
    moduli = np.sort(np.abs(np.linalg.eigvalsh(adjacency(graph))))[::-1]
    return float(moduli[0] - moduli[2])


def spectral_radius(graph: ExplicitGraph) -> float:
    """Largest eigenvalue of the weighted Laplacian."""
    matrix = adjacency(graph)
    return float(np.linalg.eigvalsh(np.diag(matrix.sum(axis=1)) - matrix)[-1])
