"""Unrolled encoding: the whole network as one multipartite graph over feature-map nodes."""

from __future__ import annotations

from typing import Any

from torch import nn

from .block import Block
from .encodings import EXACT, PUBLISHED, REFUSE, TOKENS, WITH_SHORTCUTS
from .graph import Graph
from .grid import NodeLayer
from .published import published
from .scripted import readable
from .slices import between_slices
from .tracing import trace


def unrolled(
    model: nn.Module,
    example: Any,
    wiring: str = EXACT,
    attention: str = REFUSE,
) -> Graph:
    """Multipartite graph of a network.

    Cunegatti et al., "Understanding Sparse Neural Networks from their Topology via Multipartite
    Graph Representations", TMLR 2024, section 3.

    Parameters
    ----------
    model : torch.nn.Module
        Weights equal to zero are removed edges.
    example : torch.Tensor, tuple or dict
        What the network is called with: its arguments, or those with keywords, images first.
    wiring : {"exact", "identity", "published"}
        ``identity`` adds identity shortcuts as edges of weight 1; ``published`` reproduces the
        released code's graph at stride-2 3 x 3 convolutions.
    attention : {"refuse", "tokens"}
        With ``tokens`` a position of attention's output stands for all that it attends to.

    Returns
    -------
    Graph
        The first node layers are the padded inputs.

    Raises
    ------
    UnsupportedNetwork
        If the network holds something that has no multipartite graph.
    ValueError
        If a weight is not finite.
    """
    model = readable(model, example)
    traced = trace(
        model,
        example,
        identity_shortcuts=wiring == WITH_SHORTCUTS,
        attends=attention == TOKENS,
    )
    layers: list[NodeLayer] = []
    for layer in traced.layers:
        offset = layers[-1].stop if layers else 0
        depth, height, width = layer.sizes
        slices = layer.channels * depth
        layers.append(NodeLayer(layer.name, offset, slices, height, width, depth))
    blocks = []
    for joint in traced.connections:
        ends = layers[joint.source], layers[joint.target], *joint.axes[1:]
        if wiring == PUBLISHED:
            ends = published(*ends)
        source, target, rows, columns = ends
        blocks.append(
            Block(
                name=joint.name,
                source=source,
                target=target,
                **between_slices(joint),
                rows=rows,
                columns=columns,
                kept_weights=joint.kept_weights,
                total_weights=joint.total_weights,
            )
        )
    outputs = tuple(place - len(layers) for place in traced.outputs)
    return Graph(layers, blocks, inputs=traced.inputs, outputs=outputs)
