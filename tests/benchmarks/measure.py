"""Time and peak memory of a call, and of a whole process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from system import memory

ROOT = Path(__file__).resolve().parents[2]


class Cost(NamedTuple):
    """Wall-clock seconds, and the peak resident memory of the process in MB meanwhile."""

    seconds: float
    megabytes: float


def measured(call: Callable[[], Any]) -> tuple[Any, Cost]:
    """Call something and measure it (Linux: the peak is reset before)."""
    memory.reset_peak()
    start = time.perf_counter()
    result = call()
    return result, Cost(time.perf_counter() - start, memory.peak_kib() / 1e3)


def run(command: list[str], **environment: str) -> tuple[str, Cost, int]:
    """Run a whole process from the project's root.

    Returns
    -------
    output : str
        Its standard output.
    cost : Cost
    status : int
        Its exit status.
    """
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, text=True, env=os.environ | environment
    ) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return output, Cost(time.perf_counter() - start, usage.ru_maxrss / 1e3), process.returncode


def lines_of(module: str, *arguments: str) -> list[dict[str, Any]]:
    """Run a module in a fresh process and read the JSON lines that it prints."""
    output, _, status = run([sys.executable, "-m", module, *arguments])
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if status:
        lines.append({"metric": "(ended early)", "status": status})
    return lines
