"""Whole sweeps by main.py: the same rows whoever computes them, and whatever is killed."""

import collections
import contextlib
import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import clusters
import pytest

import main
import models
from command_line import console, flags, progress, steps
from runs import records, results
from runs.run import Network, configuration
from sweep import execution, plan, worker
from system import appending

MAIN = Path(main.__file__)

ADDED = {
    "sitecustomize.py": """
import models
from sweep import execution
models.MODELS["Tiny"] = models.Model("tiny_net:Tiny")
execution.BUSY_SECONDS = 0.1
""",
    "tiny_net.py": """
import os
import time
from pathlib import Path
from torch import nn

class Tiny(nn.Sequential):
    def __init__(self, classes, channels, _):
        time.sleep(float(os.environ.get("PAUSE", 0)))
        super().__init__(
            nn.Conv2d(channels, 4, 3, 4), nn.ReLU(), nn.Conv2d(4, 4, 3, 4), nn.ReLU(),
            nn.Flatten(), nn.Linear(16, classes),
        )
        hold = Path(os.environ.get("HOLD", "none"))
        if hold.exists():
            (hold.parent / f"at-{os.getpid()}").touch()
        runs = hold.parent / "results/runs.csv"
        while hold.exists() and runs.exists() and runs.read_text().count(chr(10)) > 3:
            time.sleep(0.01)
""",
}
"""A model that is small: what is tested is what becomes of its runs.

It can be made to take time, and to wait as long as a file is there and three runs are done.
"""

FAST = ["--model", "Tiny", "--encoding", "rolled-channel"]
SPARSITIES = ["0.5", "0.7", "0.9", "0.95"]
BIG = ["--pruning", "uniform", "erk", "--sparsity", *SPARSITIES, "--seed", "0", "1", *FAST]
BIG_SIZE = 16
LAYERS = 3
ROLLED = "graph_metrics/rolled-channel/rolled-channel-CIFAR-10-Tiny.csv"

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


# Programs and their files


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A folder from which Python that starts has the model `Tiny`, and so has this one."""
    folder = tmp_path_factory.mktemp("added")
    for name, text in ADDED.items():
        (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setitem(models.MODELS, "Tiny", models.Model("tiny_net:Tiny"))
        yield folder


@pytest.fixture(scope="module")
def start(warm_python, added):
    """Start main.py in a folder and a group of processes of its own."""

    def start(folder, *argv, path=(), **variables):
        folder.mkdir(parents=True, exist_ok=True)
        environment = clusters.environment(*path, added) | variables
        return warm_python.start(MAIN, *argv, cwd=folder, env=environment, session=True)

    return start


def end(process):
    """Wait for a program; gives exit status, stdout, stderr."""
    try:
        out, err = process.communicate(timeout=600)
    finally:
        end_group(process)
    return process.returncode, out, err


def end_group(process):
    """End what a killed program has left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def program(start):
    """Run main.py in a folder; gives exit status, stdout, stderr."""

    def program(folder, *argv, path=()):
        return end(start(folder, *argv, path=path))

    return program


def cold(folder, *argv):
    """As `program`, in processes that start from nothing, which takes seconds each."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, MAIN, *map(str, argv)],
        cwd=folder,
        env=clusters.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return end(process)


def table(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def runs(folder):
    """How often each run is in runs.csv."""
    file = Path(folder) / "results/runs.csv"
    rows = appending.content(file).decode().splitlines()[1:] if file.exists() else []
    return collections.Counter(tuple(row.split(",")[: len(records.RUN)]) for row in rows)


def rows_by_file(folder):
    """All rows of all result files of a folder, each file's sorted; none may be there twice."""
    found = {}
    for file in sorted((Path(folder) / "results").rglob("*.csv")):
        if file.name not in ("runs.csv", "failures.csv"):
            lines = appending.content(file).decode().splitlines()
            assert len(set(lines)) == len(lines), f"{file}: a row is there twice"
            found[str(file.relative_to(folder))] = [lines[0], *sorted(lines[1:])]
    return found


