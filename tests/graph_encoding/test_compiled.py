"""Compiled code is kept where it can be, and works where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graph_encoding.compiled import compiled

ROOT = Path(__file__).resolve().parents[2]


def test_without_any_place_to_keep_it():
    """Numba finds no place for code that comes from no file."""
    names = {}
    exec("def twice(x):\n    return 2 * x\n", names)
    assert compiled(names["twice"])(21) == 42


def test_read_only_installation(tmp_path):
    """No __pycache__ beside the source: the machine code goes to the user's cache."""
    install, home = tmp_path / "install", tmp_path / "home"
    install.mkdir()
    home.mkdir()
    (install / "loops.py").write_text(
        "from graph_encoding.compiled import compiled\n@compiled\ndef twice(x):\n    return 2 * x\n"
    )
    (install / "__pycache__").write_text("a file in its place, so that not even root can write")
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("NUMBA_", "XDG_")) and key != "PYTHONPATH"
    }
    environment |= {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(install), str(ROOT)])}
    command = "import loops; loops.twice(21); print(sum(loops.twice.stats.cache_hits.values()))"
    hits = [
        subprocess.run(
            [sys.executable, "-c", command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert hits == ["0\n", "1\n"]
    assert list(home.rglob("*.nbi"))


LOOPS = """
import pytest

from graph_encoding.compiled import compiled

@compiled
def twice(x):
    return 2 * x

@compiled
def four_times(x):
    return twice(twice(x))
"""
CALL = """
import resource, sys
import numba
numba.config.reload_config()  # where code is kept
import loops
if len(sys.argv) > 1:  # no longer file can be written from here on, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
assert loops.four_times(21) == 84 and loops.twice(2.5) == 5
print(sum(sum(f.stats.cache_hits.values()) for f in (loops.twice, loops.four_times)))
"""


@pytest.fixture
def kept(tmp_path, warm_python):
    """Call compiled functions in a new process; what it found kept, and what it said."""
    (tmp_path / "loops.py").write_text(LOOPS)
    folders = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    folders["NUMBA_CACHE_DIR"] = str(tmp_path / "cache")

    def run(*limit):
        how = {"env": os.environ | folders, "cwd": tmp_path}
        if limit:  # which what is said keeps, too, unless it goes through a pipe
            start = [sys.executable, "-c", CALL, *map(str, limit)]
            done = subprocess.run(start, **how, capture_output=True, text=True, timeout=600)
        else:
            done = warm_python.run("-c", CALL, **how)
        assert done.returncode == 0, done.stderr
        return int(done.stdout), done.stderr.splitlines()

    return run


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_damaged_files_are_made_anew(kept, tmp_path, suffix):
    assert kept() == (0, [])
    assert kept() == (2, [])  # four_times holds the code of twice for whole numbers
    files = sorted((tmp_path / "cache").rglob(f"*.{suffix}"))
    assert len(files) >= 2
    for number, file in enumerate(files):
        data = file.read_bytes()
        file.write_bytes(b"junk" if number % 2 else data[: len(data) // 2])
    found, said = kept()
    assert found == 0
    (line,) = said
    assert "cannot be read (damaged): it is compiled anew" in line
    assert kept() == (2, [])


def test_a_full_disk(kept, tmp_path):
    found, said = kept(100)
    assert found == 0
    (line,) = said
    assert "cannot be written (File too large)" in line
    assert kept() == (0, [])  # half-written files are no danger to later runs
    assert kept() == (2, [])


CALLED = """
from graph_encoding.compiled import compiled

@compiled
def twice(x):
    return {factor} * x
"""
CALLER = """
from graph_encoding.compiled import compiled
from called import twice

@compiled
def four_times(x):
    return twice(twice(x))
"""


def test_what_calls_a_changed_function_is_compiled_anew(tmp_path, warm_python):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = "import caller; print(caller.four_times(1))"
    (tmp_path / "caller.py").write_text(CALLER)
    for factor, four_times in ((2, "4\n"), (30, "900\n")):
        (tmp_path / "called.py").write_text(CALLED.format(factor=factor))
        done = warm_python.run("-c", command, env=environment, cwd=tmp_path)
        assert done.stdout == four_times, done.stderr


INSTRUCTION = """
from numba.core.extending import intrinsic
from numba import types

STEP = {step}

@intrinsic
def times(typing, x):
    def build(context, builder, signature, arguments):
        return builder.mul(arguments[0], context.get_constant(types.int64, {factor}))
    return types.int64(types.int64), build
"""
USER = """
from graph_encoding.compiled import compiled
from instruction import STEP, times

@compiled
def f(x):
    return times(x) + STEP
"""


def test_what_holds_a_changed_instruction_or_constant_is_compiled_anew(tmp_path, warm_python):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    (tmp_path / "user.py").write_text(USER)
    for factor, step in ((2, 100), (30, 100), (30, 7)):
        text = INSTRUCTION.format(factor=factor, step=step)
        (tmp_path / "instruction.py").write_text(text)
        command = "import user; print(user.f(10))"
        done = warm_python.run("-c", command, env=environment, cwd=tmp_path)
        assert done.stdout == f"{10 * factor + step}\n", done.stderr
