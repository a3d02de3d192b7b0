"""Sparse momentum: weights move to the layers, and within them the places, of large momentum.

Dettmers and Zettlemoyer, Sparse Networks from Scratch: Faster Training without Losing Performance,
2019. Momentum is the average of the gradients of the loss, without weight decay, of removed weights
too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pruning.in_time.layers import Draw, Layer, share_of, shared, with_largest, without_smallest
from pruning.in_time.schedule import AVERAGE, Schedule

SCHEDULE = Schedule(0.5, cosine=True, needs=AVERAGE)


def update(
    layers: Sequence[Layer], fraction: float, draw: Draw, carried: float
) -> tuple[list[torch.Tensor], float]:
    """Drop a fraction of each layer's weights, the smallest, and grow by the momentum.

    Layers share what grows in proportion to the mean momentum modulus of their kept weights, before
    any is dropped. What a layer has no room for goes to the others.

    Parameters, returns: see `pruning.in_time`.
    """
    counts = [share_of(layer, fraction) for layer in layers]
    masks = [without_smallest(layer, count) for layer, count in zip(layers, counts, strict=True)]
    means = [_mean(layer.slope[layer.mask].abs()) for layer in layers]
    room = [int((~mask).sum()) for mask in masks]
    grown = shared(sum(counts), means, room)
    return [
        with_largest(mask, layer.slope, count)
        for mask, layer, count in zip(masks, layers, grown, strict=True)
    ], carried


def _mean(values: torch.Tensor) -> float:
    return float(values.double().mean()) if len(values) else 0.0