def wait_until(what, process):
    """Wait for something, but not for longer than a program runs."""
    while not what():
        assert process.poll() is None, end(process)
        time.sleep(0.01)


@pytest.fixture(scope="module")
def big(tmp_path_factory, program):
    """An undisturbed sweep of 16 networks: its folder, and status, stdout and stderr."""
    folder = tmp_path_factory.mktemp("big")
    return folder, *program(folder, *BIG, "--jobs", "2", "--log-file", "sweep.log")


ERK_70 = ["--pruning", "erk", "--sparsity", "0.7"]
ALL_METRICS = ["--graph-metrics", "topometrics", "ramanujan"]
TWO = ["--encoding", "rolled-channel", "unrolled", *ALL_METRICS]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, program):
    """Two networks, each measured in three ways and saved, one after the other: as `big`."""
    folder = tmp_path_factory.mktemp("mixed")
    saving = ["--save-snn", "snn", "--save-graph", "graphs", "--threads", "1"]
    return folder, *program(folder, *ERK_70, "--seed", 0, 1, "--model", "Tiny", *TWO, *saving)


@pytest.fixture
def here(added, tmp_path, monkeypatch, capsys):
    """Run main.py's `main` in this process and an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        status = main.main([str(argument) for argument in argv])
        return status, *capsys.readouterr()

    return run


# What a sweep writes and says


def test_every_run_is_there_once(big):
    folder, status, _, err = big
    assert status == 0, err
    (file,) = rows_by_file(folder)
    assert file == f"results/{ROLLED}"
    counts = results.identities(folder / file)
    assert set(counts.values()) == {LAYERS}
    wanted = plan.runs(flags.parse(BIG), ["CIFAR-10"])
    assert len(wanted) == BIG_SIZE
    assert set(counts) == {
        results.identity(configuration(task.network, task.measurements[0])) for task in wanted
    }
    assert not (folder / "results/failures.csv").exists()
    assert not list(folder.rglob(".*.journal"))


def is_cut(row):
    return row["empty_layers"] != "0" or row["unreached_classes"] != "0"


def test_plain_lines_without_a_terminal(big):
    folder, _, out, err = big
    assert out == f"{BIG_SIZE} done, 0 skipped, 0 failed; results in results\n"
    first, *lines, warning = err.splitlines()
    lines = [line for line in lines if not line.startswith("begun: ")]
    assert first == f"{BIG_SIZE} networks, 0 done already, 2 at once"
    networks = {str(task.network) for task in plan.runs(flags.parse(BIG), ["CIFAR-10"])}
    named = [re.fullmatch(r"done: (.* seed \d)(: .*)?", line) for line in lines]
    assert sorted(line[1] for line in named) == sorted(networks)
    cut = [row for row in table(folder / "results/runs.csv") if is_cut(row)]
    assert 0 < len(cut) == sum(line[2] is not None for line in named) < BIG_SIZE
    assert warning.endswith(f" no input reaches: {len(cut)}; results/runs.csv has which")
    log = (folder / "sweep.log").read_text().splitlines()
    summary = f"{BIG_SIZE} done, 0 skipped, 0 failed"
    assert [line.split(" ", 1)[1] for line in log] == [first, *lines, summary, warning]
    stamps = [line.split(" ", 1)[0] for line in log]
    assert stamps == sorted(stamps)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", stamps[0])


def test_one_line_a_run_says_what_it_took(big, mixed):
    for folder, measured in ((big[0], BIG_SIZE), (mixed[0], 6)):
        rows = table(folder / "results/runs.csv")
        assert tuple(rows[0]) == records.RUNS
        assert len(rows) == measured
        assert set(runs(folder).values()) == {1}
        for row in rows:
            assert row["python"] == ".".join(map(str, sys.version_info[:3]))
            assert row["torch"].startswith("2.")
            assert (row["device"], row["threads"]) == ("cpu", "1")
            assert row["host"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\+00:00", row["finished"])
            for stage in ("data", "model", "prune", "encode", "measure"):
                assert float(row[f"{stage}_seconds"]) >= 0
                assert 50 < float(row[f"{stage}_megabytes"]) < 5000
            assert row["train_seconds"] == row["train_megabytes"] == ""


def test_a_sweep_again_skips_all(big, here, monkeypatch):
    folder = big[0]
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    monkeypatch.chdir(folder)
    status, out, err = here(*BIG, "--jobs", "2")
    assert status == 0
    assert out == f"0 done, {BIG_SIZE} skipped, 0 failed; results in results\n"
    assert len(err.splitlines()) == 1
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()} == before


def test_more_of_a_sweep_computes_only_that(big, tmp_path, program):
    """One process at a time gives the rows of two at once; what is there is left as it is."""
    folder = tmp_path / "less"
    file = folder / "results" / ROLLED
    names, *rows = (big[0] / "results" / ROLLED).read_text().splitlines(keepends=True)
    kept = [row for row in rows if ",0.95," not in row]
    file.parent.mkdir(parents=True)
    file.write_text(names + "".join(kept))
    status, out, _ = program(folder, *BIG, "--jobs", "1")
    assert status == 0
    assert out.startswith("4 done, 12 skipped, 0 failed")
    assert rows_by_file(folder) == rows_by_file(big[0])
    assert file.read_text().startswith(names + "".join(kept))
    assert set(runs(folder).values()) == {1}
    assert len(runs(folder)) == 4


def test_a_network_is_made_once_for_all_its_measurements(mixed):
    folder, status, out, err = mixed
    assert status == 0, err
    assert out.startswith("2 done, 0 skipped, 0 failed")
    assert sorted(rows_by_file(folder)) == [
        f"results/{ROLLED}",
        "results/graph_metrics/unrolled/unrolled-CIFAR-10-Tiny.csv",
        "results/ramanujan_results/Tiny/rolled-channel-CIFAR-10-Tiny.csv",
    ]
    names = [f"Tiny-CIFAR-10-erk-0.7-{seed}" for seed in (0, 1)]
    assert sorted(os.listdir(folder / "snn")) == [f"{name}.pt" for name in names]
    assert sorted(os.listdir(folder / "graphs")) == [
        f"{encoding}-{name}.graph.zst"
        for encoding in ("rolled-channel", "unrolled")
        for name in names
    ]
    for seed in (0, 1):  # made once: its measurements share the time of making it
        rows = [r for r in table(folder / "results/runs.csv") if r["seed"] == str(seed)]
        assert len(rows) == 3
        assert len({(row["model_seconds"], row["prune_seconds"]) for row in rows}) == 1


def test_rows_equal_those_of_single_runs(mixed, big, here, tmp_path):
    assert here(*ERK_70, "--seed=1", *FAST, "--encoding", "unrolled")[0] == 0
    assert here(*ERK_70, "--seed=1", *FAST, *ALL_METRICS)[0] == 0
    single, in_mixed, in_big = map(rows_by_file, (tmp_path, mixed[0], big[0]))
    assert len(single) == 3
    for file, (names, *rows) in single.items():
        assert [names, *rows] == [names, *(r for r in in_mixed[file][1:] if r.split(",")[5] == "1")]
    assert set(in_mixed[f"results/{ROLLED}"]) < set(in_big[f"results/{ROLLED}"])


# Saved networks and graphs

ERK = ["--pruning", "erk", "--sparsity", *SPARSITIES, *FAST]
SAVING = ["--save-snn", "snn", "--save-graph", "graphs"]


@pytest.fixture
def unsaved(big, tmp_path):
    """A folder with the rows of the big sweep, of which nothing is saved."""
    folder = tmp_path / "unsaved"
    shutil.copytree(big[0] / "results", folder / "results")
    return folder


def assert_saved(folder, big, times):
    """Networks and graphs of `ERK` are there, whole, and the rows as they were."""
    import graph_encoding
    from models import saved

    networks = [task.network for task in plan.runs(flags.parse(ERK), ["CIFAR-10"])]
    names = sorted(f"Tiny-CIFAR-10-erk-{n.sparsity}-{n.seed}" for n in networks)
    assert visible(folder / "snn") == [f"{name}.pt" for name in names]
    assert visible(folder / "graphs") == [f"rolled-channel-{name}.graph.zst" for name in names]
    for name in names:
        saved.load(folder / f"snn/{name}.pt")
        graph_encoding.load(folder / f"graphs/rolled-channel-{name}.graph.zst")
    assert rows_by_file(folder) == rows_by_file(big[0])
    counts = runs(folder)
    assert len(counts) == BIG_SIZE
    again = [counts.pop(run) for run in list(counts) if (run[2], run[4]) == ("erk", "0")]
    assert len(again) == len(names)
    assert set(again) <= times
    assert set(counts.values()) == {1}


def visible(folder):
    """Names in a folder without those of unfinished files."""
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def test_a_sweep_saves_what_is_not_there(big, unsaved, here, monkeypatch, program):
    monkeypatch.chdir(unsaved)
    status, out, err = program(unsaved, *ERK, *SAVING, "--jobs", "2")
    assert status == 0, err
    assert out.startswith("4 done, 0 skipped, 0 failed")
    assert_saved(unsaved, big, {2})
    monkeypatch.setattr(main, "run_network", pytest.fail)
    status, out, _ = here(*ERK, *SAVING)
    assert (status, out) == (0, "0 done, 4 skipped, 0 failed; results in results\n")


def test_sweeps_that_save_killed_again_and_again(big, unsaved, start, program):
    """With all their workers, at any moment."""
    chance = random.Random(7)
    for count in (1, 2):
        sweep = start(unsaved, *ERK, *SAVING, "--jobs", "2", PAUSE="0.1")
        graphs = unsaved / "graphs"
        wait_until(lambda g=graphs, c=count: g.exists() and len(visible(g)) >= c, sweep)
        time.sleep(chance.uniform(0, 0.1))
        end_group(sweep)
        sweep.stdout.close()
        sweep.stderr.close()
    status, out, err = program(unsaved, *ERK, *SAVING, "--jobs", "2")
    assert status == 0, err
    done, skipped, failed = map(int, re.findall(r"(\d+) [a-z]+[,;]", out))
    assert (done + skipped, failed) == (4, 0)
    assert skipped  # what was saved before the last kill is not made again
    assert_saved(unsaved, big, {1, 2, 3, 4})


def test_two_sweeps_that_save_at_once_share_the_work(big, unsaved, start):
    sweeps = [start(unsaved, *ERK, *SAVING, PAUSE="0.3") for _ in range(2)]
    done = 0
    for status, out, err in map(end, sweeps):
        assert status == 0, err
        done += int(out.split()[0])
    assert done == 4
    assert_saved(unsaved, big, {2})


def test_saved_networks_measured_again_give_equal_rows(mixed, here, tmp_path):
    status, _, err = here("--snn", mixed[0] / "snn/Tiny-CIFAR-10-erk-0.7-0.pt", *TWO)
    assert status == 0, err
    for file, (names, *rows) in rows_by_file(mixed[0]).items():
        first = [row for row in rows if row.split(",")[5] == "0"]
        assert rows_by_file(tmp_path)[file] == [names, *first]
    assert {row["prune_seconds"] for row in table("results/runs.csv")} == {""}


def test_force_replaces_rows(mixed, tmp_path, program):
    files = sorted((mixed[0] / "snn").iterdir())
    shutil.copytree(mixed[0] / "results", tmp_path / "results")
    spoiled = tmp_path / "results" / ROLLED
    whole = spoiled.read_text()
    spoiled.write_text(whole.replace(",1,2,", ",1,9,"))  # number and name of a layer
    assert spoiled.read_text().count(",1,9,") == 2
    status, out, err = program(tmp_path, "--snn", *files, *FAST, *ALL_METRICS, "--force")
    assert status == 0, err
    assert out.startswith("2 done, 0 skipped, 0 failed")
    for file in rows_by_file(mixed[0]):
        assert (tmp_path / file).read_bytes() == (mixed[0] / file).read_bytes()
    assert sorted(runs(tmp_path).values()) == [1, 1, 2, 2, 2, 2]


def test_a_saved_graph_is_the_graph_that_was_measured(mixed):
    import graph_encoding

    folder = mixed[0]
    (row, _) = table(folder / "results/graph_metrics/unrolled/unrolled-CIFAR-10-Tiny.csv")
    name = f"unrolled-Tiny-CIFAR-10-erk-0.7-{row['seed']}.graph.zst"
    (graph,) = graph_encoding.load(folder / "graphs" / name)
    assert (str(graph.num_nodes), str(graph.num_edges)) == (row["nodes"], row["edges"])


@pytest.mark.parametrize("damage", ["cut", "noise", "missing", "folder"])
def test_a_damaged_saved_network_is_one_line(mixed, here, tmp_path, damage):
    whole = min((mixed[0] / "snn").iterdir()).read_bytes()
    file = tmp_path / "bad.pt"
    if damage == "folder":
        file.mkdir()
    elif damage != "missing":
        file.write_bytes(whole[:-1000] if damage == "cut" else b"noise")
    status, out, err = here("--snn", file, min((mixed[0] / "snn").iterdir()))
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("main.py: error: ")
    assert "bad.pt" in line
    assert list(tmp_path.rglob("*.csv")) == []


def test_a_saved_network_given_twice_is_one_line(mixed, here, tmp_path):
    file = min((mixed[0] / "snn").iterdir())
    copy = shutil.copy(file, tmp_path / "copy.pt")
    status, _, err = here("--snn", file, copy)
    assert status == 2
    assert re.fullmatch(r"main\.py: error: --snn: .* is there twice \(.*copy\.pt\)\n", err)


# What goes wrong

BROKEN = (
    ADDED["sitecustomize.py"]
    + """
