"""Products on the CPU by whichever way is fast: compiled code, or dense float32 convolutions.

A block that keeps more than some of its weights is multiplied faster with all of them, zeros too,
by the vendor's libraries behind torch: in float32, and where it is a product of two matrices, more
than that in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..block import Block
from .blockwise import BlockwiseProduct
from .sparse import BlockProduct

if TYPE_CHECKING:
    from .dense import TorchBlock

DENSITY, DOUBLE_DENSITY = 0.4, 0.6
"""Kept share of a block's weights from which on its products are dense, in float32 and float64."""

MATRIX_DENSITY, MATRIX_DOUBLE_DENSITY = 0.15, 0.3
"""The same where it joins every position to one position, as 1 x 1 convolutions do."""


class HybridProduct(BlockwiseProduct):
    """Products with the directed weighted adjacency matrix, as precise as the vectors are.

    Parameters
    ----------
    num_nodes : int
    blocks : sequence of Block
    """

    def __init__(self, num_nodes: int, blocks: Sequence[Block]) -> None:
        super().__init__(num_nodes, [HybridBlock(block) for block in blocks])
        self.threads = None
        if any(block.is_dense for block in self.blocks):
            import torch

            self.threads = torch.get_num_threads()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """In this context dense products run in one thread, that of the caller.

        What they give depends on the number of threads. Other threads keep theirs.
        """
        if self.threads is None:
            yield
            return
        import torch

        torch.get_num_threads()  # gives the thread its number, which is then another one
        # OpenMP's and that of the library of matrix products, which nothing else can reach.
        torch.set_num_threads(1)
        try:
            yield
        finally:
            # Not what this thread had: it may have begun while another one was alone.
            torch.set_num_threads(self.threads)


class HybridBlock:
    """One block prepared for products with vectors of float64 or float32.

    Parameters
    ----------
    block : Block
    """

    def __init__(self, block: Block) -> None:
        self.source, self.target = block.source, block.target
        self.block = block
        single, double = DENSITY, DOUBLE_DENSITY
        if block.is_matrix:
            single, double = MATRIX_DENSITY, MATRIX_DOUBLE_DENSITY
        self.is_dense = block.density >= single
        in_double = block.density >= double
        self.dense_kinds = [np.float32] * self.is_dense + [np.float64] * in_double

    @cached_property
    def sparse(self) -> BlockProduct:
        """The block prepared for what is not dense."""
        return BlockProduct(self.block)

    @cached_property
    def dense(self) -> TorchBlock:
        """The block with all its weights, those removed as zeros."""
        import torch

        from .dense import TorchBlock

        return TorchBlock(self.block, "cpu", torch.float32)

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add the block's part of ``D^T x`` to `y`."""
        if self._by_torch(x):
            self._convolve(self.dense.forward, x, y)
        else:
            self.sparse.forward(x, y)

    def backward(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add the block's part of ``D x`` to `y`."""
        if self._by_torch(x):
            self._convolve(self.dense.backward, x, y)
        else:
            self.sparse.backward(x, y)

    def _by_torch(self, x: np.ndarray) -> bool:
        return x.dtype.type in self.dense_kinds

    def _convolve(self, add: Callable, x: np.ndarray, y: np.ndarray) -> None:
        import torch

        with torch.inference_mode():
            add(torch.from_numpy(x), torch.from_numpy(y))
