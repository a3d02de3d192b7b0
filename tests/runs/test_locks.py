"""Claims: one process a run, and none that outlives its process."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from runs import locks

ROOT = Path(locks.__file__).parents[1]
HOLD = """
import os, sys, time
from runs import locks
with locks.claim(sys.argv[1], sys.argv[2]) as mine:
    print(mine, flush=True)
    {then}
"""


def start(folder, key, then="time.sleep(600)"):
    code = HOLD.format(then=then)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), key], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_claim_is_free_held_and_free_again(tmp_path):
    for _ in range(2):
        with locks.claim(tmp_path, "a") as mine, locks.claim(tmp_path, "a") as again:
            assert mine
            assert not again
            with locks.claim(tmp_path, "b") as other:
                assert other


def test_looking_does_not_end_the_claim(tmp_path):
    with locks.claim(tmp_path, "a"):
        for _ in range(2):
            with locks.claim(tmp_path, "a") as again:
                assert not again


def test_claim_ends_with_an_error(tmp_path):
    with pytest.raises(OSError, match="mine"), locks.claim(tmp_path, "a"):
        raise OSError("mine")
    with locks.claim(tmp_path, "a") as mine:
        assert mine
        with pytest.raises(OSError, match="theirs") as caught, locks.claim(tmp_path, "a"):
            raise OSError("theirs")
    assert caught.value.__context__ is None


def test_any_text_is_a_key(tmp_path):
    keys = ["", "a/b", "../a", "é\n", "x" * 5000]
    for key in keys:
        with locks.claim(tmp_path, key) as mine:
            assert mine
    files = list((tmp_path / ".claims").iterdir())
    assert len(files) == len(keys)
    assert {file.suffix for file in files} == {".lock"}
    assert [p.name for p in tmp_path.iterdir()] == [".claims"]


def test_claim_of_another_process_ends_when_it_is_killed(tmp_path):
    holder = start(tmp_path, "a")
    try:
        assert holder.stdout.readline() == "True\n"
        with locks.claim(tmp_path, "a") as mine:
            assert not mine
        with locks.claim(tmp_path, "b") as mine:
            assert mine
        holder.kill()
        holder.wait()
        with locks.claim(tmp_path, "a") as mine:
            assert mine
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_children_of_a_killed_process_do_not_keep_its_claim(tmp_path):
    """Loaders fork workers, which may live on for a while."""
    then = "os.write(1, b'%d\\n' % os.fork()); time.sleep(600)"
    holder = start(tmp_path, "a", then)
    child = None
    try:
        assert holder.stdout.readline() == "True\n"
        child = max(int(holder.stdout.readline()) for _ in range(2))
        with locks.claim(tmp_path, "a") as mine:
            assert not mine
        holder.kill()
        holder.wait()
        os.kill(child, 0)  # still there
        with locks.claim(tmp_path, "a") as mine:
            assert mine
    finally:
        holder.kill()
        if child:
            os.kill(child, signal.SIGKILL)
        holder.communicate()


def test_of_many_processes_one_has_the_claim(tmp_path):
    processes = [start(tmp_path, "a") for _ in range(6)]
    try:
        answers = [process.stdout.readline() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert sorted(answers) == ["False\n"] * 5 + ["True\n"]


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OSError) as caught,
        locks.claim(tmp_path / "file", "a"),
    ):
        pass
    assert str(tmp_path / "file") in str(caught.value.filename)


def test_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(filelock.FileLock, "_acquire", fail)
    with (
        pytest.raises(OSError, match="no file locks here") as caught,
        locks.claim(tmp_path, "a"),
    ):
        pass
    assert str(tmp_path) in caught.value.filename
