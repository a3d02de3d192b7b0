"""The scripts in scripts/: they run as they are, on tiny settings."""

import csv
import math
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.benchmarks import grid
from tests.graph_data import study_folders as folders

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
SHELL = sorted(SCRIPTS.glob("*.sh"))
TINY = {"PRUNERS": "er erk", "SPARSITIES": "0.98", "SEEDS": "0 1", "ENCODINGS": "rolled-channel"}

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")

# Runs one job after another.
PARALLEL = """#!{python}
import itertools, subprocess, sys
assert sys.argv[1] == "--jobs" and int(sys.argv[2]) > 0
command, *lists = " ".join(sys.argv[3:]).split(" ::: ")
failed = 0
for values in itertools.product(*(text.split() for text in lists)):
    one = command
    for number, value in enumerate(values, start=1):
        one = one.replace("{{%d}}" % number, value)
    failed += subprocess.call(one, shell=True) != 0
sys.exit(failed)
"""


@pytest.fixture
def run(warm_python):
    """Run a script in the repository's folder, its results in another."""

    def run(script, folder, *argv, **settings):
        python = {"PYTHON": warm_python.executable, "OUTPUT": str(folder / "results")}
        # Into files: what a script starts and leaves behind would keep a pipe open.
        with open(folder / "out", "w+") as out, open(folder / "err", "w+") as err:
            status = subprocess.run(
                ["bash", SCRIPTS / script, *argv],
                cwd=ROOT,
                env=os.environ | TINY | python | settings,
                stdout=out,
                stderr=err,
                timeout=600,
            ).returncode
        return status, (folder / "out").read_text(), (folder / "err").read_text()

    return run


def with_parallel(folder):
    """PATH with GNU parallel, or what stands for it."""
    path = os.environ["PATH"]
    if shutil.which("parallel") is not None:
        return path
    stub = folder / "bin/parallel"
    stub.parent.mkdir()
    stub.write_text(PARALLEL.format(python=sys.executable))
    stub.chmod(0o755)
    return f"{stub.parent}{os.pathsep}{path}"


def rows(folder):
    file = folder / "results/graph_metrics/rolled-channel/rolled-channel-CIFAR-10-Resnet-20.csv"
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def networks(folder):
    found = rows(folder)
    assert len({tuple(row.values()) for row in found}) == len(found)
    return sorted({(row["pruning"], row["seed"]) for row in found})


def test_all_are_tested():
    assert {script.name for script in SCRIPTS.iterdir() if script.is_file()} == {
        "sweep_laptop.sh",
        "sweep_parallel.sh",
        "sweep_slurm.sh",
        "sweep_dask.sh",
        "sweep_dask_slurm.py",
        "digits_study.sh",
        "in_time_study.sh",
        "paper_grid.sh",
        "pictures.sh",
        "gpu_check.sh",
    }


@pytest.mark.parametrize("script", SHELL, ids=lambda script: script.name)
def test_syntax(script):
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.*")), ids=lambda script: script.name)
def test_they_name_no_machine(script):
    text = script.read_text()
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)
    without = text.replace("#!/usr/bin/env bash", "")
    assert not re.search(r"(?<![\w.$}])/(?!\.\.)\w+/", without), "an absolute path"


SWEEPS = [script for script in SHELL if script.name not in ("pictures.sh", "gpu_check.sh")]


# Runs nothing but main.py --list; notes what it is called with.
RECORDER = """#!/usr/bin/env bash
if [[ $2 == --list ]]; then exec "{python}" "$@"; fi
if [[ $2 == dask ]]; then exec sleep 600; fi # a part of a cluster
echo "$*" >>"{calls}"
"""


@pytest.mark.parametrize("script", SWEEPS, ids=lambda script: script.name)
def test_what_they_run_by_default(script, tmp_path, warm_python):
    """Flags and values that main.py has; every pruner and encoding of the registries."""
    from command_line import flags
    from graph_encoding import ENCODINGS
    from pruning import at_initialisation

    stub, calls = tmp_path / "python", tmp_path / "calls"
    stub.write_text(RECORDER.format(python=warm_python.executable, calls=calls))
    stub.chmod(0o755)
    settings = {"PYTHON": str(stub), "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_MAX": "0"}
    environment = {name: text for name, text in os.environ.items() if name not in (*TINY, "OUTPUT")}
    subprocess.run(
        ["bash", SCRIPTS / script],
        cwd=ROOT,
        env=environment | settings | {"PATH": with_parallel(tmp_path)},
        check=True,
        timeout=600,
    )
    runs = [text.split()[1:] for text in calls.read_text().splitlines() if "main.py" in text]
    found = [flags.parse(argv) for argv in runs]
    assert {str(options.output_dir.parts[0]) for options in found} == {"results"}
    for names, every in (
        ("pruning", {*at_initialisation()} - {"dense"}),
        ("encoding", {*ENCODINGS}),
    ):
        asked = {name for options in found for name in getattr(options, names)}
        assert asked >= every or script.name in (
            "digits_study.sh",
            "in_time_study.sh",
            "paper_grid.sh",
        )
    combinations = {(*o.model, *o.pruning, *o.seed, *o.sparsity) for o in found}
    assert len(combinations) == len(found)


