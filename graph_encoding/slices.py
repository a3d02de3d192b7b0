"""Volumes slice by slice: a convolution along the depth joins the slices of two layers."""

from __future__ import annotations

import numpy as np

from .axis import Axis
from .tracing import Connection

Entries = dict[str, np.ndarray]


def between_slices(joint: Connection) -> Entries:
    """The entries of a block between slices.

    A slice of a channel is a channel of its own (`grid.NodeLayer`). A kept weight therefore stands
    once for each pair of slices that its tap along the depth joins, and slides over rows and
    columns only.

    Parameters
    ----------
    joint : Connection
        Its axes are depth, height and width.

    Returns
    -------
    dict of str to numpy.ndarray
        As `block.Block` has them, sorted by target channel.
    """
    depth = joint.axes[0]
    entries = {name: array for name, array in vars(joint.entries).items() if name != "tap_z"}
    if depth.source_size == depth.target_size == depth.taps == 1 and _joins_all(depth):
        return entries
    tap, source, target = np.nonzero(depth.relation)
    starts = np.searchsorted(tap, np.arange(depth.taps + 1))
    counts = np.diff(starts)[joint.entries.tap_z]
    old = np.repeat(np.arange(len(counts)), counts)
    turn = np.arange(len(old)) - np.repeat(np.cumsum(counts) - counts, counts)
    pair = starts[joint.entries.tap_z[old]] + turn
    found = {name: array[old] for name, array in entries.items()}
    for name, size, slices in (
        ("target_channel", depth.target_size, target),
        ("source_channel", depth.source_size, source),
    ):
        found[name] = found[name] * np.int32(size) + slices[pair].astype(np.int32)
    order = np.lexsort([found[n] for n in ("tap_x", "tap_y", "source_channel", "target_channel")])
    return {name: array[order] for name, array in found.items()}


def _joins_all(axis: Axis) -> bool:
    return bool((axis.source_counts == 1).all())
