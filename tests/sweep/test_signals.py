"""Sweeps that a signal ends: one line, nobody left after ten seconds, and nothing lost."""

import os
import random
import re
import signal
import sys
import time

import clusters
import psutil
import pytest

import main
from runs import results
from system import appending

# It hangs where no other thread of Python runs, as in long work of a library.
NET = """
import ctypes, os, time
from torch import nn
def net():
    if os.path.exists("hang"):
        ctypes.PyDLL(None).sleep(10_000)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
"""
FLAGS = ["--model", "nets:net", "--input-shape", "6", "--pruning", "er", "--encoding", "rolled"]
SEEDS = 4000
ROWS = "results/graph_metrics/rolled/rolled-none-nets.net-6.csv"
STATUS = {
    signal.SIGINT: 130,
    signal.SIGTERM: 143,
    signal.SIGHUP: 129,
    signal.SIGKILL: -9,
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes")


def processes(group):
    """Who is alive in a group of processes."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass
    return found


def sweep(python, folder, temporary, *more):
    temporary.mkdir(exist_ok=True)
    (folder / "nets.py").write_text(NET)
    return python.start(
        *(main.__file__, *FLAGS, "--seed", *range(SEEDS), *more),
        cwd=folder,
        env=clusters.environment() | {"TMPDIR": str(temporary)},
        session=True,
    )


def rows(folder):
    file = folder / ROWS
    return sum(1 for _ in appending.lines(file)) - 1 if file.exists() else 0


def test_a_sweep_that_is_ended(tmp_path, long, warm_python):
    """Its processes are at work or hang; the next sweep goes on where it was."""
    chance = random.Random(3)
    numbers = list(STATUS) * 10 if long else [signal.SIGTERM, signal.SIGKILL]
    jobs = "2" if long else "1"
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so it is for all that are started
        numbers = [number for number in numbers if number != signal.SIGINT]
    temporary, hang = tmp_path / "temporary", tmp_path / "hang"
    longest = 0.0
    for attempt, number in enumerate(numbers):
        before = rows(tmp_path)
        program = sweep(warm_python, tmp_path, temporary, "--jobs", jobs, "--threads", "2")
        wait_until(lambda b=before: rows(tmp_path) > b, program)
        if attempt % 2 == 0 or not long:
            hang.touch()
        time.sleep(chance.uniform(0, 1))
        os.kill(program.pid, number)
        start = time.monotonic()
        out, err = program.communicate(timeout=600)
        while processes(program.pid):
            assert time.monotonic() < start + 600
            time.sleep(0.01)
        longest = max(longest, time.monotonic() - start)
        hang.unlink(missing_ok=True)
        usual = re.compile(r"\d+ networks,|begun: |done: ")
        said = [line for line in err.splitlines() if not usual.match(line)]
        assert (program.returncode, out) == (STATUS[number], ""), err
        assert said == ([] if number == signal.SIGKILL else ["main.py: interrupted"])
        assert list(temporary.iterdir()) == []
        assert set(results.identities(tmp_path / ROWS).values()) == {2}
    print(f"{len(numbers)} signals; the longest that a process lived on: {longest:.1f} s")


def wait_until(what, process):
    """Wait for something, but not for longer than a program runs."""
    while not what():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
