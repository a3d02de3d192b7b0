"""Result files on a full disk: the system writes as much as there is room for, and no more."""

import os
import resource
import shutil
from pathlib import Path

import pytest

from system.files import replacing
from tests.runs import changes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def within(size, function):
    """Run a function in a process that writes no file beyond a size; whether it came to its end."""
    child = os.fork()
    if not child:
        status = 2
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            function()
            status = 0
        except OSError as error:
            status = 1 if error.filename else 2
        finally:  # nothing of the tests goes on here
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1)
    return status == 0


def change_within(folder, before, what, step):
    """Change a result file while no file can be larger than this or that."""
    os.fsync = lambda _: None
    outcomes = []
    for size in range(0, 2400, step):
        shutil.rmtree(folder, ignore_errors=True)
        file = Path(folder, changes.NAME)
        rows = changes.BEFORE[before](file)
        outcomes.append(within(size, lambda f=file: changes.change(f, what)))
        changes.check(file, rows, what, outcomes[-1])
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}
    print(f"{len(outcomes)} sizes")


@pytest.mark.parametrize(("before", "what"), changes.CASES)
def test_a_change_of_a_result_file(in_small_process, tmp_path, before, what, long):
    in_small_process(change_within, str(tmp_path / "a"), before, what, 10 if long else 400)


def test_a_file_that_is_replaced(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"former")

    def replace():
        with replacing(file) as new:
            new.write(b"x" * 100_000)

    for size in (0, 1, 99_999):
        assert not within(size, replace)
        assert file.read_bytes() == b"former"
        assert os.listdir(tmp_path) == ["a"]
    assert within(100_000, replace)
    assert file.read_bytes() == b"x" * 100_000
