"""A matrix of counts, most of them zero, that weighs the rows of an array.

SciPy has one too, which multiplies no faster, and whose import takes 0.12 s of a run of 3 s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graph_encoding.compiled import compiled


class Counts(NamedTuple):
    """Counts by rows: those of row i are from ``start[i]`` to ``start[i + 1]``.

    Attributes
    ----------
    start : numpy.ndarray of int64, shape (rows + 1,)
    column : numpy.ndarray of int64
    value : numpy.ndarray of float64
    """

    start: np.ndarray
    column: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, row: np.ndarray, column: np.ndarray, value: np.ndarray, rows: int) -> Counts:
        """Sort counts, at different places, by their rows."""
        order = np.argsort(row, kind="stable")
        start = np.searchsorted(row[order], np.arange(rows + 1))
        return cls(start, column[order], value[order])

    def times(self, array: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Multiply the matrix, or some of its rows, by an array.

        Parameters
        ----------
        array : numpy.ndarray of float64, shape (columns, n)
        rows : numpy.ndarray of int64, optional

        Returns
        -------
        numpy.ndarray of float64, shape (rows, n)
        """
        rows = np.arange(len(self.start) - 1) if rows is None else rows
        sums = np.zeros((len(rows), array.shape[1]))
        _add_up(*self, array, rows, sums)
        return sums


@compiled
def _add_up(start, column, value, array, rows, sums):
    for i in range(len(rows)):
        total = sums[i]
        for at in range(start[rows[i]], start[rows[i] + 1]):
            count, row = value[at], array[column[at]]
            for j in range(len(total)):
                total[j] += count * row[j]
