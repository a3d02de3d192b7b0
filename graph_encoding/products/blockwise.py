"""Products of an adjacency matrix with a vector, block by block, whatever computes each part."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np


class BlockwiseProduct:
    """Products with ``D``, the directed adjacency matrix (source x target), block by block.

    Parameters
    ----------
    num_nodes : int
    blocks : list
        Each adds its part of a product to a vector: ``forward(x, y)`` and ``backward(x, y)``.
    """

    def __init__(self, num_nodes: int, blocks: list) -> None:
        self.num_nodes = num_nodes
        self.blocks = blocks

    def zeros(self, x: Any) -> Any:
        """A vector of zeros, as precise as another one, where the blocks compute."""
        return np.zeros(self.num_nodes, x.dtype)

    def load(self, x: np.ndarray) -> Any:
        """A vector, where the blocks compute."""
        return x

    def unload(self, y: Any) -> np.ndarray:
        """A vector as a numpy array."""
        return y

    def alone(self) -> AbstractContextManager[None]:
        """In this context products run in one thread, that of the caller, on the CPU."""
        return nullcontext()

    def symmetric(self, x: np.ndarray) -> np.ndarray:
        """``(D + D^T) x`` for a vector of length `num_nodes`, as precise as that."""
        return self._added(x, (add for b in self.blocks for add in (b.forward, b.backward)))

    def across(self, x: np.ndarray, side: np.ndarray) -> np.ndarray:
        """What flows from the nodes of one side to the other, along or against the edges.

        Parameters
        ----------
        x : numpy.ndarray, shape (num_nodes,)
        side : numpy.ndarray of bool, shape (num_nodes,)
            A side of a two-colouring: whole node layers, and every edge leaves or enters it.
        """
        return self._added(
            x, (b.forward if side[b.source.offset] else b.backward for b in self.blocks)
        )

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``D^T x``: what flows along the edges."""
        return self._added(x, (block.forward for block in self.blocks))

    def backward(self, x: np.ndarray) -> np.ndarray:
        """``D x``: what flows against the edges."""
        return self._added(x, (block.backward for block in self.blocks))

    def _added(self, x: np.ndarray, parts: Iterable[Callable[[Any, Any], None]]) -> np.ndarray:
        x = self.load(x)
        y = self.zeros(x)
        for add in parts:
            add(x, y)
        return self.unload(y)
