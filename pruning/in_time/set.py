"""Sparse evolutionary training: the smallest weights give way to random ones, layer by layer.

Mocanu et al., Scalable Training of Artificial Neural Networks with Adaptive Sparse Connectivity
Inspired by Network Science, Nature Communications 2018. There the fraction is taken of the positive
and of the negative weights, each for itself; here of both together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pruning.in_time.layers import Draw, Layer, share_of, with_random, without_smallest
from pruning.in_time.schedule import Schedule

SCHEDULE = Schedule(0.3)


def update(
    layers: Sequence[Layer], fraction: float, draw: Draw, carried: float
) -> tuple[list[torch.Tensor], float]:
    """Drop a fraction of each layer's weights, the smallest, and grow as many at random.

    Parameters, returns: see `pruning.in_time`.
    """
    masks = []
    for layer in layers:
        count = share_of(layer, fraction)
        masks.append(with_random(without_smallest(layer, count), count, draw(layer.name)))
    return masks, carried