from pruning import PRUNERS, Pruner
PRUNERS["broken"] = Pruner("sitecustomize")
def prune(model, sparsity, settings):
    if settings.seed == 1:
        raise ZeroDivisionError("seed 1\\nis not for me")
    return PRUNERS["erk"].function(model, sparsity, settings)
"""
)


def test_failures_are_recorded_and_the_rest_is_done(tmp_path, program):
    (tmp_path / "path").mkdir()
    (tmp_path / "path/sitecustomize.py").write_text(BROKEN)
    argv = ["--pruning", "broken", "--sparsity", "0.7", "--seed", "0", "1", "2"]
    argv += [*FAST, *ALL_METRICS, "--log-file", "log", "--jobs", "2"]
    status, out, err = program(tmp_path, *argv, path=[tmp_path / "path"])
    assert status == 101, err
    assert out == "2 done, 0 skipped, 1 failed; results in results\n"
    assert err.splitlines()[-1] == "what failed, and why: results/failures.csv"
    assert "Traceback" not in err
    line = "failed: Tiny CIFAR-10 broken 0.7 seed 1: prune: ZeroDivisionError: seed 1"
    assert line in err
    assert line in (tmp_path / "log").read_text()
    rows = table(tmp_path / "results/failures.csv")
    assert tuple(rows[0]) == records.FAILURES
    assert [row["graph_metrics"] for row in rows] == ["topometrics", "ramanujan"]
    where = {(row["seed"], row["stage"], row["error"], row["reason"]) for row in rows}
    assert where == {("1", "prune", "ZeroDivisionError", "seed 1 is not for me")}
    counts = results.identities(tmp_path / "results" / ROLLED)
    assert {run[4] for run in counts} == {"0", "2"}
    assert set(counts.values()) == {LAYERS}


@pytest.mark.parametrize(("networks", "status"), [(2, 102), (25, 125), (26, 125)])
def test_failures_of_killed_workers_are_recorded_and_counted(here, monkeypatch, networks, status):
    def die(tasks, *_, **__):
        return ((task, execution.DIED) for task in tasks)

    monkeypatch.setattr(execution, "run", die)
    argv = ["--pruning", "erk", "--seed", *map(str, range(networks))]
    found, out, _ = here(*argv, *FAST)
    assert found == status
    assert out == f"0 done, 0 skipped, {networks} failed; results in results\n"
    rows = table("results/failures.csv")
    assert [row["seed"] for row in rows] == argv[3:]
    died = (execution.DIED.stage, execution.DIED.error, execution.DIED.reason)
    assert {(row["stage"], row["error"], row["reason"]) for row in rows} == {died}


@pytest.fixture
def attempt(added, tmp_path, monkeypatch):
    """Run one network as a worker does, but in this process; gives its outcome."""
    monkeypatch.setattr(worker, "use_threads", lambda count: None)

    def run(*argv):
        options = flags.parse([*ERK_70, f"--output-dir={tmp_path}", *argv])
        options.threads = 1
        (task,) = plan.runs(options, ["CIFAR-10"])
        return console.attempt_with(options, main.run_network)(task)

    return run


def test_an_attempt_is_done_then_skipped(attempt, tmp_path):
    assert attempt(*FAST) == execution.Outcome("done")
    assert attempt(*FAST) == execution.Outcome("skipped")
    assert len(table(tmp_path / "runs.csv")) == 1
    assert attempt(*FAST, "--force") == execution.Outcome("done")
    assert len(table(tmp_path / "runs.csv")) == 2
    assert len(table(tmp_path / ROLLED)) == LAYERS


def test_an_attempt_at_what_another_process_computes_is_busy(attempt, tmp_path):
    from runs.locks import claim

    network = Network("Tiny", "CIFAR-10", "erk", 0.7, 0, False)
    with claim(tmp_path, network.key):
        assert attempt(*FAST) == execution.Outcome("busy")
    assert not list(tmp_path.rglob("*.csv"))


def test_a_result_file_that_turns_bad_is_a_failure(attempt, tmp_path):
    """The measurements before it are kept, and only the one that failed is left."""
    file = tmp_path / "ramanujan_results/Tiny/rolled-channel-CIFAR-10-Tiny.csv"
    measure = steps.measure

    def spoil(*args):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a,b\n1,2\n")
        measure(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "measure", spoil)
        outcome = attempt(*FAST, *ALL_METRICS)
    assert (outcome.status, outcome.stage, outcome.error) == (
        "failed",
        "write",
        "ResultFileError",
    )
    assert "its columns are not those written now" in outcome.reason
    assert len(table(tmp_path / ROLLED)) == LAYERS
    failures = table(tmp_path / "failures.csv")
    assert {row["reason"] for row in failures} == {outcome.reason}
    assert [row["graph_metrics"] for row in failures] == ["ramanujan"]


def test_only_what_is_missing_is_measured_and_fails(attempt, tmp_path, monkeypatch):
    assert attempt(*FAST).status == "done"

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(steps, "measure", fail)
    outcome = attempt(*FAST, *ALL_METRICS)
    assert (outcome.status, outcome.stage, outcome.error) == ("failed", "measure", "MemoryError")
    assert [row["graph_metrics"] for row in table(tmp_path / "failures.csv")] == ["ramanujan"]


def test_failures_that_cannot_be_recorded_stop_everything(attempt, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr(results, "append", fail)
    with pytest.raises(OSError, match="No space left"):
        attempt(*FAST)


def test_each_run_took_its_own_time(attempt, tmp_path, monkeypatch):
    """Not that of the network's other measurements, too; by a clock that stands still otherwise."""
    measure, now = steps.measure, [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])

    def slowly(measurement, *args):
        now[0] += 2 if measurement.graph_metrics == "ramanujan" else 3
        measure(measurement, *args)

    monkeypatch.setattr(steps, "measure", slowly)
    assert attempt(*FAST, *ALL_METRICS).status == "done"
    assert [float(row["measure_seconds"]) for row in table(tmp_path / "runs.csv")] == [3, 2]


