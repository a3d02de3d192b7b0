"""What is freed goes back to the system."""

import subprocess
import sys
from pathlib import Path

import pytest

from system import allocation

PROGRAM = """
import psutil, torch
from system.allocation import large_given_back

def resident():
    return psutil.Process().memory_info().rss / 1e6

with large_given_back():
    usual = [torch.ones(4_000_000) for _ in range(3)]  # glibc would learn from their end
    del usual
    before = resident()
    large, small = [], []
    for _ in range(20):
        large.append(torch.ones(4_000_000))
        small.append(torch.ones(50))
    del large
    print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_large_tensors_are_given_back():
    """Without it some 320 MB would stay: small ones hold them."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(allocation.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < 20
