"""Extended metrics: what the field measures beside the paper's topometrics, as plain functions.

A metric is a function of a `Graph` that returns its columns, as in `metrics`. To add one, write it
in a file of its own and give it a line in `METRICS`.
"""

from __future__ import annotations

from ..registry import Column, Metric, columns_of

__all__ = ["COLUMNS", "METRICS"]

METRICS: tuple[Metric, ...] = (
    Metric(
        "Degrees",
        "metrics.extended.density:density",
        (
            Column(
                "density",
                "share of all pairs of units that are joined",
                "2 E / (N (N - 1)), of all pairs of nodes (undirected); empty below 2 nodes",
            ),
        ),
    ),
)
COLUMNS = tuple(column.name for column in columns_of(METRICS))
