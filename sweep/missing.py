"""Which runs are undone: what no result file has, or not all of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from runs import records, results
from runs.run import Measurement, Network, Run, configuration


def missing(
    runs: Iterable[Run],
    output_dir: str | Path,
    anew: Callable[[Network, Measurement], bool] = lambda *_: False,
) -> list[Run]:
    """What is not in the result files yet.

    Parameters
    ----------
    runs : iterable of Run
    output_dir : str or Path
    anew : callable
        Whether a measurement counts as missing although it is there.

    Returns
    -------
    list of Run
        With the measurements that are missing; runs with none are left out. Each file is read
        once. A run that has fewer rows than ``runs.csv`` says, as a disk may have lost, is missing.

    Raises
    ------
    ResultFileError
        If a file cannot be read.
    """
    known: dict[Path, dict[tuple[str, ...], int]] = {}
    whole = records.row_counts(output_dir)
    left = []
    for run in runs:
        measurements, again = [], []
        for measurement in run.measurements:
            file = measurement.rows_in(output_dir, run.network)
            if file not in known:
                known[file] = results.identities(file)
            rows, is_there = 0, False
            if known[file]:  # to tell runs from one another takes longest
                identity = results.identity(configuration(run.network, measurement))
                rows = known[file].get(identity, 0)
                is_there = rows >= whole.get((*identity, measurement.graph_metrics), 1)
            if not is_there or anew(run.network, measurement):
                measurements.append(measurement)
                again += [measurement] if rows else []
        if measurements:
            left.append(Run(run.network, tuple(measurements), tuple(again)))
    return left
