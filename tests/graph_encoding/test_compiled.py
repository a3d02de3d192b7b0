"""Compiled code is kept where it can be, and works where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

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
