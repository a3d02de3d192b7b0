"""Closed walks of four steps, by kernel algebra.

With D the directed adjacency matrix of a graph without directed cycles, the closed 4-walks of the
undirected graph number

    tr (D + D^T)^4 = 4 |D D|^2 + 2 |D D^T|^2 + 8 <D D, D D^T>

(Frobenius norms and product; the last term needs a shortcut over three layers). An entry of
``D D`` or ``D D^T`` between two positions of two channels is a sum, over pairs of kernel taps,
of a matrix product of the two masks at those taps, times the number of ways to get from the one
position to the other by those taps. So the norms come from small matrix products, one for every
pair of taps, and from position counts along each axis: exact, at a cost that does not
depend on the size of the maps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse

from graph_encoding import Block, Graph, NodeLayer

CHUNK_ELEMENTS = 4 << 20
"""Elements of one array of products held at a time."""

EXACT_FLOAT = 2**53


class _Way(NamedTuple):
    """Two steps: along `first`, then along (or against) `second`."""

    first: Block
    second: Block
    forward: bool


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
    """
    order = {layer: index for index, layer in enumerate(graph.layers)}
    total = 0
    for (source, end), ways in _ways(graph).items():
        if order[source] <= order[end]:
            mirrored = 1 if source == end else 2
            # The mixed factor is halved, as a mixed pair is met in both orders.
            factors = {(1, 1): 4, (0, 0): 2 * mirrored, (0, 1): 4, (1, 0): 4}
            total += _weighted_products(ways, factors)
    return total


def _ways(graph: Graph) -> dict[tuple[NodeLayer, NodeLayer], list[_Way]]:
    """All ways of two steps between two layers: along two blocks, and along one and against one."""
    ways: dict[tuple[NodeLayer, NodeLayer], list[_Way]] = {}
    for first in graph.blocks:
        for second in graph.blocks:
            if first.target == second.source:
                ways.setdefault((first.source, second.target), []).append(_Way(first, second, True))
            if first.target == second.target:
                ways.setdefault((first.source, second.source), []).append(
                    _Way(first, second, False)
                )
    return ways


def _weighted_products(ways: list[_Way], factors: dict[tuple[int, int], int]) -> int:
    """Sum over ordered pairs of ways of a factor times the Frobenius product of their counts."""
    masks = [_masks(way) for way in ways]
    relations = [(_relation(way, "rows"), _relation(way, "columns")) for way in ways]
    pairs = [(i, j) for i in range(len(ways)) for j in range(i, len(ways))]
    counts = {(i, j): _position_counts(relations[i], relations[j]) for i, j in pairs}
    channels = ways[0].first.source.channels
    widest = max(len(first) * second[0].size for first, second in masks)
    step = max(1, CHUNK_ELEMENTS // widest)
    total = 0
    for start in range(0, channels, step):
        products = [_tap_products(*mask, start, start + step) for mask in masks]
        for i, j in pairs:
            factor = factors[int(ways[i].forward), int(ways[j].forward)] * (1 if i == j else 2)
            for a, b in zip(products[i], counts[i, j] @ products[j], strict=True):
                total += factor * exact_dot(a, b)
    return total


def _masks(way: _Way) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the two steps: (taps, source, middle) and (middle, taps, end)."""
    second = way.second.tap_masks()
    if not way.forward:
        second = second.transpose(0, 2, 1)
    return way.first.tap_masks(), np.ascontiguousarray(second.transpose(1, 0, 2))


def _tap_products(first: np.ndarray, second: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Number of middle channels for every pair of taps: float64 (tap pairs, channel pairs)."""
    part = np.ascontiguousarray(first[:, start:stop])
    taps, rows, middle = part.shape
    # Counts stay below 2^24, so single precision is exact.
    products = part.reshape(taps * rows, middle) @ second.reshape(middle, -1)
    by_pair = products.reshape(taps, rows, *second.shape[1:]).transpose(0, 2, 1, 3)
    return by_pair.astype(np.float64).reshape(taps * second.shape[1], -1)


def _relation(way: _Way, axis: str) -> np.ndarray:
    """Ways between positions along one axis: float64 (tap, tap, source * end positions)."""
    first, second = getattr(way.first, axis).relation, getattr(way.second, axis).relation
    if not way.forward:
        second = second.transpose(0, 2, 1)
    joined = np.einsum("asm,bme->abse", first, second, optimize=True)
    return joined.reshape(*joined.shape[:2], -1)


def _position_counts(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> scipy.sparse.csr_array:
    """Pairs of positions that two tap pairs both join, counted with their ways.

    Rows are the tap pairs of the one way, columns those of the other.
    """
    rows, columns = (
        scipy.sparse.csr_array(a.reshape(-1, a.shape[2]) @ b.reshape(-1, b.shape[2]).T)
        for a, b in zip(one, other, strict=True)
    )
    counts = scipy.sparse.kron(rows, columns, format="csr")
    return counts[_tap_order(*one)][:, _tap_order(*other)]


def _tap_order(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Index by (row taps, column taps) of the tap pairs in order of (first tap, second tap)."""
    index = np.arange(rows[..., 0].size * columns[..., 0].size)
    return index.reshape(*rows.shape[:2], *columns.shape[:2]).transpose(0, 2, 1, 3).ravel()


def exact_dot(one: np.ndarray, other: np.ndarray) -> int:
    """Dot product of two float64 vectors of non-negative integers, exact at any size."""
    if not len(one):
        return 0
    if float(one.max()) * float(other.max()) * len(one) < EXACT_FLOAT:
        return int(one @ other)
    if len(one) == 1:
        return int(one[0]) * int(other[0])
    half = len(one) // 2
    return exact_dot(one[:half], other[:half]) + exact_dot(one[half:], other[half:])
