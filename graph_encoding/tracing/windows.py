"""Which positions of a map a pooled position stands for, along one axis.

All functions give intervals: int64 arrays of shape (positions, 2), from the first to one past the
last position; an empty interval is (0, 0).
"""

from __future__ import annotations

import numpy as np


def pooling_windows(
    size: int, kernel: int, stride: int, padding: int, dilation: int, pooled: int
) -> np.ndarray:
    """Intervals of max or average pooling.

    Parameters
    ----------
    size, pooled : int
        Positions before and after pooling.
    kernel, stride, padding, dilation : int
        As in torch.

    Raises
    ------
    NotImplementedError
        For dilated pooling, whose windows have holes.
    """
    if dilation != 1 and kernel > 1:
        raise NotImplementedError("dilated pooling has windows with holes")
    start = np.arange(pooled) * stride - padding
    return np.stack([np.maximum(start, 0), np.minimum(start + kernel, size)], axis=1)


def adaptive_windows(size: int, pooled: int) -> np.ndarray:
    """Intervals of adaptive pooling, as torch cuts an axis."""
    position = np.arange(pooled)
    return np.stack([position * size // pooled, -(-(position + 1) * size // pooled)], axis=1)


def is_identity(windows: np.ndarray, size: int) -> bool:
    """Whether every position stands for itself."""
    position = np.arange(size)
    return np.array_equal(windows, np.stack([position, position + 1], axis=1))


def unless_identity(windows: np.ndarray, size: int) -> np.ndarray | None:
    """The intervals, or None where every position stands for itself, as `axis.Axis` has them."""
    return None if is_identity(windows, size) else windows


def widen(inner: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Intervals of a pooled map over what the map itself stands for.

    Parameters
    ----------
    inner : numpy.ndarray, shape (size, 2)
        What each position of the map stands for.
    windows : numpy.ndarray, shape (pooled, 2)
        Intervals of positions of the map.

    Raises
    ------
    NotImplementedError
        If a window has holes.
    """
    wide = np.zeros((len(windows), 2), np.int64)
    for place, (low, high) in enumerate(windows):
        found = inner[low:high]
        found = found[found[:, 0] < found[:, 1]]
        if not len(found):
            continue
        found = found[np.argsort(found[:, 0], kind="stable")]
        if (found[1:, 0] > np.maximum.accumulate(found[:, 1])[:-1]).any():
            raise NotImplementedError("pooling over a map with holes has windows with holes")
        wide[place] = found[:, 0].min(), found[:, 1].max()
    return wide
