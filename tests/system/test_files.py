"""Files that appear whole or not at all, and what is said where they cannot."""

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from system.files import replacing


@pytest.fixture
def target(tmp_path):
    return tmp_path / "table.csv"


def test_it_is_there_at_the_end_alone(target):
    target.write_bytes(b"old")
    with replacing(target) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


def test_of_a_link_the_file_that_it_leads_to_is_replaced(target, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(target)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("not mine")])
def test_after_an_error_all_is_as_before(target, error):
    target.write_bytes(b"old")
    with pytest.raises(type(error)) as raised, replacing(target) as file:
        file.write(b"new")
        raise error
    assert raised.value is error
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def no_space():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_errors_name_the_file_and_not_the_unfinished_one(tmp_path, monkeypatch):
    """Whatever fails: to open it, to write it (which names no file), to put it in its place."""
    here = tmp_path / "here"
    here.write_bytes(b"old")
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path / "none" / "a", here / "a", folder):
        with pytest.raises(OSError) as raised, replacing(path) as file:
            file.write(b"new")
        assert raised.value.filename == str(path)
        assert ".saving" not in str(raised.value)
    with pytest.raises(OSError, match=r"No space left on device.*here") as raised, replacing(here):
        raise no_space()
    assert raised.value.errno == errno.ENOSPC
    with monkeypatch.context() as patch, pytest.raises(OSError, match="here"), replacing(here):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(no_space()))
    assert here.read_bytes() == b"old"
    assert sorted(tmp_path.rglob("*")) == [folder, here]


def test_errors_of_other_files_are_theirs(target, tmp_path):
    other = tmp_path / "other"
    with pytest.raises(FileNotFoundError) as raised, replacing(target):
        other.read_bytes()
    assert Path(raised.value.filename) == other


HOLD = """
import sys
from system.files import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"theirs")
    print(file.name, flush=True)
    sys.stdin.read()
"""


def test_unfinished_files_of_dead_processes_alone_are_removed(target):
    """The next that replaces a file in the folder does it; whoever lives finishes its own."""
    held = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, str(target)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    dead, alive = (Path(process.stdout.readline().strip()) for process in held)
    try:
        held[0].kill()
        held[0].wait()
        assert dead.exists()
        others = [target.with_name(name) for name in (".saving", "saving-1", ".table.saving-1")]
        for other in others:
            other.touch()
        with replacing(target.with_name("other")) as file:
            file.write(b"ours")
            assert sorted(target.parent.iterdir()) == sorted([alive, Path(file.name), *others])
        held[1].communicate("")
        assert held[1].returncode == 0
        assert target.read_bytes() == b"theirs"
    finally:
        for process in held:
            process.kill()
            process.communicate()


def test_a_file_that_is_taken_for_abandoned_is_made_again(target, monkeypatch):
    """Between the moment when it is made and that when it is held."""
    flock, taken = fcntl.flock, []

    def late(file, how):
        if not taken:
            taken.append(file.name)
            os.unlink(file.name)
        return flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with replacing(target) as file:
        file.write(b"new")
    assert taken
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO])
def test_folders_that_cannot_be_put_on_disk(target, monkeypatch, code):
    """Some file systems have no such thing; on others it is an error of the folder."""
    fsync = os.fsync

    def fail(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    error = contextlib.nullcontext()
    if code == errno.EIO:
        error = pytest.raises(OSError, match=str(target.parent))
    with error, replacing(target) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
