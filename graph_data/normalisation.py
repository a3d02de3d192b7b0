"""Metrics by the size of their graph, as the paper's authors publish them.

Result files hold raw values; the study compares graphs of different sizes and so divides each
metric by the nodes or edges of its graph. The divisors are those of the released
``graph_metrics/unrolled/unrolled.csv``: undoing them gives whole numbers for every count there,
the motif count included, which is by edges.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

import metrics
from metrics.registry import columns_of

DIVISORS = {column.name: column.divisor for column in columns_of(metrics.METRICS) if column.divisor}


def normalise(table: pd.DataFrame, divisors: Mapping[str, str] = DIVISORS) -> pd.DataFrame:
    """Divide each metric by its divisor.

    Parameters
    ----------
    table : pandas.DataFrame
        Raw values; with columns ``nodes`` and ``edges``, and any of the metrics.
    divisors : mapping of str to str
        By metric; the topometrics' by default.

    Returns
    -------
    pandas.DataFrame
        The same columns; what has no divisor is as it was. A graph without edges has 0 where the
        divisor is its edges. A metric is undefined where its divisor is.
    """
    return _scale(table, divisors, lambda values, size: values / np.where(size == 0, 1, size))


def undo(table: pd.DataFrame) -> pd.DataFrame:
    """Raw values from normalised ones; the inverse of `normalise`.

    Parameters
    ----------
    table : pandas.DataFrame

    Returns
    -------
    pandas.DataFrame
    """
    return _scale(table, DIVISORS, lambda values, size: values * size)


def _scale(table: pd.DataFrame, divisors: Mapping[str, str], how) -> pd.DataFrame:
    scaled = {
        metric: how(table[metric], table[size])
        for metric, size in divisors.items()
        if metric in table
    }
    return table.assign(**scaled)
