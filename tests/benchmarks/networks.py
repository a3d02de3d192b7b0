"""The networks that are timed."""

from __future__ import annotations

from typing import NamedTuple

import torch

import graph_encoding
import models
import pruning
from graph_encoding import Graph


class Network(NamedTuple):
    """A pruned network, by what makes it."""

    model: str
    pruner: str
    sparsity: float
    input_shape: tuple[int, int, int] = (3, 32, 32)
    num_classes: int = 10


NETWORKS: dict[str, Network] = {
    "Resnet-20 0.98": Network("Resnet-20", "erk", 0.98),
    "Resnet-20 0.6": Network("Resnet-20", "erk", 0.6),
    "Resnet-32 0.98": Network("Resnet-32", "erk", 0.98),
    "Wide-Resnet-28-2 0.98": Network("Wide-Resnet-28-2", "erk", 0.98),
    "CONV-6 0.98": Network("CONV-6", "erk", 0.98),
    "Wide-Resnet-28-2 0.6": Network("Wide-Resnet-28-2", "erk", 0.6),
    "CONV-6 SynFlow 0.6": Network("CONV-6", "synflow", 0.6),
    "Resnet-50 uniform 0.9": Network("Resnet-50", "uniform", 0.9, (3, 224, 224), 1000),
    "Resnet-50 0.9": Network("Resnet-50", "erk", 0.9, (3, 224, 224), 1000),
}


def graph(network: Network) -> Graph:
    """Build, prune and encode a network (seed 0, weights at initialisation)."""
    if network.model == "Resnet-50":
        from datasets.torchvision_import import import_torchvision

        torch.manual_seed(0)
        model = import_torchvision().models.resnet50(num_classes=network.num_classes)
    else:
        model = models.build(network.model, network.num_classes)
    masks = pruning.prune(network.pruner, model, network.sparsity, input_shape=network.input_shape)
    pruning.apply_masks(model, masks)
    return graph_encoding.encode(model, "unrolled", network.input_shape)[0]