@pytest.mark.usefixtures("added")
def test_as_many_jobs_as_memory_allows(monkeypatch, capsys):
    from sweep import estimate
    from system import memory

    todo = plan.runs(flags.parse(BIG), ["CIFAR-10"])
    needed = estimate.most_memory(todo, threads=2)

    def divide(options, todo):
        return console.divide(options, todo, estimate.size)

    monkeypatch.setattr(memory, "available", lambda: 100 * needed)
    options = flags.parse([*BIG, "--jobs", "4", "--threads", "9"])
    assert divide(options, todo) == (4, 2)
    assert divide(options, todo[:3]) == (3, 3)
    assert divide(options, todo[:1]) == divide(options, []) == (1, 9)
    assert capsys.readouterr().err == ""
    for share, jobs in ((2.5, 2), (0.1, 1)):
        monkeypatch.setattr(memory, "available", lambda share=share: share * needed)
        assert divide(options, todo) == (jobs, 9 // jobs)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"main.py: warning: {jobs} of 4 jobs at once: ")
    options = flags.parse([*BIG, "--scheduler", "tcp://there:1", "--threads", "3"])
    assert divide(options, todo) == (1, 3)


# What is interrupted or killed


@pytest.fixture
def interruptible():
    """Also where a shell runs the tests in its background, with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interruption_keeps_what_is_done(big, interruptible, tmp_path, start):
    hold = tmp_path / "hold"
    hold.touch()
    sweep = start(tmp_path, *BIG, "--jobs", "2", "--log-file", "log", HOLD=str(hold))
    # A run is noted before its rows are written; with the third, two processes have written one.
    wait_until(lambda: len(runs(tmp_path)) >= 3, sweep)
    os.killpg(sweep.pid, signal.SIGINT)  # as a terminal does
    status, out, err = end(sweep)
    assert (status, out) == (130, ""), err
    lines = [
        line for line in err.splitlines() if not re.match(r"\d+ networks,|done: |begun: ", line)
    ]
    assert lines == ["main.py: interrupted"]
    (found,), (whole,) = rows_by_file(tmp_path).values(), rows_by_file(big[0]).values()
    assert 0 < len(found) - 1 < BIG_SIZE * LAYERS
    assert (len(found) - 1) % LAYERS == 0
    assert set(found) < set(whole)


def test_a_sweep_killed_again_and_again_ends_as_an_undisturbed_one(big, tmp_path, start, program):
    """Its workers die with it; what one was at is measured again, and nothing else."""
    chance = random.Random(20240)
    each, killed = (2, 1, 2, 1, 1), []
    try:
        for jobs in each:
            enough = min(len(runs(tmp_path)) + chance.randint(0, 2), BIG_SIZE)
            killed.append(start(tmp_path, *BIG, "--jobs", jobs, PAUSE="0.05"))
            wait_until(lambda least=enough: len(runs(tmp_path)) >= least, killed[-1])
            time.sleep(chance.uniform(0, 0.1))
            killed[-1].kill()
        status, out, err = program(tmp_path, *BIG, "--jobs", "2")
    finally:
        for process in killed:
            end_group(process)
            process.stdout.close()
            process.stderr.close()
    assert status == 0, err
    assert out.endswith(" 0 failed; results in results\n")
    assert rows_by_file(tmp_path) == rows_by_file(big[0])
    assert set(runs(tmp_path)) == set(runs(big[0]))
    # A worker that is killed may have noted its run already, but not have written its rows.
    assert runs(tmp_path).total() - BIG_SIZE <= sum(each)


SOON = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}  # to give up where nobody answers


def test_a_cluster_whose_worker_is_killed(big, added, tmp_path, start, warm_python, monkeypatch):
    pytest.importorskip("distributed")
    folder = tmp_path / "sweep"
    folder.mkdir()
    hold = folder / "hold"
    hold.touch()
    monkeypatch.setenv("HOLD", str(hold))
    path = os.pathsep.join(map(str, (clusters.ROOT, added)))
    with clusters.cluster(tmp_path, 2, warm_python, nanny=False, path=path) as (address, parts):
        wrong = f"tcp://127.0.0.1:{clusters.free_port()}"
        nobody = start(tmp_path / "nobody", *BIG, "--scheduler", wrong, **SOON)
        sweep = start(folder, *BIG, "--scheduler", address)
        wait_until(lambda: len(list(folder.glob("at-*"))) == 2 and len(runs(folder)) >= 3, sweep)
        parts[1].kill()
        before = len(runs(folder))
        hold.unlink()
        status, out, err = end(sweep)
    assert before < BIG_SIZE
    assert status == 0, err
    done, skipped, failed = map(int, re.findall(r"(\d+) [a-z]+[,;]", out))
    assert (done + skipped, failed) == (BIG_SIZE, 0)  # skipped: done as the other's death came
    assert err.splitlines()[0] == f"{BIG_SIZE} networks, 0 done already, on {address}"
    assert "Traceback" not in err
    assert rows_by_file(folder) == rows_by_file(big[0])
    assert set(runs(folder)) == set(runs(big[0]))
    assert sum(runs(folder).values()) <= BIG_SIZE + 1  # what the killed one was about to write

    status, out, err = end(nobody)
    assert (status, out) == (2, "")
    assert err.splitlines()[1:] == [
        line for line in err.splitlines() if line.startswith(f"main.py: error: --scheduler {wrong}")
    ]


OWN = {
    "models/__init__.py": "",
    "models/layers.py": "from torch import nn\ndef head(): return nn.Linear(8, 3)\n",
    "models/net.py": """
from models.layers import head
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), head()
    def forward(self, x):
        from metrics import activation
        return self.head(activation(self.body(x)))
