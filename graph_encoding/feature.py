"""What flows along the traced network: a view of a node layer, pooled or flattened on its way."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Feature:
    """A value of the network, told as the nodes it stands for.

    Parameters
    ----------
    layer : int
        Key of the node layer behind it.
    channels : int
    rows, columns : numpy.ndarray of int, shape (height, 2) and (width, 2)
        Interval of the layer's rows (columns) that each row (column) of the value stands for.
        Pooling widens it.
    flat : bool
        Whether channels and positions have been flattened into one axis.
    """

    layer: int
    channels: int
    rows: np.ndarray
    columns: np.ndarray
    flat: bool = False

    @classmethod
    def of_layer(cls, layer: int, channels: int, height: int, width: int) -> Feature:
        """The node layer itself."""
        return cls(layer, channels, _identity(height), _identity(width))

    @property
    def height(self) -> int:
        """Rows of the value."""
        return len(self.rows)

    @property
    def width(self) -> int:
        """Columns of the value."""
        return len(self.columns)

    def pooled(self, rows: np.ndarray, columns: np.ndarray) -> Feature:
        """The value after pooling, given each pooled position's interval of this value."""
        return replace(self, rows=_widen(self.rows, rows), columns=_widen(self.columns, columns))

    def flattened(self) -> Feature:
        """The value after ``torch.flatten``."""
        return replace(self, flat=True)


def _identity(size: int) -> np.ndarray:
    start = np.arange(size)
    return np.stack([start, start + 1], axis=1)


def _widen(inner: np.ndarray, windows: np.ndarray) -> np.ndarray:
    return np.stack([inner[windows[:, 0], 0], inner[windows[:, 1] - 1, 1]], axis=1)


def pooling_windows(
    size: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False
) -> np.ndarray:
    """Interval of positions that each position of a pooled axis stands for.

    Returns
    -------
    numpy.ndarray of int64, shape (pooled_size, 2)

    Raises
    ------
    NotImplementedError
        For dilated pooling, whose windows have holes.
    """
    if dilation != 1:
        raise NotImplementedError("dilated pooling has no contiguous windows")
    span = size + 2 * padding - kernel
    pooled = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (pooled - 1) * stride >= size + padding:
        pooled -= 1
    start = np.arange(pooled) * stride - padding
    return np.stack([np.maximum(start, 0), np.minimum(start + kernel, size)], axis=1)


def adaptive_windows(size: int, pooled: int) -> np.ndarray:
    """Interval of positions of each position of an adaptively pooled axis, as torch cuts it."""
    position = np.arange(pooled)
    return np.stack([position * size // pooled, -(-(position + 1) * size // pooled)], axis=1)
