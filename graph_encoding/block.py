"""A block: one pruned weight tensor and the geometry that repeats it over positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .axis import Axis
from .grid import NodeLayer


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """Edges from one node layer to another, kept as the weights they repeat.

    Entry ``i`` stands for one kept weight: it joins channel ``source_channel[i]`` to channel
    ``target_channel[i]`` through the kernel tap ``(tap_y[i], tap_x[i])`` at every pair of
    positions that `rows` and `columns` relate for that tap. No edge is ever written out.

    Parameters
    ----------
    name : str
        Name of the layer in the network.
    source, target : NodeLayer
        The node ids that the block joins. Usually whole node layers; the ``published`` wiring
        lays them over other ids.
    target_channel, source_channel : numpy.ndarray of int32, shape (n,)
    tap_y, tap_x : numpy.ndarray of int16, shape (n,)
    weight : numpy.ndarray of float32, shape (n,)
        Absolute values, all positive. Entries are sorted by target channel.
    rows, columns : Axis
        Geometry along the height and the width.
    kept_weights, total_weights : int
        Non-zero and all weights behind the block. An entry can stand for several (rolled-channel,
        merged edges); a weight that reads several node layers is counted in one block only, an
        identity shortcut has none.
    """

    name: str
    source: NodeLayer
    target: NodeLayer
    target_channel: np.ndarray
    source_channel: np.ndarray
    tap_y: np.ndarray
    tap_x: np.ndarray
    weight: np.ndarray
    rows: Axis
    columns: Axis
    kept_weights: int
    total_weights: int

    def __repr__(self) -> str:
        return (
            f"<Block {self.name}: {self.num_edges:,} edges, {self.kept_weights:,} of "
            f"{self.total_weights:,} weights>"
        )

    @property
    def taps(self) -> int:
        """Number of kernel taps, over both axes."""
        return self.rows.taps * self.columns.taps

    @property
    def density(self) -> float:
        """Share of the weights from all source to all target channels that there are."""
        pairs = self.source.channels * self.target.channels
        return len(self.weight) / (pairs * self.taps)

    @property
    def is_matrix(self) -> bool:
        """Whether it joins each (pooled) position to that position of the target, and no other."""
        return self.rows.is_identity and self.columns.is_identity

    @property
    def tap(self) -> np.ndarray:
        """int64 array (n,): flat index ``tap_y * columns.taps + tap_x`` of each entry's tap."""
        return self.tap_y.astype(np.int64) * self.columns.taps + self.tap_x

    @cached_property
    def pairs_per_tap(self) -> np.ndarray:
        """int64 array (taps,): edges that one entry on each tap stands for."""
        rows = self.rows.source_counts.sum(axis=1)
        columns = self.columns.source_counts.sum(axis=1)
        return np.outer(rows, columns).ravel()

    @cached_property
    def num_edges(self) -> int:
        """Number of edges, never written out."""
        return int(np.bincount(self.tap, minlength=self.taps) @ self.pairs_per_tap)

    @property
    def fan_in(self) -> np.ndarray:
        """int64 array (target.size,): edges into each target node."""
        return self._fan_in.astype(np.int64)

    @property
    def fan_out(self) -> np.ndarray:
        """int64 array (source.size,): edges out of each source node."""
        return self._fan_out.astype(np.int64)

    # Many metrics ask for these. They are short because nodes, not edges, fill the memory.
    @cached_property
    def _fan_in(self) -> np.ndarray:
        return self.target_sums().astype(np.int32)

    @cached_property
    def _fan_out(self) -> np.ndarray:
        return self.source_sums().astype(np.int32)

    @cached_property
    def total_weight(self) -> float:
        """Sum of the weights of all edges."""
        per_tap = np.bincount(self.tap, weights=self.weight, minlength=self.taps)
        return float(per_tap @ self.pairs_per_tap)

    def target_sums(self, values: np.ndarray | None = None) -> np.ndarray:
        """Sum over the edges into each target node of a value an entry (of ones without values).

        Returns
        -------
        numpy.ndarray of float64, shape (target.size,)
        """
        kernels = self._kernel_sums(self.target_channel, self.target.channels, values)
        return _spread(kernels, self.rows.source_counts, self.columns.source_counts)

    def source_sums(self, values: np.ndarray | None = None) -> np.ndarray:
        """Sum over the edges out of each source node, as `target_sums`.

        Returns
        -------
        numpy.ndarray of float64, shape (source.size,)
        """
        kernels = self._kernel_sums(self.source_channel, self.source.channels, values)
        return _spread(kernels, self.rows.target_counts, self.columns.target_counts)

    def _kernel_sums(
        self, channel: np.ndarray, channels: int, values: np.ndarray | None
    ) -> np.ndarray:
        key = channel * np.int64(self.taps) + self.tap
        sums = np.bincount(key, weights=values, minlength=channels * self.taps)
        return sums.reshape(channels, self.rows.taps, self.columns.taps).astype(np.float64)

    def tap_masks(self) -> np.ndarray:
        """The mask written out, one 0/1 matrix a tap.

        Returns
        -------
        numpy.ndarray of float32, shape (taps, source_channels, target_channels)
        """
        masks = np.zeros((self.taps, self.source.channels, self.target.channels), np.float32)
        masks[self.tap, self.source_channel, self.target_channel] = 1
        return masks

    def edges(self, chunk_size: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Stream the edges as (source, target, weight) chunks of about `chunk_size`."""
        order = np.argsort(self.tap, kind="stable")
        starts = np.searchsorted(self.tap[order], np.arange(self.taps + 1))
        for tap in range(self.taps):
            entries = order[starts[tap] : starts[tap + 1]]
            tap_y, tap_x = divmod(tap, self.columns.taps)
            source_y, target_y = np.nonzero(self.rows.relation[tap_y])
            source_x, target_x = np.nonzero(self.columns.relation[tap_x])
            sources = np.add.outer(source_y * self.source.width, source_x).ravel()
            targets = np.add.outer(target_y * self.target.width, target_x).ravel()
            if not len(entries) or not len(sources):
                continue
            sources += self.source.offset
            targets += self.target.offset
            step = max(1, chunk_size // len(sources))
            for start in range(0, len(entries), step):
                part = entries[start : start + step]
                source_base = self.source_channel[part].astype(np.int64) * self.source.positions
                target_base = self.target_channel[part].astype(np.int64) * self.target.positions
                yield (
                    np.add.outer(source_base, sources).ravel(),
                    np.add.outer(target_base, targets).ravel(),
                    np.repeat(self.weight[part], len(sources)),
                )


def _spread(kernels: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Add up per-tap sums (channels, taps_y, taps_x) at every position that the taps reach."""
    along_columns = kernels @ columns.astype(np.float64)
    return np.matmul(rows.T.astype(np.float64), along_columns).ravel()