def test_laptop(tmp_path, run):
    settings = {"PRUNERS": "erk", "JOBS": "2"}
    status, out, err = run("sweep_laptop.sh", tmp_path, **settings)
    assert status == 0, err
    assert out.startswith("2 done, 0 skipped, 0 failed")
    assert networks(tmp_path) == [("erk", "0"), ("erk", "1")]
    assert len((tmp_path / "results.log").read_text().splitlines()) == 4
    status, out, _ = run("sweep_laptop.sh", tmp_path, "--dry-run", **settings)
    assert out.splitlines()[-1].startswith("2 runs, 2 done, 0 to do")


def test_parallel(tmp_path, run):
    path = with_parallel(tmp_path)
    status, _, err = run("sweep_parallel.sh", tmp_path, SEEDS="3", JOBS="2", PATH=path)
    assert status == 0, err
    assert networks(tmp_path) == [("er", "3"), ("erk", "3")]


def test_slurm(tmp_path, run):
    for job in ("1", "2"):
        settings = {"SLURM_ARRAY_TASK_ID": job, "SLURM_SUBMIT_DIR": str(ROOT)}
        status, _, err = run("sweep_slurm.sh", tmp_path, **settings)
        assert status == 0, err
    assert networks(tmp_path) == [("er", "1"), ("erk", "0")]
    status, out, err = run("sweep_slurm.sh", tmp_path, SLURM_ARRAY_TASK_ID="4")
    assert (status, out) == (2, "")
    assert err == "no pruner and seed for job 4: give sbatch a shorter --array\n"


def test_slurm_with_fewer_jobs_than_pruners_and_seeds(tmp_path, run):
    settings = {"SLURM_ARRAY_TASK_MAX": "2", "SLURM_SUBMIT_DIR": str(ROOT)}
    status, _, err = run("sweep_slurm.sh", tmp_path, SLURM_ARRAY_TASK_ID="0", **settings)
    assert status == 0, err
    assert networks(tmp_path) == [("er", "0"), ("erk", "1")]


def all_there(folder, table, epochs):
    """Write results of all networks of a study; gives settings by which its script finds them."""
    table = table.assign(accuracy=0.9, epochs=epochs, batch_size=32, lr=0.1)
    layers = folders.layers(table)
    graphs = [folders.raw(folders.random(table)) for _ in layers]
    folders.write(folder / "results", table, graphs[0], graphs, layers)
    return {
        "PYTHONPATH": folders.write_quick(folder / "quick", ROOT),
        "MODELS": "Resnet-20",
        "SPARSITIES": "0.9 0.98",
        "JOBS": "1",
    }


def test_digits_study(tmp_path, run):
    """With every network there already it is only the study, whose report it prints."""
    design = {"pruners": ("dense", "erk"), "sparsities": (0.9, 0.98), "seeds": (0, 1)}
    table = folders.runs(("Resnet-20",), ("digits",), **design)
    table.loc[table["pruning"] == "dense", "sparsity"] = 0.0
    settings = all_there(tmp_path, table.drop_duplicates(ignore_index=True), epochs=4)
    settings |= {"PRUNERS": "dense erk", "ENCODINGS": "unrolled rolled rolled-channel"}
    status, out, err = run("digits_study.sh", tmp_path, **settings)
    assert status == 0, err
    assert out.count("0 done, 3 skipped, 0 failed") == 2  # a sweep for each of the two seeds
    assert "4 networks: 1 model (Resnet-20), 1 dataset (digits), 1 pruner (erk)" in out
    assert (tmp_path / "results/paper_results/report.md").exists()


def test_in_time_study(tmp_path, run):
    """With every network there already, that is pruned after training: it is only the study."""
    design = {"pruners": ("magnitude",), "sparsities": (0.9, 0.98), "seeds": (0, 1)}
    table = folders.runs(("Resnet-20",), ("digits",), **design)
    settings = all_there(tmp_path, table, epochs=8)
    settings |= {"CHANGING": "magnitude", "STAYING": ""}
    status, out, err = run("in_time_study.sh", tmp_path, **settings)
    assert status == 0, err
    assert out.count("0 done, 2 skipped, 0 failed") == 2  # a sweep for each of the two seeds
    assert "4 networks: 1 model (Resnet-20), 1 dataset (digits), 1 pruner (magnitude)" in out
    assert (tmp_path / "results/paper_results/report.md").exists()


