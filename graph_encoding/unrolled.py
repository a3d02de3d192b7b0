"""Unrolled encoding: the whole network as one multipartite graph over feature-map nodes."""

from __future__ import annotations

from torch import nn

from .block import Block
from .graph import Graph
from .grid import NodeLayer
from .merging import merged
from .published import published
from .trace import Connection, Trace, UnsupportedNetwork
from .tracing import trace


def unrolled(
    model: nn.Module, input_shape: tuple[int, ...] = (3, 32, 32), wiring: str = "exact"
) -> Graph:
    """Multipartite graph of a network.

    Cunegatti et al., "Understanding Sparse Neural Networks from their Topology via Multipartite
    Graph Representations", TMLR 2024, section 3.

    Parameters
    ----------
    model : torch.nn.Module
        Weights equal to zero are removed edges.
    input_shape : tuple of int
        Channels, height and width of one input, or its features.
    wiring : {"exact", "identity", "published"}
        ``identity`` adds identity shortcuts as edges of weight 1; ``published`` reproduces the
        released code's graph at stride-2 3 x 3 convolutions.

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
    traced = trace(model, input_shape, identity_shortcuts=wiring == "identity")
    layers: dict[int, NodeLayer] = {}
    offset = 0
    for key in _in_order(traced):
        layer = traced.layers[key]
        layers[key] = NodeLayer(layer.name, offset, layer.channels, layer.height, layer.width)
        offset += layers[key].size
    by_ends: dict[tuple[int, int], list[Connection]] = {}
    for joint in traced.connections:
        ends = traced.root(joint.source), traced.root(joint.target)
        by_ends.setdefault(ends, []).append(joint)
    blocks = []
    for (start, end), joints in by_ends.items():
        try:
            joint = merged(joints)
        except NotImplementedError as error:
            raise UnsupportedNetwork(f"{joints[-1].name}: {error}") from error
        source, target, rows, columns = layers[start], layers[end], joint.rows, joint.columns
        if wiring == "published":
            source, target, rows, columns = published(source, target, rows, columns)
        blocks.append(
            Block(
                name=joint.name,
                source=source,
                target=target,
                target_channel=joint.entries.target_channel,
                source_channel=joint.entries.source_channel,
                tap_y=joint.entries.tap_y,
                tap_x=joint.entries.tap_x,
                weight=joint.entries.weight,
                rows=rows,
                columns=columns,
                kept_weights=joint.kept_weights,
                total_weights=joint.total_weights,
            )
        )
    return Graph(list(layers.values()), blocks, "unrolled", wiring)


def _in_order(traced: Trace) -> list[int]:
    """Keys of the node layers that there are, in order."""
    keys = [key for key, layer in enumerate(traced.layers) if layer.joined is None]
    return sorted(keys, key=lambda key: traced.layers[key].place)
