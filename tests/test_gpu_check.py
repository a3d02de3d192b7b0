"""scripts/gpu_check.sh: its parts with the CPU in the place of a GPU, its table and exit status.

`killed`, `jobs` and `compile` take minutes there: `scripts/gpu_check.sh --device cpu` runs them.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.gpu import __main__ as program
from tests.gpu import masks, topometrics, trainings
from tests.gpu.row import Row, guarded, loads, markdown

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("check", [masks.check, topometrics.check, trainings.check])
def test_a_part(check):
    rows = list(check("cpu", True))
    assert [row for row in rows if row.holds is False] == []
    assert len([row for row in rows if row.holds]) >= 2


def test_masks_that_differ_are_counted(monkeypatch):
    """Two halves of eight weights, and a fingerprint that no machine has."""

    def other(model, pruner, size, device):
        mask = torch.arange(8) < 4
        return (mask if device == "cpu" else mask.roll(1)), 0.1

    monkeypatch.setattr(masks, "masks", other)
    monkeypatch.setattr(masks.mask_hashes, "known", lambda: {"small": {"erk": "00", "er": "00"}})
    *counted, last = masks.check("cpu:0", True)
    assert [(row.gpu, row.holds) for row in counted] == [("2 differ, 0.1 s", False)] * len(
        masks.TINY_PRUNERS
    )
    assert (last.cpu, last.holds) == ("erk", False)
    assert last.gpu.startswith("erk differs")


def test_a_check_that_fails_does_not_stop_the_next(capsys):
    def fails():
        yield Row("first", holds=True)
        raise ValueError("so it is\nindeed")

    rows = list(guarded(fails(), [Row("last")]))
    assert [row.what for row in rows] == ["first", "ends well", "last"]
    assert (rows[1].gpu, rows[1].holds) == ("ValueError: so it is", False)
    assert "Traceback" in capsys.readouterr().err


def part(code):
    """A part that prints a row and goes on with some Python."""
    first = "from tests.gpu.row import Row\nprint(Row('first', holds=True).dumps(), flush=True)"
    return [sys.executable, "-c", f"{first}\n{code}"]


def test_a_part_that_fails_is_a_row(capsys):
    rows = list(program.run(part("raise SystemExit('alas')"), 600))
    assert [row.holds for row in rows] == [True, False]
    assert rows[1].gpu == "status 1: alas"
    assert "alas" in capsys.readouterr().err


class Timer:
    """One whose time comes when `function` is called."""

    def __init__(self, seconds, function):
        self.seconds, self.function = seconds, function

    def start(self):
        """Begin to wait, for nothing."""

    cancel = start


def test_a_part_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    """With what it has started."""
    timers = []
    monkeypatch.setattr(
        program.threading, "Timer", lambda *given: timers.append(Timer(*given)) or timers[-1]
    )
    file = tmp_path / "child"
    code = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '10000'])\n"
        f"open({str(file)!r}, 'w').write(str(child.pid))\n"
        "child.wait()"
    )
    rows = program.run(part(code), 10)
    assert next(rows).holds
    while not (file.exists() and file.read_text()):
        time.sleep(0.01)
    (timer,) = timers
    assert timer.seconds == 10
    timer.function()
    (row,) = rows
    assert (row.gpu, row.holds) == ("stopped after 10 s", False)
    child = int(file.read_text())
    while Path(f"/proc/{child}").exists() and "Z" not in state(child):
        time.sleep(0.1)


def state(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([Row("a|b", "1", "2", True), Row("c", gpu="3 s")], 0),
        ([Row("a|b", "1", "2", True), Row("c", "1", "4", False)], 1),
        ([Row("c", gpu="3 s")], 1),  # nothing was checked
        ([], 1),
    ],
)
def test_table_and_exit_status(rows, status, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(program, "run", lambda command, seconds: iter(rows))
    file = tmp_path / "gpu.md"
    assert program.main(["masks", "--device", "cpu", "--output", str(file)]) == status
    table = file.read_text()
    assert table.partition("\n\n")[2] in capsys.readouterr().out
    named = [("masks", row) for row in rows]
    assert markdown([*named, ("masks", Row("this part", gpu="0 s"))]) in table
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {6}
    assert f"torch {torch.__version__}" in table
    assert [loads(row.dumps()) for row in rows] == rows


def test_without_cuda_it_says_so(warm_python):
    done = subprocess.run(
        ["bash", "scripts/gpu_check.sh"],
        cwd=ROOT,
        env=os.environ | {"PYTHON": warm_python.executable, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "gpu_check: torch finds no CUDA device here: nothing was checked\n"


def test_an_unknown_part_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        program.main(["maks"])
    assert ended.value.code == 2
    assert "no part maks: choose from masks, topometrics" in capsys.readouterr().err
