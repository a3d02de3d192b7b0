"""Bars: what is called while work goes on, and that a notebook without widgets stays quiet."""

import subprocess
import sys

import pytest

from system import bars


def test_what_is_given_is_called():
    calls = []
    with bars.called(lambda *call: calls.append(call)) as call:
        call(1, 2, "one")
    assert calls == [(1, 2, "one")]


@pytest.mark.parametrize("asked", [None, False])
def test_nothing_is_shown_unasked(asked, capsys):
    with bars.called(asked) as call:
        assert call is None
    assert capsys.readouterr() == ("", "")


def test_true_shows_a_bar_that_goes_away(capsys):
    with bars.called(True) as call:
        for done in range(1, 4):
            call(done, 3, "motifs")
    shown = capsys.readouterr().err
    assert "motifs" in shown
    assert shown.rstrip(" ").endswith("\r")


KERNEL = """
import sys, types
sys.modules["ipykernel.zmqshell"] = types.ModuleType("ipykernel.zmqshell")
shell = types.ModuleType("IPython")
shell.get_ipython = lambda: type("ZMQInteractiveShell", (), {})()
sys.modules["IPython"] = shell
sys.modules["ipywidgets"] = None
from system import bars
with bars.called(True) as call:
    call(1, 1, "done")
"""


def test_a_notebook_without_widgets_has_a_bar_of_text_and_no_warning():
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", KERNEL], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "done" in done.stderr
    assert "Warning" not in done.stderr
