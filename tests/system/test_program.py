"""The shell of a program: what is one line, and what ends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from system import program
from system.errors import UserError

ROOT = Path(program.__file__).parents[1]


def test_torchs_want_of_memory_is_one_line():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**54)
    line = "out of memory: a sparser or smaller network needs less"
    assert program.one_line(caught.value) == line
    assert program.one_line(torch.OutOfMemoryError("CUDA out of memory")) == line
    assert program.one_line(RuntimeError("can't do that")) is None
    assert program.one_line(UserError("a\n b")) == "a b"


PROGRAM = """
import signal, sys, time
from system.program import ended_by_signals, program
@program("it")
def main(_):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup had ignored
    with ended_by_signals():
        print("begun", flush=True)
        time.sleep(10_000)
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_program_as_an_interrupt_does(number):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (128 + number, "it: interrupted\n")


def test_signals_that_are_ignored_stay_so_and_others_are_as_before():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with program.ended_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
