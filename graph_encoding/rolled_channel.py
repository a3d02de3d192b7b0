"""Rolled-channel encoding: a layer's channels as one bipartite graph."""

from __future__ import annotations

import numpy as np

from .graph import Graph
from .rolled import bipartite


def rolled_channel(name: str, weight: np.ndarray) -> Graph:
    """Bipartite graph of one layer, a left node for every input channel.

    Two channels are joined if any weight of the kernel between them is kept; the edge weighs the
    sum of the kernel's absolute weights (float64 sum, rounded to float32).

    Parameters
    ----------
    name : str
        Layer name.
    weight : numpy.ndarray, shape (out, in) or (out, in, taps_y, taps_x)
        Zero means removed.

    Returns
    -------
    Graph
        ``in`` left nodes and ``out`` right nodes.
    """
    kernels = np.abs(weight.reshape(*weight.shape[:2], -1))
    return bipartite(name, kernels.sum(axis=2, dtype=np.float64), weight, "rolled-channel")
