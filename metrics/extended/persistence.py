"""Zeroth-order neural persistence: how a network's layers fall together, heavy edges first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graph_encoding import Block, Graph, NodeLayer
from graph_encoding.compiled import compiled


def neural_persistence(graph: Graph) -> dict[str, float | None]:
    """``neural_persistence`` of the layers, in the mean, and ``neural_persistence_whole``.

    Parameters
    ----------
    graph : Graph
        Of any encoding. A bipartite graph is one layer, and its own largest weight stands for the
        network's.

    Returns
    -------
    dict
        Both between 0 and 1; None where no weight is left. The second takes all node layers and
        all edges, also of identity shortcuts, as one graph.

    Notes
    -----
    Rieck et al., "Neural Persistence: A Complexity Measure for Deep Neural Networks Using
    Algebraic Topology", ICLR 2019, definitions 2 and 3 with p = 2, and its mean over layers.
    See `layer_persistence`.
    """
    layers = [value for _, value in layer_persistence(graph)]
    if not layers:
        return {"neural_persistence": None, "neural_persistence_whole": None}
    return {
        "neural_persistence": float(np.mean(layers)),
        "neural_persistence_whole": _persistence(
            graph, graph.blocks, graph.num_nodes, _largest(graph.blocks)
        ),
    }


def layer_persistence(graph: Graph, largest: float | None = None) -> list[tuple[str, float]]:
    """Normalised neural persistence of each layer of weights.

    Parameters
    ----------
    graph : Graph
        Of any encoding.
    largest : float, optional
        The largest modulus of the network's weights; by default that of the graph's.

    Returns
    -------
    list of (str, float)
        Name and value of each layer of weights, in the order in which the network runs them. Empty
        where no weight is left.

    Notes
    -----
    Edges come in falling order of ``|w| / largest``. Every node is born at 1, and dies when an edge
    joins its component to another one, at the edge's weight: one point of the persistence diagram
    for every edge of a maximum spanning forest. A removed weight is a weight of zero, so that the
    components left at the end join at 0. The length of the n - 1 persistences is divided by its
    bound sqrt(n - 1), as in the authors' code.

    The graph of a layer is that of the encoding: of a convolution in an unrolled graph, all nodes
    that its weights could join at all positions, of its rolled graph the rows and columns of its
    weight matrix. The forest is Kruskal's, over edges that are read off the weights one by one.
    """
    found: dict[tuple[str, NodeLayer], list[Block]] = {}
    for block in graph.blocks:
        found.setdefault((block.name, block.target), []).append(block)
    # Identity shortcuts have no weights.
    layers = {key: blocks for key, blocks in found.items() if any(b.total_weights for b in blocks)}
    if largest is None:
        largest = _largest([block for blocks in layers.values() for block in blocks])
    if not largest:
        return []
    return [
        (name, _persistence(graph, blocks, _size(blocks), largest))
        for (name, _), blocks in layers.items()
    ]


def _largest(blocks: Sequence[Block]) -> float:
    return max((float(block.weight.max()) for block in blocks if len(block.weight)), default=0.0)


def _size(blocks: Sequence[Block]) -> int:
    """Nodes that the blocks could join."""
    runs = np.unique([(s.offset, s.stop) for b in blocks for s in (b.source, b.target)], axis=0)
    # Those of the published wiring may overlap.
    reach = np.maximum.accumulate(np.append(0, runs[:-1, 1]))
    return int(np.maximum(runs[:, 1] - np.maximum(runs[:, 0], reach), 0).sum())


def _persistence(graph: Graph, blocks: Sequence[Block], size: int, largest: float) -> float:
    """Length of the persistences of a graph on `size` nodes, over the bound of the length."""
    weight = np.concatenate([block.weight for block in blocks])
    order = np.argsort(-weight, kind="stable")
    part = np.repeat(np.arange(len(blocks)), [len(block.weight) for block in blocks])[order]
    columns = ("tap_y", "tap_x", "source_channel", "target_channel")
    entries = np.stack(
        [np.concatenate([getattr(b, name) for b in blocks]) for name in columns], axis=1
    )[order].astype(np.int64)
    ports, intervals, start = [], [], 0
    for block in blocks:
        port = [block.source.offset, block.source.positions, block.source.width]
        port += [block.target.offset, block.target.positions]
        port += [block.target.height, block.target.width]
        for axis in (block.rows, block.columns):
            port.append(start)
            intervals.append(axis.sources.ravel())
            start += intervals[-1].size
        ports.append(port)
    joined = _joined(
        entries,
        part,
        np.array(ports, np.int64),
        np.concatenate(intervals),
        graph.num_nodes,
        size - 1,
    )
    persistence = 1 - weight[order].astype(np.float64) / largest
    left = size - 1 - int(joined.sum())
    return float(np.sqrt((joined @ persistence**2 + left) / (size - 1)))


@compiled
def _joined(entries, part, ports, intervals, nodes, most):
    """How many pairs of components the edges of each entry join, taken in this order."""
    above = np.arange(nodes).astype(np.int32)
    joined = np.zeros(len(entries), np.int64)
    total = 0
    for e in range(len(entries)):
        if total == most:
            break
        port = ports[part[e]]
        tap_y, tap_x = entries[e, 0], entries[e, 1]
        source_base = port[0] + entries[e, 2] * port[1]
        target_base = port[3] + entries[e, 3] * port[4]
        height, width = port[5], port[6]
        for y in range(height):
            at = port[7] + 2 * (tap_y * height + y)
            for source_y in range(intervals[at], intervals[at + 1]):
                for x in range(width):
                    place = port[8] + 2 * (tap_x * width + x)
                    for source_x in range(intervals[place], intervals[place + 1]):
                        one = _top(above, source_base + source_y * port[2] + source_x)
                        other = _top(above, target_base + y * width + x)
                        if one != other:
                            above[one] = other
                            joined[e] += 1
        total += joined[e]
    return joined


@compiled
def _top(above, node):
    """The root of a node's tree; the way there gets half as long."""
    while above[node] != node:
        above[node] = above[above[node]]
        node = above[node]
    return node
