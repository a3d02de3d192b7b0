"""Files that appear whole or not at all, and what is said where they cannot."""

import errno
import os
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
