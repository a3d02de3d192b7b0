"""What is shown while work goes on: it never looks as if it hung."""

import io
import re
import sys
import threading

import pytest

import main
from command_line import progress
from command_line.clock import ticking
from graph_encoding import compiling


class Screen(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal
        self.several = threading.Event()

    def isatty(self):
        return self.is_terminal

    def write(self, text):
        done = super().write(text)
        if self.getvalue().count("00:0") > 2 or self.getvalue().count("so far") > 2:
            self.several.set()
        return done


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def screen(request, monkeypatch):
    monkeypatch.setattr(progress, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.03)

    def made():  # in the test itself: pytest puts its own in place before that
        found = Screen(request.param)
        monkeypatch.setattr(sys, "stderr", found)
        return found

    return made


def test_the_clock_moves_in_a_stage_that_reports_nothing(screen):
    screen = screen()
    with progress.Stages() as stages:
        stages.total = 1
        with stages.stage("prune", "grasp, sparsity 0.98"):
            assert screen.several.wait(600)
    shown = screen.getvalue()
    assert len(re.findall("prune: (grasp|00:00 so far)", shown)) > 1


def test_a_first_compilation_is_said_as_such_once(screen):
    screen = screen()
    with progress.Stages() as stages:
        stages.total = 1
        with stages.stage("measure", "topometrics"):
            compiling.begins()
            first = screen.getvalue()
            compiling.begins()
    assert compiling.TEXT in first
    compiling.begins()
    if not screen.is_terminal:
        assert screen.getvalue().count(compiling.TEXT) == 1


def test_a_clock_stops_with_what_it_is_beside():
    ticks = []
    enough = threading.Event()

    def tick():
        ticks.append(1)
        if len(ticks) > 2:
            enough.set()

    with ticking(tick, 0.001):
        assert enough.wait(600)
    stopped = len(ticks)
    threading.Event().wait(0.05)
    assert len(ticks) == stopped


def test_what_is_not_kept_compiled_is_told_before_it_is_compiled(tmp_path, monkeypatch):
    from graph_encoding import compiled as module

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    for told in (1, 0):  # then it is kept
        lines = []
        with compiling.noticed(lines.append):
            assert module.compiled(_twice)(21) == 42
        assert len(lines) == told


def _twice(number):
    return 2 * number


@pytest.mark.usefixtures("warm_workers")
def test_a_piped_sweep_names_what_it_begins_with_and_counts_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = "--pruning erk uniform dense --encoding rolled-channel"
    assert main.main(flags.split()) == 0
    out, err = capsys.readouterr()
    first, second, *_ = err.splitlines()
    assert first.startswith("3 networks, 0 done already")
    assert second == "begun: Resnet-20 CIFAR-10 erk 0.98 seed 0"
    assert err.count("begun: ") == 1
    assert (out + err).count("3 done, 0 skipped, 0 failed") == 1
