"""Running many tasks: every one has one outcome, whatever becomes of the processes."""

import collections
import functools
import json
import os
import signal
import sys
from pathlib import Path

import clusters
import pytest
import small_work

from sweep import alike, execution
from system import compute

ROOT = Path(execution.__file__).parents[1]

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


@pytest.fixture
def small(tmp_path, warm_python):
    """Run tasks of `small_work`; gives the outcomes by task, and who tried each task."""

    def run(*argv):
        folder = tmp_path / "tries"
        folder.mkdir()
        environment = clusters.environment(Path(__file__).parent)
        done = warm_python.run("-m", "small_work", folder, *argv, cwd=tmp_path, env=environment)
        tries = collections.defaultdict(list)
        for file in sorted(folder.iterdir()):
            task, _, process = map(int, file.name.split("-"))
            tries[task].append(process)
        if done.returncode:
            return done, tries
        pid, found = json.loads(done.stdout)
        outcomes = {task: execution.Outcome(**outcome) for task, outcome in found}
        assert len(outcomes) == len(found)  # each once
        assert pid not in {process for tried in tries.values() for process in tried}
        return outcomes, tries

    return run


def number_of_tries(tries):
    return {task: len(processes) for task, processes in tries.items()}


def statuses(outcomes):
    assert isinstance(outcomes, dict), f"ended with {outcomes.returncode}: {outcomes.stderr}"
    return {task: outcome.status for task, outcome in sorted(outcomes.items())}


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_task_has_one_outcome(small, jobs):
    outcomes, tries = small("--jobs", jobs, "--raising", 1, "--busy", 2, 3)
    assert statuses(outcomes) == {i: "failed" if i == 1 else "done" for i in range(6)}
    assert outcomes[1] == ("failed", "measure", "ValueError", "number 1", True)
    assert number_of_tries(tries) == {0: 1, 1: 1, 2: 3, 3: 3, 4: 1, 5: 1}
    processes = {process for tried in tries.values() for process in tried}
    assert len(processes) <= jobs


def test_a_process_that_did_the_kind_of_a_task_before_takes_it_again():
    """As where another sweep was at it: no other process looks for it then."""
    take = alike.together([1, 2, 3], kind=lambda task: task)
    assert [take(2), take(None), take(None), take(None)] == [2, 1, 3, None]


def test_no_tasks(small):
    assert small("--tasks", 0, "--jobs", 2) == ({}, {})


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_task_whose_process_is_killed_once_is_done(small, jobs):
    outcomes, tries = small("--jobs", jobs, "--once", 2, 4)
    assert statuses(outcomes) == dict.fromkeys(range(6), "done")
    for task, count in number_of_tries(tries).items():
        assert count == 2 if task in (2, 4) else 1 <= count <= 3


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_task_that_is_always_killed_is_one_failure(small, jobs):
    outcomes, tries = small("--jobs", jobs, "--always", 1, 4, "--raising", 0)
    expected = {0: "failed", 1: "failed", 2: "done", 3: "done", 4: "failed", 5: "done"}
    assert statuses(outcomes) == expected
    assert outcomes[1] == outcomes[4] == execution.DIED
    assert not execution.DIED.recorded
    assert len(tries[1]) == len(tries[4]) == 2


def test_processes_that_die_before_they_begin_are_one_error(small):
    done, tries = small("--jobs", 2, "--dead-on-arrival")
    assert tries == {}
    assert "WorkersError: processes die before they begin" in done.stderr


def test_what_no_run_can_go_on_after_is_raised(small):
    done, _ = small("--jobs", 2, "--stopping", 1)
    assert "OSError: [Errno 28] No space left on device" in done.stderr


def test_without_dask_it_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(execution.SchedulerError, match=r"pip install -r (deps/\S+)") as caught:
        list(execution.run([1], print, scheduler="tcp://127.0.0.1:1"))
    assert (ROOT / str(caught.value).split()[-1]).exists()


@pytest.fixture(scope="module")
def address(tmp_path_factory, warm_python):
    """Of the scheduler of a cluster of one worker; what kills it is not tried again."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("cluster")
    with clusters.cluster(folder, 1, warm_python, deaths=0, path=Path(__file__).parent) as (
        address,
        _,
    ):
        yield address


def test_a_cluster(small, address):
    """As on this machine, even by a single worker; a task that kills it is one failure."""
    outcomes, _ = small("--scheduler", address, "--raising", 1, "--busy", 2, 3, "--always", 4)
    failed = {1: "failed", 4: "failed"}
    assert statuses(outcomes) == dict.fromkeys(range(6), "done") | failed
    assert outcomes[1] == ("failed", "measure", "ValueError", "number 1", True)
    assert (outcomes[4].status, outcomes[4].recorded) == ("failed", False)


@pytest.fixture
def elsewhere(monkeypatch):
    """As if this checkout were where no worker sees it."""
    monkeypatch.setattr(execution, "ROOT", "/no/such/folder")


@pytest.mark.parametrize("module", ["project", "package"])
def test_a_worker_that_cannot_import_is_one_line(module, tmp_path, elsewhere, warm_python):
    """The project, or a package that its work needs; no outcome is waited for."""
    pytest.importorskip("distributed")
    (tmp_path / "numba.py").write_text("raise ImportError('broken here')")
    path = ROOT if module == "package" else ""
    said = "broken here" if module == "package" else "No module named 'system'"
    with clusters.cluster(tmp_path, 1, warm_python, cold=True, nanny=False, path=path) as (
        address,
        _,
    ):
        tasks = execution.run([1, 2], compute.use_threads, scheduler=address)
        with pytest.raises(execution.SchedulerError, match=said) as caught:
            list(tasks)
    assert str(caught.value).startswith(f"--scheduler {address}: a worker cannot import")
    assert "\n" not in str(caught.value)


def test_a_lost_scheduler_is_one_line(tmp_path, warm_python):
    """It is no fault of the output folder."""
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    call = functools.partial(
        small_work.work, folder=str(tmp_path), **{kind: set() for kind in small_work.KINDS}
    )
    with (
        clusters.cluster(tmp_path, 1, warm_python, nanny=False, path=path) as (address, parts),
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(execution.SchedulerError) as caught,
    ):
        for _ in execution.run(range(1000), call, scheduler=address):
            parts[0].kill()
    assert str(caught.value).startswith(f"--scheduler {address}: the scheduler has been lost (")
    assert "\n" not in str(caught.value)


def test_an_error_of_the_work_is_that_on_a_cluster_too(small, address):
    done, _ = small("--scheduler", address, "--stopping", 1)
    assert done.stderr.splitlines()[-1].startswith("OSError: [Errno 28] No space left on device")


def test_a_task_that_takes_too_long_is_a_failure(small):
    outcomes, tries = small("--jobs", 2, "--hanging", 1, "--timeout", 2)
    assert statuses(outcomes) == {i: "failed" if i == 1 else "done" for i in range(6)}
    late = ("failed", "unknown", "timeout", "it took longer than the 2 s of --timeout", False)
    assert outcomes[1] == late
    assert len(tries[1]) == 1
