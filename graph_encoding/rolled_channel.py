"""Rolled-channel encoding: a layer's channels as one bipartite graph."""

from __future__ import annotations

import numpy as np

from .graph import Graph
from .rolled import bipartite


def rolled_channel(name: str, weight: np.ndarray) -> Graph:
    """Bipartite graph of one layer, a left node for every input channel.

    Two channels are joined if any weight of the kernel between them is kept; the edge weighs the
    Euclidean norm of the kernel, as in the released code.

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
    kernels = weight.reshape(*weight.shape[:2], -1).astype(np.float64)
    return bipartite(name, np.linalg.norm(kernels, axis=2), weight)
