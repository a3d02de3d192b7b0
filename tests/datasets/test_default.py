"""The dataset that is meant when none is named."""

import inspect

import pytest

from datasets import choose_default, default
from datasets.internet import why_unreachable


@pytest.fixture
def answers(monkeypatch):
    """What the server is made to say; asking when nothing is set is an error."""
    said = []
    monkeypatch.setattr(default, "why_unreachable", lambda url: said[0])
    return said


def test_on_disk_asks_nobody(monkeypatch, answers, tmp_path):
    monkeypatch.setattr(default, "is_on_disk", lambda spec, root: spec.name == "CIFAR-10")
    assert choose_default(tmp_path) == ("CIFAR-10", None)


def test_downloadable(answers, tmp_path):
    answers.append(None)
    assert choose_default(tmp_path) == ("CIFAR-10", None)


def test_neither(answers, tmp_path):
    answers.append("the server is away")
    name, reason = choose_default(tmp_path / "data")
    assert name == "digits"
    assert reason == (
        f"CIFAR-10 is not in {tmp_path / 'data'} and cannot be downloaded (the server is away)"
    )
    assert not (tmp_path / "data").exists()


def test_gives_up_well_within_ten_seconds():
    assert inspect.signature(why_unreachable).parameters["deadline"].default <= 8
