"""What was run where, how training went, what failed: three logs beside the results.

``runs.csv``, ``training.csv`` and ``failures.csv``; lines are only ever added, and columns that a
``runs.csv`` from before lacks.
"""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import os
import platform
import re
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runs import results, table

from . import naming
from .columns import IDENTITY
from .run import Measurement, Network, configuration

if TYPE_CHECKING:
    from pruning import Gaps

STAGES = ("data", "model", "prune", "train", "encode", "measure")
RUN = (*IDENTITY, "graph_metrics")
RUNS = (
    *RUN,
    "finished",
    "host",
    "project",
    "python",
    "torch",
    "device",
    "threads",
    *(f"{stage}_seconds" for stage in STAGES),
    *(f"{stage}_megabytes" for stage in STAGES),
    "cpu",
    "empty_layers",
    "empty_layer_names",
    "unreached_classes",
    "unreached_class_numbers",
    "gpu",
    "compiled",
    *(f"{stage}_gpu_megabytes" for stage in STAGES),
    "rows",
)
"""Files from before there were some of these are given them, empty."""
NETWORK = tuple(name for name in naming.NETWORK if name != "training")
TRAINING = (
    *(*NETWORK, "epoch", "loss", "train_accuracy", "test_accuracy"),
    *("moved", "ever_active"),
)
LONGEST = 10_000  # letters in a cell
GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE")
FAILURES = (*RUN, "failed", "host", "stage", "error", "reason")


def check(output_dir: str | Path) -> None:
    """Make sure, before long work, that the logs can be written.

    Parameters
    ----------
    output_dir : str or Path

    Raises
    ------
    ResultFileError, OSError
        As `results.check`.
    """
    runs, training, failures = (
        Path(output_dir) / f"{name}.csv" for name in ("runs", "training", "failures")
    )
    results.check(runs, RUNS)
    results.check(training, TRAINING)
    results.check(failures, FAILURES)


def record_run(
    output_dir: str | Path,
    network: Network,
    measurement: Measurement,
    took: Mapping[str, tuple[float, float, float | None]],
    device: str,
    threads: int,
    gaps: Gaps,
    rows: int,
    compiled: bool = False,
) -> None:
    """Add a line to ``runs.csv``: what is needed to repeat a run, and what it took.

    It is written before the run's rows are.

    Parameters
    ----------
    output_dir : str or Path
    network : Network
    measurement : Measurement
    took : mapping of str to (float, float, float or None)
        Seconds of wall time, and peak memory of the process and on a GPU (10^6 bytes) by stage.
    device : str
    threads : int
    gaps : pruning.Gaps
        What pruning has cut off.
    rows : int
        How many rows the run has.
    compiled : bool
        Whether the network was compiled for training.
    """
    row = _run(network, measurement) | {
        "finished": _now(),
        "host": socket.gethostname(),
        "cpu": cpu(),
        **versions(),
        "device": device,
        "threads": threads,
        **_missing(gaps),
        "rows": rows,
        "gpu": gpu(device),
        "compiled": compiled if network.training else None,
    }
    for stage in STAGES:
        seconds, megabytes, on_gpu = took.get(stage, (None, None, None))
        row[f"{stage}_seconds"] = _rounded(seconds, 3)
        row[f"{stage}_megabytes"] = _rounded(megabytes, 1)
        row[f"{stage}_gpu_megabytes"] = _rounded(on_gpu, 1)
    file = Path(output_dir) / "runs.csv"
    results.append(file, RUNS, [row])


def row_counts(output_dir: str | Path) -> dict[tuple[str, ...], int]:
    """How many rows each run has, by ``runs.csv``.

    Parameters
    ----------
    output_dir : str or Path

    Returns
    -------
    dict of tuple of str to int
        By `results.identity` with what was measured. Runs of earlier versions, which did not note
        it, are not there.

    Raises
    ------
    ResultFileError
        If the file cannot be read.
    """
    file = Path(output_dir) / "runs.csv"
    names = results.columns_of(file)
    if "rows" not in names:
        return {}
    metrics, rows = names.index("graph_metrics"), names.index("rows")
    return {
        (*run, cells[metrics]): int(cells[rows])
        for *_, cells, run in table.identified(file)
        if cells[rows].isdecimal()
    }


