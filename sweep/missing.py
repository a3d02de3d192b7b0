"""Which runs are undone: what no result file has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from runs import results
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
        once.
    """
    known: dict[Path, set[tuple[str, ...]]] = {}
    left = []
    for run in runs:
        measurements = []
        for measurement in run.measurements:
            file = measurement.rows_in(output_dir, run.network)
            if file not in known:
                known[file] = set(results.identities(file))
            identity = results.identity(configuration(run.network, measurement))
            if identity not in known[file] or anew(run.network, measurement):
                measurements.append(measurement)
        if measurements:
            left.append(replace(run, measurements=tuple(measurements)))
    return left
