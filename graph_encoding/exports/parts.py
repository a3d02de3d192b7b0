"""What exports write: all edges as arrays, and who each node is."""

from __future__ import annotations

from typing import Any

import numpy as np

AXES = ("z", "y", "x")


def edges(graph: Any, index: type = np.int64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All edges of a `Graph`.

    Returns
    -------
    source, target : numpy.ndarray of `index`, shape (num_edges,)
    weight : numpy.ndarray of float32, shape (num_edges,)
    """
    source = np.empty(graph.num_edges, index)
    target = np.empty(graph.num_edges, index)
    weight = np.empty(graph.num_edges, np.float32)
    start = 0
    for sources, targets, weights in graph.edges():
        stop = start + len(sources)
        source[start:stop], target[start:stop] = sources, targets
        weight[start:stop] = weights
        start = stop
    return source, target, weight


def nodes(graph: Any) -> dict[str, np.ndarray]:
    """Who each node of a `Graph` is.

    Returns
    -------
    dict of str to numpy.ndarray of int64, shape (num_nodes,)
        ``layer``: place of its layer in ``graph.layers``; ``channel``; its position, ``y`` and
        ``x`` (and ``z``, if a layer has a third axis). 0 along an axis that its layer lacks.
    """
    shapes = [layer.maps(np.empty(layer.stop, bool)).shape for layer in graph.layers]
    axes = AXES[-max(2, *(len(shape) - 1 for shape in shapes)) :]
    found = {name: np.zeros(graph.num_nodes, np.int64) for name in ("layer", "channel", *axes)}
    for number, (layer, shape) in enumerate(zip(graph.layers, shapes)):
        here = slice(layer.offset, layer.stop)
        found["layer"][here] = number
        channel, *position = np.unravel_index(np.arange(layer.size), shape)
        found["channel"][here] = channel
        for name, place in zip(axes[len(axes) - len(position) :], position):
            found[name][here] = place
    return found


def attributes(graph: Any) -> dict[str, list]:
    """As `nodes`, as lists of plain numbers, with the layers' names in place of their numbers."""
    found: dict[str, list] = {name: values.tolist() for name, values in nodes(graph).items()}
    names = [layer.name for layer in graph.layers]
    found["layer"] = [names[number] for number in found["layer"]]
    return found
