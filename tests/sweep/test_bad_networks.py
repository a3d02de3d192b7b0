"""Networks of the user's own that fail, crash or hang: the others of a sweep are done."""

import contextlib
import csv
import os

import clusters
import pytest

import main
from command_line import flags
from sweep import estimate, plan, sizes
from system.workers import Lost

NETS = """
import os, sys
from torch import nn
def good():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
class Bad(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = good()
    def forward(self, x):
        sys.exit(0)
def fails():
    raise ValueError("not today")
def leaves():
    os._exit(0)
"""
ERRORS = {
    "fails": "OwnNetworkError",
    "leaves": "killed",
    "Bad": "SystemExit",
}
FLAGS = ["--input-shape", "6", "--pruning", "er", "--encoding", "unrolled"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no signals here")


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    return ["--model", "nets:good", *(f"nets:{name}" for name in ERRORS), *FLAGS]


def test_bad_networks_are_failures_and_the_good_one_is_done(nets, tmp_path, warm_python):
    environment = clusters.environment()
    done = warm_python.run(main.__file__, *nets, cwd=tmp_path, env=environment)
    assert done.returncode == 103, done.stderr
    assert done.stdout == "1 done, 0 skipped, 3 failed; results in results\n"
    assert "Traceback" not in done.stderr
    with open("results/failures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {row["model"].split("-")[0].removeprefix("nets."): row["error"] for row in rows}
    assert (found, len(rows)) == (ERRORS, 3)
    assert (tmp_path / "results/graph_metrics/unrolled/unrolled-none-nets.good-6.csv").exists()


def test_a_network_that_exits_alone_is_one_line(nets, capsys):
    """Its exit status of 0 would say that all is done."""
    assert main.main(["--model", "nets:Bad", *FLAGS]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("main.py: error: nets.Bad-6 ")
    assert line.endswith("own code ends the program")


@pytest.mark.usefixtures("warm_workers")
def test_their_size_is_unknown(nets):
    runs = plan.runs(flags.parse(nets), ["none"])
    known = sizes.known(runs)
    costs = [estimate.estimate(run, known) for run in runs]
    assert costs[0] == estimate.estimate(runs[0])
    assert costs[1:] == [None] * 3
    assert estimate.most_memory(runs, known) == costs[0].megabytes
    *lines, total = estimate.table(runs, runs, known).splitlines()[1:]
    assert [line.split()[-4:] == ["?"] * 4 for line in lines] == [False] + [True] * 3
    assert total.endswith("; 3 of unknown size are not counted)")


@pytest.fixture
def here(monkeypatch):
    """Look at networks in this process, or as told; gives the list of them."""

    def use(look=None):
        looked = []

        @contextlib.contextmanager
        def workers(work, seconds):
            def each(take, jobs):
                for task in iter(lambda: take(None), None):
                    looked.append(task)
                    yield task, (look or work)(task)

            yield each

        monkeypatch.setattr(sizes, "workers", workers)
        return looked

    return use


def test_a_network_that_hangs_is_looked_at_once(here):
    argv = "--model Resnet-20 --pruning erk er --sparsity 0.5 0.6 --seed 0 1"
    runs = plan.runs(flags.parse(argv.split()), ["CIFAR-10"])
    looked = here(lambda _: Lost.LATE)
    known = sizes.known(runs)
    assert [estimate.estimate(run, known) for run in runs] == [None] * len(runs)
    assert len(looked) == 1


def test_between_sparsities_that_are_looked_at_sizes_are_near(here):
    sparsities = [f"{i / 50:.2f}" for i in range(10, 49)]
    argv = f"--model CONV-6 --pruning erk --sparsity {' '.join(sparsities)}"
    runs = plan.runs(flags.parse(argv.split()), ["CIFAR-10"])
    seen = []
    here()
    known = sizes.known(runs, lambda *counts: seen.append(counts))
    assert seen == [(number, sizes.MOST) for number in range(1, sizes.MOST + 1)]
    for run in (runs[0], runs[17], runs[-1]):
        found, exact = estimate.estimate(run, known), estimate.estimate(run)
        assert found.nodes == exact.nodes
        assert found.edges == pytest.approx(exact.edges, rel=0.02)
        assert found.seconds == pytest.approx(exact.seconds, rel=0.1)
        assert found.megabytes == pytest.approx(exact.megabytes, rel=0.1)
