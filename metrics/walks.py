"""Closed walks of four steps."""

from __future__ import annotations

from graph_encoding import Graph, NodeLayer

from .ways import Way, chunks, exact_dot, position_counts


def closed_four_walks(graph: Graph) -> int:
    """Number of closed walks of length four in the undirected graph, ``tr A^4``.

    Parameters
    ----------
    graph : Graph
        A regular graph.

    Returns
    -------
    int
        Exact.

    Notes
    -----
    With D the directed adjacency matrix of a graph without directed cycles,
    ``tr (D + D^T)^4 = 4 |D D|^2 + 2 |D D^T|^2 + 8 <D D, D D^T>`` (Frobenius norms and product; the
    last term needs a shortcut over three layers).
    """
    order = {layer: index for index, layer in enumerate(graph.layers)}
    total = 0
    for (start, end), ways in _ways(graph).items():
        if order[start] <= order[end]:
            mirrored = 1 if start == end else 2
            # The mixed factor is halved, as a mixed pair is met in both orders.
            total += _weighted_products(ways, {2: 4, 1: 4, 0: 2 * mirrored})
    return total


def _ways(graph: Graph) -> dict[tuple[NodeLayer, NodeLayer], list[Way]]:
    """All ways between two layers that go along two blocks, or along one and against one."""
    ways: dict[tuple[NodeLayer, NodeLayer], list[Way]] = {}
    for first in graph.blocks:
        for second in graph.blocks:
            for along in (True, False):
                if first.target == (second.source if along else second.target):
                    way = Way(first, second, second_along=along)
                    ways.setdefault((way.start, way.end), []).append(way)
    return ways


def _weighted_products(ways: list[Way], factors: dict[int, int]) -> int:
    """Sum over ordered pairs of ways of a factor times the Frobenius product of their counts.

    The factor depends on how many of the two ways go along both blocks.
    """
    pairs = [(i, j) for i in range(len(ways)) for j in range(i, len(ways))]
    counts = {(i, j): position_counts(ways[i], ways[j]) for i, j in pairs}
    total = 0
    for start, stop in chunks(ways):
        products = [way.middle_counts(start, stop) for way in ways]
        for i, j in pairs:
            factor = factors[ways[i].second_along + ways[j].second_along] * (1 if i == j else 2)
            for one, other in zip(products[i], counts[i, j] @ products[j], strict=True):
                total += factor * exact_dot(one, other)
    return total
