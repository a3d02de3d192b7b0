"""A coarse picture of a graph's Laplacian: node layers cut into boxes of positions.

The slow modes of diffusion on an unrolled graph are smooth over the map: each step moves by a
kernel's width. Vectors that are constant on boxes of positions come near them, and the Laplacian
between boxes is known without an edge written out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graph_encoding import Graph, NodeLayer

MOST_BOXES = 8
"""Boxes along an axis of a map."""

MOST_UNKNOWNS = 1_500
"""Boxes over all layers; with fewer along an axis where there are many layers."""


def coarse_correction(graph: Graph) -> Callable[[np.ndarray], np.ndarray] | None:
    """Solve the Laplacian between boxes: ``W (W^T L W)^+ W^T`` for W the boxes' indicators.

    Parameters
    ----------
    graph : Graph
        Taken as unweighted.

    Returns
    -------
    callable or None
        From a float64 vector of shape (num_nodes,) to another; symmetric, positive semidefinite.
        None for graphs whose blocks do not join whole node layers.

    Notes
    -----
    The second level of an additive two-level preconditioner; see Nicolaides, "Deflation of
    conjugate gradients with applications to boundary value problems", SIAM J. Numer. Anal. 1987.
    """
    if not graph.is_regular:
        return None
    most = MOST_BOXES
    while most > 1 and sum(_Boxes(layer, most).size for layer in graph.layers) > MOST_UNKNOWNS:
        most -= 1
    boxes = [_Boxes(layer, most) for layer in graph.layers]
    sizes = np.array([box.size for box in boxes])
    if sizes.sum() > MOST_UNKNOWNS:
        return None
    solve = np.linalg.pinv(_laplacian(graph, boxes), rcond=1e-10, hermitian=True)
    ends = np.cumsum(sizes)

    def corrected(x: np.ndarray) -> np.ndarray:
        on_boxes = solve @ np.concatenate([box.sums(x) for box in boxes])
        parts = np.split(on_boxes, ends[:-1])
        return np.concatenate([box.spread(y) for box, y in zip(boxes, parts, strict=True)])

    return corrected


class _Boxes:
    """Equal parts of a layer's positions along both axes; every box holds all channels."""

    def __init__(self, layer: NodeLayer, most: int) -> None:
        self.layer = layer
        self.rows, self.columns = (_parts(n, most) for n in (layer.height, layer.width))
        self.size = self.rows.shape[1] * self.columns.shape[1]

    def sums(self, x: np.ndarray) -> np.ndarray:
        """Sum over the nodes of each box."""
        return (self.rows.T @ self.layer.maps(x).sum(axis=0) @ self.columns).ravel()

    def spread(self, y: np.ndarray) -> np.ndarray:
        """Each box's value at its nodes."""
        on_map = self.rows @ y.reshape(self.rows.shape[1], -1) @ self.columns.T
        return np.tile(on_map.ravel(), self.layer.channels)


def _parts(size: int, most: int) -> np.ndarray:
    """float64 0/1 array (size, parts): which part each position is in."""
    parts = min(size, most)
    return np.eye(parts)[np.arange(size) * parts // size]


def _laplacian(graph: Graph, boxes: list[_Boxes]) -> np.ndarray:
    """Laplacian of the graph whose nodes are boxes; an edge for every edge between them."""
    starts = np.cumsum([0] + [box.size for box in boxes])
    at = {
        box.layer: (box, slice(start, start + box.size))
        for box, start in zip(boxes, starts, strict=False)
    }
    between = np.zeros((starts[-1], starts[-1]))
    for block in graph.blocks:
        (one, here), (other, there) = at[block.source], at[block.target]
        entries = np.bincount(block.tap, minlength=block.taps).astype(np.float64)
        rows = one.rows.T @ block.rows.relation @ other.rows
        columns = one.columns.T @ block.columns.relation @ other.columns
        by_tap = entries.reshape(len(rows), len(columns))
        edges = np.einsum("yx,yab,xcd->acbd", by_tap, rows, columns, optimize=True)
        edges = edges.reshape(one.size, other.size)
        between[here, there] += edges
        between[there, here] += edges.T
    return np.diag(between.sum(axis=1)) - between
