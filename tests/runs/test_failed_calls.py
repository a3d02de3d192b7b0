"""Result files when any one call to the system fails, or is the last before a kill.

Each call that a change of a file makes is hit in turn: it fails as on a full or a broken disk, or
the process dies before it, after it, or in the midst of what it writes.
"""

import builtins
import contextlib
import errno
import fcntl
import itertools
import os
import shutil
from pathlib import Path

import pytest

from tests.runs import changes

CALLS = {
    os: "open write fsync ftruncate unlink replace mkdir listdir pread",
    builtins: "open",
    fcntl: "flock",
}
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS)
DEATHS = (0.0, 0.5, 1.0)
"""How much of a call is done before the process dies; half of it is done of a write only."""

EACH = 5
"""Of so many calls one is a process's last, in the short form."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@contextlib.contextmanager
def hit(number, how):
    """Let the n-th call go wrong; gives a list with its name, if there was one."""
    hits, count = [], itertools.count()
    with pytest.MonkeyPatch.context() as patch:

        def stand_in(name, function):
            def call(*arguments, **options):
                if next(count) != number:
                    return function(*arguments, **options)
                hits.append(name)
                return how(name, function, arguments, options)

            return call

        for module, names in CALLS.items():
            for name in names.split():
                patch.setattr(module, name, stand_in(name, getattr(module, name)))
        yield hits


def failing(code):
    def fail(name, function, arguments, _):
        if name == "write":  # a part of it is written
            descriptor, data = arguments
            function(descriptor, data[: len(data) // 3])
        raise OSError(code, os.strerror(code))

    return fail


def dying(share):
    def die(name, function, arguments, options):
        if name == "write":
            descriptor, data = arguments
            function(descriptor, data[: int(share * len(data))])
        elif share == 1:
            with contextlib.suppress(OSError):
                function(*arguments, **options)
        os._exit(9)

    return die


def attacked(folder, before):
    """A folder as before a change; its file, and the rows in it."""
    shutil.rmtree(folder, ignore_errors=True)
    file = Path(folder, changes.NAME)
    return file, changes.BEFORE[before](file)


def fail_each_call(folder, before, what, codes):
    """Let each call of a change fail in turn."""
    os.fsync = lambda _: None  # there is no power loss here
    for code in codes:
        for number in itertools.count():
            file, rows = attacked(folder, before)
            done = True
            with hit(number, failing(code)) as hits:
                try:
                    changes.change(file, what)
                except OSError as error:
                    done = False
                    assert error.errno == code
            changes.check(file, rows, what, done)
            if not hits:
                break
        assert number > 10
        print(f"{number} attacks")


def die_at_calls(folder, before, what, first, step, shares):
    """Let each call of a change, or some, be the last of a process."""
    os.fsync = lambda _: None
    for share in shares:
        for number in itertools.count(first, step):
            file, rows = attacked(folder, before)
            child = os.fork()
            if not child:
                status = 1
                try:
                    with hit(number, dying(share)):
                        changes.change(file, what)
                    status = 0
                finally:  # nothing of the tests goes on here
                    os._exit(status)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert status in (0, 9)
            changes.check(file, rows, what, done=status == 0)
            if status == 0:
                break
        assert number > 10
        print(f"{number} attacks")


@pytest.mark.parametrize(("before", "what"), changes.CASES)
def test_a_call_that_fails(in_small_process, tmp_path, before, what, long):
    codes = ERRORS if long else ERRORS[:1]
    in_small_process(fail_each_call, str(tmp_path / "a"), before, what, codes)


@pytest.mark.parametrize(("before", "what"), changes.CASES)
def test_a_process_that_dies(in_small_process, tmp_path, before, what, long):
    # All calls are hit in one case or another.
    calls = (
        (0, 1, DEATHS) if long else (changes.CASES.index((before, what)) % EACH, EACH, DEATHS[1:2])
    )
    in_small_process(die_at_calls, str(tmp_path / "a"), before, what, *calls)
