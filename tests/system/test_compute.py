"""A run imports what it uses, and its imports leave nothing for the garbage collector."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import gc, sys
import main
assert not main.main(["--pruning", "erk", "--force", "--output-dir", sys.argv[1]])
print("frozen", gc.get_freeze_count(), gc.isenabled())
print("imported", *sorted(sys.modules))
"""
UNUSED = {
    "sklearn",  # holds the digits
    "pandas",  # for the study
    "matplotlib",  # for pictures
    "networkx",  # for graphs that are written out
    "igraph",
    "torchvision",
    "sympy",
    "torch._dynamo",  # for --compile
    "scipy.linalg",
    "scipy.sparse",  # for graphs that are written out
    "numba.np.arraymath",  # of what numba imports before it compiles
}


@pytest.mark.usefixtures("warm_python")  # which has compiled all that a run needs
def test_a_run_imports_what_it_uses(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    *_, frozen, imported = done.stdout.splitlines()
    assert {"torch", "numba", "metrics.motifs"} <= {*imported.split()}
    assert UNUSED & {*imported.split()} == set()
    _, count, enabled = frozen.split()
    assert int(count) > 100_000 and enabled == "True"