def record_epoch(
    output_dir: str | Path, network: Network, epoch: Mapping[str, float | int]
) -> None:
    """Add a line to ``training.csv``.

    Parameters
    ----------
    output_dir : str or Path
    network : Network
    epoch : mapping
        Number of the epoch that has ended, its loss and accuracies, and what its masks did if they
        change (`training.loop.train`). A run that is killed and goes on may write one epoch twice.
    """
    row = dict.fromkeys(TRAINING) | {name: getattr(network, name) for name in NETWORK} | epoch
    results.append(Path(output_dir) / "training.csv", TRAINING, [row])


def record_failure(
    output_dir: str | Path,
    network: Network,
    measurements: Iterable[Measurement],
    stage: str,
    error: str,
    reason: str,
) -> None:
    """Add a line to ``failures.csv`` for each measurement that could not be made.

    Parameters
    ----------
    output_dir : str or Path
    network : Network
    measurements : iterable of Measurement
    stage : str
        Where it failed.
    error, reason : str
        Kind of the error, and its message.
    """
    rows = [
        _run(network, measurement)
        | {
            "failed": _now(),
            "host": socket.gethostname(),
            "stage": stage,
            "error": error,
            # A name that is no text stands in it with what stands for its bytes.
            "reason": _short(reason).encode(errors="backslashreplace").decode(),
        }
        for measurement in measurements
    ]
    results.append(Path(output_dir) / "failures.csv", FAILURES, rows)


@functools.cache
def versions() -> dict[str, str]:
    """Versions of python, torch and the project (`commit` of its folder)."""
    return {
        "project": commit(Path(__file__).resolve().parents[1]),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
    }


def commit(folder: Path) -> str:
    """Git commit of the project in a folder, with "-dirty" after changes.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        Empty if the folder is not the top of a repository that has the project's files, such as an
        unpacked archive within another repository.
    """
    # As in a hook, these may name another repository than that of the folder.
    env = {name: value for name, value in os.environ.items() if name not in GIT_PLACES}

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=10,
            check=True,
        )
        return done.stdout.removesuffix("\n")

    try:
        git("ls-files", "--error-unmatch", "main.py")
        if not os.path.samefile(git("rev-parse", "--show-toplevel"), folder):
            return ""
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return ""


@functools.cache
def cpu() -> str:
    """Model of the processor, and the vector instructions that torch uses on it."""
    import torch

    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    model = found[1] if found else platform.processor() or platform.machine()
    return f"{model} ({torch.backends.cpu.get_cpu_capability()})"


def gpu(device: str) -> str | None:
    """Name of the card behind a torch device; None for the CPU."""
    if device == "cpu":
        return None
    import torch

    return torch.cuda.get_device_name(device)


def _missing(gaps: Gaps) -> dict[str, object]:
    """How many, and which; empty where it is not known."""
    row: dict[str, object] = {
        "empty_layers": len(gaps.empty_layers),
        "empty_layer_names": _short(" ".join(gaps.empty_layers)),
        "unreached_classes": None,
        "unreached_class_numbers": None,
    }
    if gaps.unreached is not None:
        row["unreached_classes"] = len(gaps.unreached)
        row["unreached_class_numbers"] = " ".join(map(str, gaps.unreached))
    return row


def _run(network: Network, measurement: Measurement) -> dict[str, object]:
    row = configuration(network, measurement)
    return {name: row[name] for name in IDENTITY} | {"graph_metrics": measurement.graph_metrics}


def _short(text: str) -> str:
    """A text in one line that csv reads again: it refuses cells of more than 131,072 letters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
