"""A graph in PyTorch Geometric."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from .parts import edges, nodes


def write(graph: Any) -> Data:
    """A `Graph` as ``Data``.

    Returns
    -------
    torch_geometric.data.Data
        ``edge_index`` int64 (2, num_edges); ``edge_weight`` float32 (num_edges,); the features
        ``x`` float32 (num_nodes, 4), whose columns ``feature_names`` names: layer, channel, y, x;
        ``layer_names``, by the number that stands for a layer.
    """
    source, target, weight = edges(graph)
    found = nodes(graph)
    features = np.empty((graph.num_nodes, len(found)), np.float32)
    for column, values in enumerate(found.values()):
        features[:, column] = values
    return Data(
        x=torch.from_numpy(features),
        edge_index=torch.from_numpy(np.stack([source, target])),
        edge_weight=torch.from_numpy(weight),
        feature_names=list(found),
        layer_names=[layer.name for layer in graph.layers],
    )
