"""The compiled loops of `two_layouts`."""

from __future__ import annotations

import numpy as np

from graph_encoding.compiled import compiled


@compiled
def looked_up(few, many):
    """Sum over the pairs of nodes that `few` joins of its number of ways times that of `many`.

    Each is (layout of the starts, layout of the ends, kinds of pairs of rows and of columns,
    table), as of `two_layouts.Counts`. The sums are those of each start node.
    """
    start, end, rows, columns, counts = few
    other_start, other_end, other_rows, other_columns, other_counts = many
    low = max(start.offset, other_start.offset)
    high = min(
        start.offset + start.positions * start.channels,
        other_start.offset + other_start.positions * other_start.channels,
    )
    last = other_end.positions * other_end.channels
    # Where each end is in the other layout: a look is quicker than two divisions.
    far_channel = np.empty(last, np.int32)
    far_y, far_x = np.empty_like(far_channel), np.empty_like(far_channel)
    for far in range(last):
        far_channel[far], place = divmod(far, other_end.positions)
        far_y[far], far_x[far] = divmod(place, other_end.width)
    sums = np.zeros(max(high - low, 0), np.int64)
    for node in range(low, high):
        channel, place = divmod(node - start.offset, start.positions)
        y, x = divmod(place, start.width)
        other_channel, place = divmod(node - other_start.offset, other_start.positions)
        other_y, other_x = divmod(place, other_start.width)
        total = 0
        for end_y in range(rows.shape[1]):
            row = rows[y, end_y]
            if row < 0:
                continue
            for end_x in range(columns.shape[1]):
                column = columns[x, end_x]
                if column < 0:
                    continue
                first = end.offset + end_y * end.width + end_x - other_end.offset
                for end_channel in range(end.channels):
                    far = first + end_channel * end.positions
                    if far < 0 or far >= last:
                        continue
                    number = counts[row, column, channel, end_channel]
                    if number == 0:
                        continue
                    far_row = other_rows[other_y, far_y[far]]
                    far_column = other_columns[other_x, far_x[far]]
                    if far_row >= 0 and far_column >= 0:
                        channels = other_counts[far_row, far_column, other_channel]
                        total += number * channels[far_channel[far]]
        sums[node - low] = total
    return sums


@compiled
def add_looked_up(source, target, many, ways):
    """Add to the number of ways of each edge those that a table has between its ends."""
    start, end, rows, columns, counts = many
    first, last = start.positions * start.channels, end.positions * end.channels
    for edge in range(len(source)):
        near, far = source[edge] - start.offset, target[edge] - end.offset
        if near < 0 or near >= first or far < 0 or far >= last:
            continue
        channel, place = divmod(near, start.positions)
        y, x = divmod(place, start.width)
        far_channel, place = divmod(far, end.positions)
        far_y, far_x = divmod(place, end.width)
        row, column = rows[y, far_y], columns[x, far_x]
        if row >= 0 and column >= 0:
            ways[edge] += counts[row, column, channel, far_channel]
