"""The products of `sparse`, by torch: dense convolutions on any device, CUDA above all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from ..axis import Axis
from ..block import Block
from .blockwise import BlockwiseProduct


class TorchProduct(BlockwiseProduct):
    """Products with the directed weighted adjacency matrix, in float64 on a torch device.

    Vectors come and go as numpy arrays; the weights stay on the device. Values differ from those
    of `sparse.AdjacencyProduct` by rounding only (the order of the sums).

    Parameters
    ----------
    num_nodes : int
    blocks : sequence of Block
    device : str or torch.device
    """

    def __init__(self, num_nodes: int, blocks: Sequence[Block], device: str | torch.device) -> None:
        super().__init__(num_nodes, [TorchBlock(block, device) for block in blocks])
        self.device = device

    def zeros(self) -> torch.Tensor:
        """A vector of zeros on the device."""
        return torch.zeros(self.num_nodes, dtype=torch.float64, device=self.device)

    def load(self, x: np.ndarray) -> torch.Tensor:
        """A vector on the device."""
        return torch.as_tensor(x, dtype=torch.float64, device=self.device)

    def unload(self, y: torch.Tensor) -> np.ndarray:
        """A vector back from the device."""
        return y.cpu().numpy()


class TorchBlock:
    """One block prepared for products.

    Parameters
    ----------
    block : Block
    device : str or torch.device
    """

    def __init__(self, block: Block, device: str | torch.device) -> None:
        self.source, self.target = block.source, block.target
        self.rows, self.columns = block.rows, block.columns
        weight = np.zeros(
            (block.target.channels, block.source.channels, block.rows.taps, block.columns.taps)
        )
        weight[block.target_channel, block.source_channel, block.tap_y, block.tap_x] = block.weight
        self.weight = torch.from_numpy(weight).to(device)
        self.row_pool, self.column_pool = (
            torch.from_numpy(_pooling(axis)).to(device) for axis in (block.rows, block.columns)
        )
        self.padding = (*_padding(block.columns), *_padding(block.rows))
        self.geometry = {
            "stride": (block.rows.stride, block.columns.stride),
            "dilation": (block.rows.dilation, block.columns.dilation),
        }

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Add the block's part of ``D^T x`` to `y`."""
        x = self.row_pool @ self.source.maps(x) @ self.column_pool.T
        out = F.conv2d(F.pad(x, self.padding)[None], self.weight, **self.geometry)
        self.target.maps(y).add_(out[0])

    def backward(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Add the block's part of ``D x`` to `y`."""
        out = F.conv_transpose2d(self.target.maps(x)[None], self.weight, **self.geometry)[0]
        out = F.pad(out, tuple(-amount for amount in self.padding))
        self.source.maps(y).add_(self.row_pool.T @ out @ self.column_pool)


def _pooling(axis: Axis) -> np.ndarray:
    """0/1 matrix (map positions, source positions) that sums over the pooling windows."""
    if axis.windows is None:
        return np.eye(axis.source_size)
    position = np.arange(axis.source_size)
    low, high = axis.windows[:, :1], axis.windows[:, 1:]
    return ((position >= low) & (position < high)).astype(np.float64)


def _padding(axis: Axis) -> tuple[int, int]:
    """Positions to add before and after the map, so that the taps just fit; may be negative."""
    needed = (axis.target_size - 1) * axis.stride + axis.dilation * (axis.taps - 1) + 1
    return axis.padding, needed - axis.padding - axis.map_size
