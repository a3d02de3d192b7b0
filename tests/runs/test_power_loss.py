"""Result files after a power loss: all that is left of a change at every moment of it.

Every change is recorded call by call; what the disk may hold after each is written out and read.
"""

import os
import random
import shutil

import disk
import pytest

from runs import results
from system.files import replacing
from tests.runs import changes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture
def lose(tmp_path, long):
    """Look at all that a power loss may leave of what a function does; gives their number."""
    root, new = tmp_path / "root", tmp_path / "new"
    root.mkdir()

    def run(prepare, function, check):
        prepare(root)
        with pytest.MonkeyPatch.context() as patch:
            recorded = disk.Disk(root, 50 if long else 2)
            recorded.follow(patch)
            function(root)
        chance = random.Random(7)
        seen = {}
        for number, state in enumerate(recorded.states):
            is_last = number == len(recorded.states) - 1
            for left in disk.losses(state, 4000 if long else 12, chance):
                seen[tuple(left.items()), is_last] = None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", lambda _: None)
            for left, is_last in seen:
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir()
                disk.restore(root, new, dict(left))
                check(new, is_last)
        print(f"{len(seen)} states")
        assert len(seen) > 8

    return run


@pytest.mark.parametrize(("before", "what"), changes.CASES)
def test_a_change_of_a_result_file(lose, before, what):
    rows = []
    lose(
        lambda root: rows.extend(changes.BEFORE[before](root / changes.NAME)),
        lambda root: changes.change(root / changes.NAME, what),
        lambda new, done: changes.check(new / changes.NAME, rows, what, done),
    )


def test_two_runs_one_after_the_other(lose):
    """What has been acknowledged before the last change, too, is there."""
    first, second = changes.run(1, 4), changes.run(2, 4)

    def both(root):
        for rows in (first, second):
            results.append(root / changes.NAME, changes.COLUMNS, rows)

    def check(new, done):
        found = results.read(new / changes.NAME)
        assert found in ([], first, first + second)
        assert not done or found == first + second

    lose(lambda root: None, both, check)


def test_a_file_that_is_replaced(lose):
    def replace(root):
        for content in (b"second" * 50, b"third" * 50):
            with replacing(root / "a") as file:
                file.write(content)

    def check(new, done):
        found = (new / "a").read_bytes()
        assert found in (b"first" * 50, b"second" * 50, b"third" * 50)
        assert not done or found == b"third" * 50
        with replacing(new / "a") as file:
            file.write(b"fourth")
        assert os.listdir(new) == ["a"]

    lose(lambda root: (root / "a").write_bytes(b"first" * 50), replace, check)
