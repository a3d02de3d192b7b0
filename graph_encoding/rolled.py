"""Rolled encoding: a layer's weight matrix as one bipartite graph."""

from __future__ import annotations

import numpy as np

from .axis import Axis
from .block import Block
from .graph import Graph
from .grid import NodeLayer
from .weights import UnsupportedNetwork


def rolled(name: str, weight: np.ndarray) -> Graph:
    """Bipartite graph of one layer, a left node for every input channel and kernel position.

    The encoding of Hoang et al., "Revisiting Pruning at Initialization through the Lens of
    Ramanujan Graph", ICLR 2023: a convolution is the matrix of its unfolded kernels.

    Parameters
    ----------
    name : str
        Layer name.
    weight : numpy.ndarray, shape (out, in) or (out, in, taps_y, taps_x)
        Zero means removed.

    Returns
    -------
    Graph
        ``in * taps_y * taps_x`` left nodes, ``out`` right nodes, weights ``|w|``.
    """
    return bipartite(name, np.abs(weight.reshape(len(weight), -1)), weight)


def bipartite(name: str, matrix: np.ndarray, weight: np.ndarray) -> Graph:
    """Graph with one dense block: `matrix` (right x left) of weights, zero means no edge."""
    right, left = matrix.shape
    source = NodeLayer("inputs", 0, left)
    target = NodeLayer(name, left, right)
    out, inp = np.nonzero(matrix)
    values = matrix[out, inp].astype(np.float32)
    if not np.isfinite(values).all():
        raise UnsupportedNetwork(f"layer {name}: weights must be finite, found NaN or infinity")
    taps = np.zeros(len(out), np.int16)
    block = Block(
        name=name,
        source=source,
        target=target,
        target_channel=out.astype(np.int32),
        source_channel=inp.astype(np.int32),
        tap_y=taps,
        tap_x=taps,
        weight=values,
        rows=Axis(1, 1),
        columns=Axis(1, 1),
        kept_weights=int(np.count_nonzero(weight)),
        total_weights=weight.size,
    )
    return Graph([source, target], [block], layer_name=name)