def test_the_grid_of_the_paper(tmp_path, run):
    """1,260 networks; those that need images are refused where there are none, in one line."""
    missing = {"DATA": str(tmp_path), "DATASETS": "tinyimagenet", "MODELS": "Resnet-20"}
    status, out, err = run("paper_grid.sh", tmp_path, **missing)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"paper_grid.sh: Tiny ImageNet is not in {tmp_path}")
    assert "DATA_FREE=1" in line
    settings = missing | {"DATA_FREE": "1", "PRUNERS": "erk", "SEEDS": "1", "JOBS": "1"}
    settings |= {"DATASETS": "CIFAR-100 tinyimagenet"}
    status, out, err = run("paper_grid.sh", tmp_path, **settings)
    assert status == 0, err
    assert out.startswith("2 done, 0 skipped, 0 failed")
    status, out, _ = run("paper_grid.sh", tmp_path, **settings)
    assert out.startswith("0 done, 2 skipped, 0 failed")


def test_hours_of_the_grid():
    """Where seconds are products of a factor of each of model, pruner and sparsity."""
    factors = {name: 1.5**i for i, name in enumerate((*grid.MODELS, *grid.DATA_FREE))}
    factors |= {sparsity: 3 - sparsity for sparsity in grid.SPARSITIES} | {"snip": 7, "prospr": 9}
    factors["grasp"] = 5
    rows = []
    for network in grid.sample():
        row = dict(zip(grid.BY, network, strict=True))
        seconds = 1000 * math.prod(factors[each] for each in network)
        stages = grid.STAGES if row["pruner"] in grid.DATA_FREE else ["prune"]
        rows.append(row | dict.fromkeys(stages, seconds))
    every = grid.grid(pd.DataFrame(rows))
    assert len(every) == 1260 / grid.SEEDS
    for network in every[every["pruner"].isin(grid.DATA_FREE)].itertuples():
        seconds = 1000 * factors[network.model] * factors[network.pruner]
        seconds *= factors[network.sparsity]
        assert network.prune == pytest.approx(seconds, rel=1e-6)
        assert network.unrolled == pytest.approx(seconds, rel=1e-6)
    found = every.set_index(["dataset", *grid.BY])["prune"]
    of_grasp = [found[name, "CONV-6", "grasp", 0.9] for name in ("CIFAR-10", "tinyimagenet")]
    assert of_grasp[1] == pytest.approx(20 * of_grasp[0])


NET = """
from torch import nn
def net():
    return nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.Flatten(), nn.Linear(256, 10))
"""


def test_pictures(tmp_path, run):
    """Whatever main.py calls the graph: it writes 0.9950 as 0.995, and that of dense as 0.0."""
    (tmp_path / "nets.py").write_text(NET)
    settings = {"MODEL": "nets:net", "PRUNERS": "dense", "SPARSITY": "0.9950"}
    settings["PYTHONPATH"] = str(tmp_path)
    status, _, err = run("pictures.sh", tmp_path, **settings)
    assert status == 0, err
    names = {file.name for file in (tmp_path / "results").iterdir()}
    assert names == {f"nets:net-0.9950-{name}.png" for name in ("dense", "layers")}


def test_dask(tmp_path, run):
    pytest.importorskip("distributed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    status, out, err = run("sweep_dask.sh", tmp_path, PRUNERS="erk", SEEDS="1", PORT=port)
    assert status == 0, err
    assert re.search(r"^1 done, 0 skipped, 0 failed", out, re.M)
    assert networks(tmp_path) == [("erk", "1")]  # a worker that gets work starts for seconds
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=1):
        pass  # the scheduler has ended with the script


JOBQUEUE = """
import json, pathlib
class SLURMCluster:
    scheduler_address = "nowhere"
    def __init__(self, **settings):
        pathlib.Path("settings").write_text(json.dumps(settings))
    def __enter__(self):
        return self
    def __exit__(self, *exception):
        pathlib.Path("ended").touch()
    def scale(self, jobs):
        assert jobs > 0
"""


def test_dask_on_slurm(tmp_path):
    """Slurm is left out: main.py gets the address and the flags, and gives its exit status."""
    pytest.importorskip("distributed")
    (tmp_path / "dask_jobqueue.py").write_text(JOBQUEUE)
    done = subprocess.run(
        [sys.executable, SCRIPTS / "sweep_dask_slurm.py", "--pruning", "erk", "--seed", "0", "1"],
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": str(tmp_path), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 2
    assert "main.py: error: --scheduler nowhere: " in done.stderr
    assert "Traceback" not in done.stderr
    settings = (tmp_path / "settings").read_text()
    assert '"cores": 1' in settings
    assert f"export PYTHONPATH='{ROOT}'" in settings
    assert (tmp_path / "ended").exists()
