"""Run the parts, each in a process with a time limit, and print and write one table."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

import torch

from runs import records
from system.compute import threads

from .row import Row, loads, markdown

ROOT = Path(__file__).resolve().parents[2]
NO_DEVICE = 3
TOTAL_SECONDS = 480.0
"""On a GPU; the CPU, which is there to try the code, has all the time it wants."""


class Part(NamedTuple):
    """A part of the check: where its function lives, and the seconds that it may take.

    The function is given a device and whether the scale is tiny, and gives `Row`s.
    """

    where: str
    seconds: float


PARTS = {
    "masks": Part("tests.gpu.masks:check", 150),
    "topometrics": Part("tests.gpu.topometrics:check", 90),
    "training": Part("tests.gpu.trainings:check", 75),
    "killed": Part("tests.gpu.programs:check_killed", 75),
    "jobs": Part("tests.gpu.programs:check_jobs", 75),
    "compile": Part("tests.gpu.trainings:check_compiled", 90),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; its exit status is 0, 1 if anything has failed, 3 without CUDA."""
    parser = _parser()
    options = parser.parse_args(argv)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if options.device == "cuda" and not torch.cuda.is_available():
        print("gpu_check: torch finds no CUDA device here: nothing was checked", file=sys.stderr)
        return NO_DEVICE
    if options.alone:
        (name,) = options.parts
        for row in resolve_name(PARTS[name].where)(options.device, options.device == "cpu"):
            print(row.dumps(), flush=True)
        return 0
    about, rows, start = _about(options), [], time.monotonic()
    print(about, flush=True)
    for name in options.parts or PARTS:
        command = [sys.executable, "-m", __package__, name, "--alone", "--device", options.device]
        begun = time.monotonic()
        left = min(PARTS[name].seconds, start + TOTAL_SECONDS - begun)
        for row in run(command, left if options.device == "cuda" else None):
            rows.append((name, row))
            mark = row.result or "--"
            print(f"{mark:6} {row.what}: {row.cpu or '-'} | {row.gpu or '-'}", flush=True)
        rows.append((name, Row("this part", gpu=f"{time.monotonic() - begun:.0f} s")))
        print(f"       {name}: {rows[-1][1].gpu}", flush=True)
    failed = sum(row.holds is False for _, row in rows)
    held = sum(row.holds is True for _, row in rows)
    end = f"{held} checks hold, {failed} fail; {time.monotonic() - start:.0f} s."
    table = f"{about}\n\n{markdown(rows)}\n{end}\n"
    print(f"\n{table}")
    if options.output:
        options.output.write_text(f"# What a GPU has shown\n\n{table}")
    return int(failed > 0 or held == 0)


def run(command: Sequence[str], seconds: float | None) -> Iterator[Row]:
    """Run a program that prints rows; how it ends badly, or too late, is a row as well."""
    failed = False
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            _end(process)

        timer = threading.Timer(max(0.0, seconds or 0.0), stop)
        if seconds is not None:
            timer.start()
        try:
            for line in process.stdout:
                row = loads(line)
                failed |= row.holds is False
                yield row
            status = process.wait()
        finally:
            timer.cancel()
            _end(process)
            process.wait()
        errors.seek(0)
        text = errors.read().strip() or "nothing on standard error"
        if failed or status:
            print(text[-3000:], file=sys.stderr, flush=True)
        if late.is_set():
            yield Row("done in time", gpu=f"stopped after {seconds:.0f} s", holds=False)
        elif status:
            yield Row("ends well", gpu=f"status {status}: {text.splitlines()[-1]}", holds=False)


def _end(process: subprocess.Popen) -> None:
    """End a part with all the processes that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _about(options: argparse.Namespace) -> str:
    """The machine and the versions, in one paragraph."""
    card = "no GPU: the CPU stands for it"
    if options.device == "cuda":
        found = torch.cuda.get_device_properties(0)
        card = f"{found.name} ({found.total_memory / 1e9:.0f} GB)"
    commit = records.versions()["project"] or "no checkout"
    return (
        f"{card}; {records.cpu()}, {threads()} cores; Python {platform.python_version()}, torch "
        f"{torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}; "
        f"project {commit}; {datetime.date.today()}."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpu_check.sh", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)"
    )
    parser.add_argument(
        "--device",
        choices=("cuda", "cpu"),
        default="cuda",
        help="cpu: the same code on a tiny scale (default: cuda)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table, as Markdown")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
