"""The loop that lays lines over each other, compiled.

Arrays of all that it looks at, edges by pixels, take ten times longer.
"""

from __future__ import annotations

import numpy as np

from graph_encoding.compiled import compiled

from .columns import bent

_height = compiled(bent)


@compiled
def lay(start, end, weight, values, along, raised, lane, lane_height, tall, above, counts, summed):
    """Count the lines that pass each pixel.

    Parameters
    ----------
    start, end : numpy.ndarray of float64, shape (edges,)
        Heights of the edges' nodes.
    weight : numpy.ndarray of float64, shape (edges,)
        What a look at each edge counts for.
    values : numpy.ndarray of float64, shape (2, edges)
        Values at both ends; shape (2, 0) where there are none.
    along, raised : numpy.ndarray of float64, shape (across, looks)
        Of each look, from `Columns.bend`.
    lane : int
    lane_height : float
    tall, above : int
        Pixels of the tallest column, and of what is above it.
    counts, summed : numpy.ndarray of float32, shape (across, down)
        What is added to: weights, and where there are values weights times values.
    """
    size = counts.shape[1]
    valued = values.shape[1] > 0
    weights, products = np.empty(size), np.empty(size)
    for pixel in range(len(along)):
        weights[:] = 0
        products[:] = 0
        for look in range(along.shape[1]):
            part, up = along[pixel, look], raised[pixel, look]
            for edge in range(len(start)):
                height = _height(start[edge], end[edge], part, up, lane, lane_height)
                row = min(max(int(height * tall + above), 0), size - 1)
                weights[row] += weight[edge]
                if valued:
                    mean = values[0, edge] + (values[1, edge] - values[0, edge]) * part
                    products[row] += weight[edge] * mean
        for row in range(size):
            counts[pixel, row] += weights[row]
            if valued:
                summed[pixel, row] += products[row]
