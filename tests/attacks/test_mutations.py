"""A few mutated files of each kind; `mutations` reads a thousand of each by hand."""

import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("-m", "tests.attacks.mutations")


def test_no_copy_is_believed_or_obeyed(warm_python):
    one = {"OMP_NUM_THREADS": "1"}
    run = warm_python.run(*PROGRAM, "--count", "30", cwd=ROOT, env=os.environ | one)
    assert run.returncode == 0, run.stderr[-2000:]
    report = json.loads(run.stdout)
    assert report.pop("peak_mb") < 1000
    assert len(report) == 4
    for kind, found in report.items():
        assert found["bad"] == [], kind
        assert found["tried"] == 30 == found["read"] + found["refused"], kind
        assert found["refused"] >= 15, kind
