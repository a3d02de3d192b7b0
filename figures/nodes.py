"""What the nodes of a column are like, counted in bins along it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from graph_encoding import NodeLayer

MARKS = ("sinks", "sources", "cut-nodes", "disconnected")


class Bins(NamedTuple):
    """A column cut into bins of consecutive nodes.

    Attributes
    ----------
    sizes : numpy.ndarray of float64, shape (bins,)
        Nodes in each bin.
    strength : numpy.ndarray of float64, shape (bins,)
        Mean strength of its nodes.
    marked : dict of str to numpy.ndarray of float64, shape (bins,)
        Share of its nodes that have a mark.
    counts : dict of str to int
        Marked nodes of the whole column.
    """

    sizes: np.ndarray
    strength: np.ndarray
    marked: dict[str, np.ndarray]
    counts: dict[str, int]


def binned(
    layer: NodeLayer, bins: int, marks: Mapping[str, np.ndarray], strength: np.ndarray
) -> Bins:
    """Count the nodes of a layer in bins.

    Parameters
    ----------
    layer : NodeLayer
        Of a graph.
    bins : int
        At most; no more than there are nodes.
    marks : mapping of str to numpy.ndarray of bool, shape (num_nodes,)
        Which nodes of the graph have a mark.
    strength : numpy.ndarray of float64, shape (num_nodes,)
        Strength of each node of the graph.

    Returns
    -------
    Bins
    """
    nodes = slice(layer.offset, layer.stop)
    # Node i belongs to bin i * bins // size.
    starts = -(-np.arange(min(bins, layer.size)) * layer.size // min(bins, layer.size))
    sizes = np.diff(starts, append=layer.size).astype(float)
    marked = {
        mark: np.add.reduceat(found[nodes], starts, dtype=float) for mark, found in marks.items()
    }
    return Bins(
        sizes,
        np.add.reduceat(strength[nodes], starts) / sizes,
        {mark: found / sizes for mark, found in marked.items()},
        {mark: int(found.sum()) for mark, found in marked.items()},
    )
