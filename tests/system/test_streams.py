"""Standard streams that are closed, that nobody reads any more, or that lack letters."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import main
from command_line import console
from system import streams

ROOT = Path(streams.__file__).parents[1]
TINY = """
from torch import nn
def tiny():
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
"""
RUN = ("--model=tiny:tiny", "--input-shape=6", "--pruning=er", "--sparsity=0.5")
ROWS = "graph_metrics/unrolled/unrolled-none-tiny.tiny-6.csv"


def shell(command, cwd, **env):
    """Run a command of a shell, in which ``$python`` is this one."""
    env = os.environ | {"python": sys.executable, "PYTHONPATH": f"{ROOT}:{cwd}"} | env
    return subprocess.run(
        command, shell=True, cwd=cwd, env=env, capture_output=True, text=True, timeout=600
    )


PROBE = """
import os, subprocess, sys
from system import streams
streams.prepare()
print("lost or seen")
print("lost or seen", file=sys.stderr)
sys.stderr.flush(), sys.stdout.flush()
file = open("file", "w")
assert file.fileno() > 2, file.fileno()
assert sys.stdout.fileno() == 1 and sys.stderr.fileno() == 2
assert not sys.stdin.isatty() and not sys.stderr.isatty()
file.write(str(subprocess.call([sys.executable, "-c", "print(1); import sys; sys.stdin.read()"])))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_takes_what_it_is_given(tmp_path, closed):
    """So do the streams of the processes that are started; no file gets the stream's number."""
    (tmp_path / "probe.py").write_text(PROBE)
    done = shell(f'"$python" probe.py {closed}', tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "0"
    assert ("lost or seen" in done.stdout) == (" >&-" not in f" {closed}")
    assert ("lost or seen" in done.stderr) == ("2>&-" not in closed)


def test_a_run_with_closed_streams_writes_its_rows(tmp_path):
    (tmp_path / "tiny.py").write_text(TINY)
    done = shell(f'"$python" "{ROOT}/main.py" {" ".join(RUN)} >&- 2>&-', tmp_path)
    assert done.returncode == 0
    assert len((tmp_path / "results" / ROWS).read_text().splitlines()) == 2


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Run main.py's `main` in a folder with a small network."""
    (tmp_path / "tiny.py").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "tiny", raising=False)
    return lambda *flags: main.main([*RUN, *flags])


class Left(io.StringIO):
    """A stream that nobody reads any more."""

    def write(self, text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def flush(self):
        self.write("")


def test_a_reader_of_standard_error_may_leave(job, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Left())
    assert job() == 0
    assert len(Path("results", ROWS).read_text().splitlines()) == 2
    assert "written to" in capsys.readouterr().out


@pytest.mark.parametrize("letters", ["ascii", "latin-1"])
def test_a_console_without_a_folders_letters(job, monkeypatch, letters):
    seen = io.TextIOWrapper(io.BytesIO(), encoding=letters)
    monkeypatch.setattr(sys, "stdout", seen)
    assert job("--output-dir=ω") == 0
    assert Path("ω", ROWS).is_file()
    seen.flush()
    assert seen.buffer.getvalue().endswith(rf"written to \u03c9/{ROWS}".encode() + b"\n")


def test_a_name_that_is_no_text(job, capsys):
    name = os.fsdecode(b"\xff")
    assert job(f"--output-dir={name}") == 0
    assert len(Path(name, ROWS).read_text().splitlines()) == 2
    shown = capsys.readouterr().out.encode(errors="backslashreplace").decode()
    assert shown.endswith(rf"written to \udcff/{ROWS}" + "\n")
    with console._log(Path(name, "log")) as log:
        log(f"no file {name}")
    assert Path(name, "log").read_text().endswith("no file \\udcff\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk here")
def test_what_cannot_be_printed_is_one_line(tmp_path):
    (tmp_path / "probe.py").write_text(
        "import sys, main\n"
        "main.console.run = lambda *_: print('rows') or 0\n"
        "sys.exit(main.main([]))\n"
    )
    done = shell('"$python" probe.py > /dev/full', tmp_path, PYTHONUNBUFFERED="")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("main.py: error: standard output: No space left on device")
