"""Processes that do work: what each task comes to, whatever becomes of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweep.alike import together
from system import workers
from system.workers import Lost

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")


def work(task):
    """Do as a task says."""
    kind, number = task
    if kind == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "leaves":
        os._exit(0)
    if kind == "exits":
        sys.exit(0)
    if kind == "hangs":
        time.sleep(10_000)
    if kind == "deserted":  # a child of its own keeps its socket open
        if not os.fork():
            time.sleep(5)
            os._exit(0)
        os._exit(0)
    if kind == "raises":
        raise OSError(number, "no such luck", "file")
    if kind == "not pickled":
        return lambda: None
    return number**2


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """New processes import from where this one does: this file, too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(work, "__module__", "test_workers")
    monkeypatch.setitem(sys.modules, "test_workers", sys.modules[__name__])


def outcomes(tasks, jobs, seconds=None):
    with workers.workers(work, seconds) as each:
        found = list(each(workers.in_order(tasks), jobs))
    assert len(found) == len(dict(found))  # each once
    return dict(found)


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_task_has_an_answer(jobs, monkeypatch):
    monkeypatch.setattr(workers, "POLL_SECONDS", 0.1)
    tasks = [("well", number) for number in range(20)]
    lost = [("dies", 20), ("leaves", 21), ("exits", 22), ("deserted", 23)]
    found = outcomes(tasks[:10] + lost + tasks[10:], jobs)
    assert found == {task: task[1] ** 2 for task in tasks} | dict.fromkeys(lost, Lost.DIED)


def test_tasks_that_wait_for_a_process_are_done_when_it_has_died(monkeypatch):
    monkeypatch.setattr(workers, "POLL_SECONDS", 0.1)
    kinds = ["well", "well", "dies", "well", "leaves", "well", "well"]
    tasks = [(kind, 2 * number) for number, kind in enumerate(kinds)] + [("well", 1), ("well", 3)]
    take = together(tasks, lambda task: task[1] % 2, lambda task, left: True)
    with workers.workers(work) as each:
        found = list(each(take, 3))
    assert sorted(task for task, _ in found) == sorted(tasks)
    for (kind, number), answer in found:
        assert answer == (number**2 if kind == "well" else Lost.DIED)


def test_what_takes_too_long_is_ended():
    tasks = [("hangs", 0), ("well", 1), ("hangs", 2), ("well", 3)]
    found = outcomes(tasks, 2, seconds=2)
    assert found == {tasks[0]: Lost.LATE, tasks[1]: 1, tasks[2]: Lost.LATE, tasks[3]: 9}


def test_what_work_raises_is_raised():
    with pytest.raises(OSError, match=r"no such luck: 'file'") as caught:
        outcomes([("raises", 28)], 1)
    assert caught.value.errno == 28
    assert "in work" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="pickle"):
        outcomes([("not pickled", 0)], 1)


def test_tasks_are_taken_as_they_are_begun():
    taken = []

    def tasks():
        for number in range(5):
            taken.append(number)
            yield "well", number

    with workers.workers(work) as each:
        for task, _ in each(workers.in_order(tasks()), 1):
            assert taken == list(range(task[1] + 1))


def test_work_that_cannot_be_imported_is_an_error(monkeypatch):
    monkeypatch.setattr(work, "__module__", "no_such_module")
    monkeypatch.setitem(sys.modules, "no_such_module", sys.modules[__name__])
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        outcomes([("well", 1)], 1)


def test_no_memory_for_another_process_is_one_line(monkeypatch):
    def fail(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(workers.WorkersError, match="no process can be started: Cannot allocate"):
        outcomes([("well", 1)], 1)
