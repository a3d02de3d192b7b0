"""RigL: the smallest weights give way to those of largest gradient, layer by layer.

Evci et al., Rigging the Lottery: Making All Tickets Winners, ICML 2020, algorithm 1. An update is
made in the place of a step of the optimizer, with that step's gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pruning.in_time.layers import Draw, Layer, share_of, with_largest, without_smallest
from pruning.in_time.schedule import GRADIENT, Schedule

SCHEDULE = Schedule(0.3, {0: 100}, until=0.75, cosine=True, needs=GRADIENT, in_place_of_step=True)


def update(
    layers: Sequence[Layer], fraction: float, draw: Draw, carried: float
) -> tuple[list[torch.Tensor], float]:
    """Drop a fraction of each layer's weights, the smallest, and grow by the gradient.

    Parameters, returns: see `pruning.in_time`.
    """
    masks = []
    for layer in layers:
        count = share_of(layer, fraction)
        masks.append(with_largest(without_smallest(layer, count), layer.slope, count))
    return masks, carried
