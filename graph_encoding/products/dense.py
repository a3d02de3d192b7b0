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

    def zeros(self, x: torch.Tensor) -> torch.Tensor:
        """A vector of zeros on the device."""
        return torch.zeros_like(x)

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
    dtype : torch.dtype
        In which the weights are held. Products have the precision of the vectors.
    """

    def __init__(
        self, block: Block, device: str | torch.device, dtype: torch.dtype = torch.float64
    ) -> None:
        self.source, self.target = block.source, block.target
        weight = np.zeros(
            (block.target.channels, block.source.channels, block.rows.taps, block.columns.taps),
            np.float32 if dtype == torch.float32 else np.float64,
        )
        weight[block.target_channel, block.source_channel, block.tap_y, block.tap_x] = block.weight
        self.weight = torch.from_numpy(weight).to(device)
        self.pools = [
            torch.from_numpy(_pooling(axis)).to(device, dtype)
            for axis in (block.rows, block.columns)
        ]
        self.is_pooled = not (block.rows.windows is None and block.columns.windows is None)
        self.padding = (*_padding(block.columns), *_padding(block.rows))
        left, right, top, bottom = self.padding
        is_even = left == right >= 0 and top == bottom >= 0
        if is_even:  # a convolution pads by itself, without a copy
            self.padding = (0, 0, 0, 0)
        self.geometry = {
            "padding": (top, left) if is_even else 0,
            "stride": (block.rows.stride, block.columns.stride),
            "dilation": (block.rows.dilation, block.columns.dilation),
        }
        self.is_matrix = block.is_matrix  # whose product takes half the time of a convolution

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Add the block's part of ``D^T x`` to `y`."""
        x = self.source.maps(x)
        if self.is_pooled:
            rows, columns = (pool.to(x.dtype) for pool in self.pools)
            x = rows @ x @ columns.T
        if self.is_matrix:
            weight = self.weight.to(x.dtype)[:, :, 0, 0]
            self.target.maps(y).flatten(1).addmm_(weight, x.flatten(1))
            return
        out = F.conv2d(self._padded(x, 1)[None], self.weight.to(x.dtype), **self.geometry)
        self.target.maps(y).add_(out[0])

    def backward(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Add the block's part of ``D x`` to `y`."""
        weight, x = self.weight.to(x.dtype), self.target.maps(x)
        if self.is_matrix:
            weight = weight[:, :, 0, 0].T
            if not self.is_pooled:
                self.source.maps(y).flatten(1).addmm_(weight, x.flatten(1))
                return
            out = (weight @ x.flatten(1)).view(len(weight), *x.shape[1:])
        else:
            out = self._padded(F.conv_transpose2d(x[None], weight, **self.geometry)[0], -1)
        if self.is_pooled:
            rows, columns = (pool.to(x.dtype) for pool in self.pools)
            out = rows.T @ out @ columns
        self.source.maps(y).add_(out)

    def _padded(self, maps: torch.Tensor, sign: int) -> torch.Tensor:
        """Maps with the padding that makes the taps just fit, or without it."""
        if not any(self.padding):
            return maps
        return F.pad(maps, tuple(sign * amount for amount in self.padding))


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
