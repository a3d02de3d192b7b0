"""Products of the weighted adjacency matrix with a vector; no edge is written out.

They need the number of nodes and the blocks, never a `Graph`, which itself uses them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..block import Block
from .blockwise import BlockwiseProduct

__all__ = ["BlockwiseProduct", "on_device"]


def on_device(num_nodes: int, blocks: Sequence[Block], device: str = "cpu") -> BlockwiseProduct:
    """Products of a graph's weighted adjacency matrix with vectors.

    Parameters
    ----------
    num_nodes : int
    blocks : sequence of Block
    device : str
        ``cpu`` computes in compiled code, in float64 or float32 as the vectors are, and dense
        blocks in torch where it is float32. Any other device computes in torch, in float64.

    Returns
    -------
    BlockwiseProduct
    """
    if device == "cpu":
        from .hybrid import HybridProduct

        return HybridProduct(num_nodes, blocks)
    from .dense import TorchProduct

    return TorchProduct(num_nodes, blocks, device)