""",
    "metrics/__init__.py": "from torch import relu as activation\n",
    "sweep/__init__.py": "1 / 0",
    "steps.py": "1 / 0",
    "queue.py": "1 / 0",
}


@pytest.mark.parametrize("where", ["here", "cluster"])
def test_modules_in_the_working_folder_hide_nobody(where, tmp_path, program, warm_python):
    """The user's own are called as the project's and as Python's.

    What imports them begins from nothing: the program with its worker, or that of a cluster.
    """
    folder, nobodys = tmp_path / "own", tmp_path / "workers"
    for name, text in OWN.items():
        for place in (folder, nobodys):
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("" if place == nobodys else text)
    (nobodys / "queue.py").unlink()  # Dask itself would not start
    flags = ["--model", "models.net:Net", "--input-shape", 6, "--pruning", "dense"]
    flags += ["--seed", 0, 1, "--encoding", "rolled"]
    with contextlib.ExitStack() as stack:
        if where == "cluster":
            pytest.importorskip("distributed")
            address, _ = stack.enter_context(
                clusters.cluster(nobodys, 1, warm_python, cold=True, nanny=False)
            )
            flags += ["--scheduler", address, "--threads", 1]
            run = program
        else:
            flags += ["--jobs", 1]  # each start takes seconds
            run = cold
        status, _, err = run(folder, *flags)
    assert status == 0, err
    rows = table(folder / "results/graph_metrics/rolled/rolled-none-models.net.Net-6.csv")
    assert [row["edges"] for row in rows] == ["48", "24"] * 2


def test_an_address_that_is_none_is_one_line(tmp_path, here):
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        status, out, err = here(*BIG, "--scheduler", "somewhere")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("main.py: error: --scheduler somewhere: ")
    assert "Traceback" not in err
