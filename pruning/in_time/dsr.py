"""Dynamic sparse reparameterization: one threshold for all layers, and growth where weights are.

Mostafa and Wang, Parameter Efficient Training of Deep Convolutional Neural Networks by Dynamic
Sparse Reparameterization, ICML 2019, algorithm 1. Intervals and their shares of the training, and
where it ends, are those of its experiments on CIFAR-10 (200 epochs). The number to drop that the
threshold follows is there 20,000 weights at all sparsities; here the fraction that these are of the
weights that Wide-Resnet-28-2 keeps at sparsity 0.9.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pruning.in_time.layers import Draw, Layer, shared, with_random
from pruning.in_time.schedule import Schedule

TOLERANCE = 0.1
SCHEDULE = Schedule(0.135, {0: 100, 0.125: 200, 0.4: 400, 0.7: 800}, until=0.95, carried=1e-3)


def update(
    layers: Sequence[Layer], fraction: float, draw: Draw, carried: float
) -> tuple[list[torch.Tensor], float]:
    """Drop what is below the threshold and grow as many at random; let the threshold follow.

    Layers share what grows in proportion to what they still hold. The threshold is doubled after
    an update that drops less than 0.9 of the fraction of all kept weights, and halved after one
    that drops more than 1.1 of it.

    Parameters, returns: see `pruning.in_time`; what is carried is the threshold.
    """
    masks = [layer.mask & (layer.weight.detach().abs() >= carried) for layer in layers]
    held = [int(mask.sum()) for mask in masks]
    kept = sum(int(layer.mask.sum()) for layer in layers)
    dropped, target = kept - sum(held), fraction * kept
    grown = shared(dropped, held, [mask.numel() - h for mask, h in zip(masks, held, strict=True)])
    masks = [
        with_random(mask, count, draw(layer.name))
        for mask, layer, count in zip(masks, layers, grown, strict=True)
    ]
    if dropped < (1 - TOLERANCE) * target:
        return masks, carried * 2
    return masks, carried / 2 if dropped > (1 + TOLERANCE) * target else carried
