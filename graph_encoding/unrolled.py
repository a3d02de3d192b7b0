"""Unrolled encoding: the whole network as one multipartite graph over feature-map nodes."""

from __future__ import annotations

from torch import nn

from .block import Block
from .graph import Graph
from .grid import NodeLayer
from .published import published
from .tracing import UnsupportedNetwork, trace


def unrolled(
    model: nn.Module, input_shape: tuple[int, int, int] = (3, 32, 32), wiring: str = "exact"
) -> Graph:
    """Multipartite graph of a network.

    Cunegatti et al., "Understanding Sparse Neural Networks from their Topology via Multipartite
    Graph Representations", TMLR 2024, section 3.

    Parameters
    ----------
    model : torch.nn.Module
        Weights equal to zero are removed edges.
    input_shape : tuple of int
        Channels, height and width of one input.
    wiring : {"exact", "published"}
        ``published`` reproduces the released code's graph at stride-2 3 x 3 convolutions.

    Returns
    -------
    Graph
        The first node layer is the padded input.

    Raises
    ------
    UnsupportedNetwork
        If the network holds something that has no multipartite graph.
    ValueError
        If a weight is not finite.
    """
    traced = trace(model, input_shape)
    layers: dict[int, NodeLayer] = {}
    offset = 0
    for key, layer in enumerate(traced.layers):
        if layer.joined is None:
            layers[key] = NodeLayer(layer.name, offset, layer.channels, layer.height, layer.width)
            offset += layers[key].size
    blocks = []
    for joint in traced.connections:
        source, target = (layers[traced.root(key)] for key in (joint.source, joint.target))
        rows, columns = joint.rows, joint.columns
        if wiring == "published":
            source, target, rows, columns = published(source, target, rows, columns)
        blocks.append(
            Block.from_weight(joint.name, source, target, joint.weight, rows, columns, joint.groups)
        )
    ends = [(traced.root(joint.source), traced.root(joint.target)) for joint in traced.connections]
    for joint, pair in zip(traced.connections, ends, strict=True):
        if ends.count(pair) > 1:
            raise UnsupportedNetwork(
                f"{joint.name}: runs beside another layer between the same nodes, which would be "
                "joined twice"
            )
    return Graph(list(layers.values()), blocks, "unrolled", wiring)
