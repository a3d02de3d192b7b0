"""Rolled-channel encoding: a layer's channels as one bipartite graph."""

from __future__ import annotations

import numpy as np

from .graph import Graph
from .rolled import bipartite
from .weights import LARGEST, UnsupportedNetwork


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

    Raises
    ------
    UnsupportedNetwork
        If single precision cannot hold a norm.
    """
    kernels = weight.reshape(*weight.shape[:2], -1).astype(np.float64)
    norms = np.linalg.norm(kernels, axis=2)
    if np.isfinite(kernels).all() and norms.max(initial=0) > LARGEST:
        raise UnsupportedNetwork(
            f"layer {name}: the norm of a kernel exceeds {LARGEST:.2e}, the most that single "
            "precision holds: scale the weights down"
        )
    return bipartite(name, norms, weight)
