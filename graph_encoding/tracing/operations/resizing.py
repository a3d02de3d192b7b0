"""Maps made larger or smaller: a position stands for those that it is interpolated from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ..values import Value
from ..windows import adaptive_windows
from .arguments import each, map_size, read
from .pooling import with_windows
from .registry import Call, handles

NO_WEIGHT = 1e-9
"""A share below which a position has no part in another one: torch rounds zeros."""


@handles("interpolate")
def interpolated(
    call: Call,
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Value:
    """Every position stands for those of which torch computes it; their shares are no weights."""
    value, dims = read(input), input.dim() - 2
    geometry = {"size": size, "scale_factor": scale_factor, "mode": mode}
    geometry |= {"align_corners": align_corners, "antialias": antialias}
    geometry["recompute_scale_factor"] = recompute_scale_factor
    if mode.startswith("nearest"):  # double precision holds the numbers exactly
        return value.changed(lambda numbers: F.interpolate(numbers.double(), **geometry).long())
    sizes = map_size(F.interpolate, value, **geometry)
    if mode == "area":
        windows = [*map(adaptive_windows, value.shape[2:], sizes)]
    else:
        scales: Sequence[Any] = [None] * dims
        if scale_factor is not None and not recompute_scale_factor:
            scales = [float(scale) for scale in _each_number(scale_factor, dims)]
        along = {"mode": "bicubic" if mode == "bicubic" else "bilinear"}
        along |= {"align_corners": align_corners, "antialias": antialias}
        windows = [
            _windows(*axis, along) for axis in zip(value.shape[2:], sizes, scales, strict=True)
        ]
    return with_windows(call.network, value, windows)


def _each_number(value: Any, axes: int) -> Sequence[Any]:
    return (value,) * axes if isinstance(value, float) else each(value, axes)


def _windows(size: int, new: int, scale: float | None, along: dict[str, Any]) -> np.ndarray:
    """Interval of the positions of which each new one is computed, as torch shows it."""
    given = {"size": (new, 1)} if scale is None else {"scale_factor": (scale, 1.0)}
    unit = torch.eye(size, dtype=torch.float64).view(1, size, size, 1)
    takes_part = (F.interpolate(unit, **given, **along)[0, :, :, 0].abs() > NO_WEIGHT).numpy()
    low, high = takes_part.argmax(axis=0), size - takes_part[::-1].argmax(axis=0)
    return np.stack([low, high], axis=1)
