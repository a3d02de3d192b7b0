"""What can be measured of graphs: sets of metrics, with their columns and folders."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import metrics
import metrics.extended
import ramanujan
from graph_encoding import ENCODINGS
from metrics.registry import Metric, columns_of, groups_of
from system import text


class Measure(NamedTuple):
    """A set of metrics.

    Attributes
    ----------
    metrics : tuple of Metric
    folder : str
        Of its result files, in the output folder; ``{encoding}`` and ``{model}`` are filled in.
    bipartite_only : bool
        Whether it is defined on bipartite graphs only.
    """

    metrics: tuple[Metric, ...]
    folder: str
    bipartite_only: bool = False

    def file(self, output_dir: str | Path, encoding: str, dataset: str, model: str) -> Path:
        """The result file of these metrics for an encoding, a data set and a model."""
        folder = self.folder.format(encoding=encoding, model=text.file_name(model))
        return Path(output_dir, folder, text.file_name(f"{encoding}-{dataset}-{model}.csv"))

    def files(self, output_dir: str | Path, encoding: str) -> list[Path]:
        """The result files of these metrics for an encoding that are there, and copies of them."""
        folder = self.folder.format(encoding=encoding, model="*")
        found = sorted(Path(output_dir).glob(f"{folder}/*.csv"))
        if folder != self.folder.format(encoding="*", model="*"):
            return found  # a folder of its own
        longer = tuple(f"{name}-" for name in ENCODINGS if name.startswith(f"{encoding}-"))
        named = (file for file in found if file.name.startswith(f"{encoding}-"))
        return [file for file in named if not file.name.startswith(longer)]

    @property
    def groups(self) -> dict[str, list[str]]:
        """Names of the columns by title."""
        return groups_of(self.metrics)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in columns_of(self.metrics))


MEASURES: dict[str, Measure] = {
    "topometrics": Measure(metrics.METRICS, "graph_metrics/{encoding}"),
    "ramanujan": Measure(ramanujan.METRICS, "ramanujan_results/{model}", bipartite_only=True),
    "extended": Measure(metrics.extended.METRICS, "extended_metrics/{encoding}"),
}
SPELLINGS = {"ramanunjan": "ramanujan"}
"""Names as the paper's code has them."""
