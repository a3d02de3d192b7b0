"""Whole programs: main.py killed in the middle of training, several networks on one GPU."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from .row import Row, taken

ROOT = Path(__file__).resolve().parents[2]
SHORT = "--dataset digits --pruning snip --sparsity 0.9 --training --encoding rolled-channel"
JOBS_EPOCHS, SEEDS = 20, "0 1 2 3"

KILLED = """
import os, signal, sys
import training.loop

zero, calls, at = training.loop._zero_removed, 0, int(sys.argv[1])
def count(*args):
    global calls
    calls += 1
    if calls == at + 1:  # it is called before the first step as well
        os.kill(os.getpid(), signal.SIGKILL)
    zero(*args)
training.loop._zero_removed = count

import main
sys.exit(main.main(sys.argv[2:]))
"""


def check_killed(device: str, tiny: bool) -> Iterator[Row]:
    """kill -9 in the second epoch; rows, weights and logs are those of a run that never stopped."""
    epochs = 2 if tiny else 3
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        for name in (whole, killed):
            start = time.perf_counter()
            if name == killed:
                status = _run(name, device, ["-c", KILLED, "50"], epochs, check=False)
                yield Row(
                    "main.py: kill -9 in the second epoch leaves a checkpoint",
                    "",
                    f"status {status}",
                    status == -signal.SIGKILL and any(Path(name, ".checkpoints").iterdir()),
                )
            _run(name, device, ["main.py"], epochs)
            seconds = time.perf_counter() - start
            if name == whole:
                yield Row(
                    f"main.py: SNIP, {epochs} epochs, digits, from start to CSV", "", taken(seconds)
                )
        logs = [Path(name, "training.csv").read_text() for name in (whole, killed)]
        yield Row(
            "main.py: killed and gone on: losses and accuracies of every epoch",
            "",
            "equal" if logs[0] == logs[1] else "different",
            logs[0] == logs[1],
        )
        networks = [torch.load(next(Path(name, "snn").iterdir())) for name in (whole, killed)]
        pairs = list(zip(*map(_tensors, networks), strict=True))
        differ = sum(not torch.equal(one, other) for one, other in pairs)
        yield Row(
            "main.py: killed and gone on: weights and masks, bit by bit",
            "",
            f"{differ} of {len(pairs)} differ",
            differ == 0 and len(pairs) > 50,
        )
        row = _rows(whole / "runs.csv")[0]
        stages = ("prune", "train", "measure")
        on_gpu = [row[f"{stage}_gpu_megabytes"] for stage in stages]
        yield Row(
            f"runs.csv: peak MB of {', '.join(stages)}",
            ", ".join(row[f"{stage}_megabytes"] for stage in stages),
            f"{', '.join(on_gpu)} ({row['gpu']})",
            all(float(value) > 0 for value in on_gpu[:2]) if device != "cpu" else not any(on_gpu),
        )


def check_jobs(device: str, tiny: bool) -> Iterator[Row]:
    """Several networks on one GPU, one after the other and two at once."""
    epochs, seeds = (1, "0 1") if tiny else (JOBS_EPOCHS, SEEDS)
    seconds, training, logs = [], [], []
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            # A thread for each, so that whatever is on the CPU rounds as before.
            more = ["--seed", *seeds.split(), "--jobs", str(jobs), "--threads", str(jobs)]
            _run(folder, device, ["main.py"], epochs, *more)
            seconds.append(time.perf_counter() - start)
            rows = _rows(Path(folder, "runs.csv"))
            training.append(sum(float(row["train_seconds"]) for row in rows) / jobs)
            logs.append(sorted(Path(folder, "training.csv").read_text().splitlines()))
    count = len(seeds.split())
    yield Row(
        f"main.py: {count} networks, {epochs} epochs, digits, --jobs 1 and 2",
        "",
        f"{taken(seconds[0])} and {taken(seconds[1])}, {seconds[0] / seconds[1]:.2f} times as fast",
    )
    yield Row(
        "main.py: of that the training alone, --jobs 1 and 2",
        "",
        f"{taken(training[0])} and {taken(training[1])}, "
        f"{training[0] / training[1]:.2f} times as fast",
    )
    same = logs[0] == logs[1]
    yield Row(
        "main.py: --jobs 1 and 2: losses and accuracies of every epoch",
        "",
        "equal" if same else "different",
        same and len(logs[0]) == 1 + count * epochs,
    )


def _run(
    folder: str | Path, device: str, program: list[str], epochs: int, *more: str, check: bool = True
) -> int:
    """Run main.py; its results, and the networks if there is one, into a folder."""
    argv = [*SHORT.split(), "--device", device, "--epochs", str(epochs)]
    if "--jobs" not in more:
        more = (*more, "--save-snn", str(Path(folder, "snn")))
    done = subprocess.run(
        [sys.executable, *program, *argv, "--output-dir", str(folder), *more],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    if check and done.returncode:
        lines = done.stderr.strip().splitlines() or ["nothing on standard error"]
        raise RuntimeError(f"main.py ended with {done.returncode}: {lines[-1]}")
    return done.returncode


def _rows(file: Path) -> list[dict[str, str]]:
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def _tensors(tree) -> list[torch.Tensor]:
    """All tensors of nested dictionaries and lists."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [t for part in tree for t in _tensors(part)] if isinstance(tree, list | tuple) else []
