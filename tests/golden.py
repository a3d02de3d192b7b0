"""Expected values of three networks with fixed weights, computed by other programs.

``data/golden.json`` holds, for each network: ``unrolled_exact``, from an explicit construction
with SciPy and igraph; and ``unrolled_published`` and the bipartite tables, from the released
code. The released code rounds the weight of every edge to half precision, and its
``motif_estimates`` are samples of the true number.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import models
from graph_encoding import Graph, encode

NETWORKS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "golden.json").read_text()
)


def table(network: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """A bipartite table, e.g. ``rolled topometrics``, by layer and column."""
    names = [name for name, _ in network["layers"]]
    columns, rows = network[key]["columns"], network[key]["rows"]
    return {
        name: dict(zip(columns, row, strict=True)) for name, row in zip(names, rows, strict=True)
    }


def model(network: dict[str, Any]) -> nn.Module:
    """The network with its weights: a fixed stream of NumPy, zero where not kept."""
    built = models.build(network["model"], network["classes"])
    stream = np.random.RandomState(network["seed"])
    layers = models.prunable(built)
    shapes = [[name, list(layer.weight.shape)] for name, layer in layers.items()]
    assert shapes == network["layers"]
    with torch.no_grad():
        for layer in layers.values():
            shape = tuple(layer.weight.shape)
            weight = stream.standard_normal(shape).astype(np.float32)
            kept = stream.random_sample(shape) < network["density"]
            layer.weight.copy_(torch.from_numpy(weight * kept))
    return built


@cache
def graphs(index: int, encoding: str, wiring: str = "exact") -> list[Graph]:
    """Graphs of network `index`."""
    return encode(model(NETWORKS[index]), encoding, wiring=wiring)


def in_half_precision(graph: Graph) -> Graph:
    """The graph with its edge weights rounded to half precision."""
    blocks = [
        replace(block, weight=block.weight.astype(np.float16).astype(np.float32))
        for block in graph.blocks
    ]
    return replace(graph, blocks=blocks)
