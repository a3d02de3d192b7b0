"""``--measure-every``: rows of each moment of a training, whatever stops it on the way."""

import csv
import os
import re
from pathlib import Path

import pytest
import torch

from pruning.masks import achieved_sparsity
from training import loop

ROOT = Path(__file__).resolve().parent.parent
NETS = """
from torch import nn

def ten():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, 10),
    )
"""
SHORT = "--model nets:ten --dataset digits --pruning uniform --sparsity 0.5 --training"
TRAINED = [*SHORT.split(), "--encoding", "rolled", "--graph-metrics", "ramanujan"]
TRAINED += ["--batch-size", "512", "--epochs", "3"]
EVERY = [*TRAINED, "--measure-every", "2"]
MOMENTS = ["0", "2", "3"]
IMAGES = 200
ROLLED = Path("results/ramanujan_results/nets.ten/rolled-digits-nets.ten.csv")


@pytest.fixture(autouse=True)
def few(among_nets, few_digits):
    """Images that are enough for one step an epoch."""
    few_digits(IMAGES)


def table(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.usefixtures("warm_workers")
def test_a_moment_is_the_end_of_a_shorter_look_at_the_same_training(job):
    """Its accuracy is that of the log, and its rows go on in the last ones of the ordinary run."""
    status, out, _ = job(*EVERY)
    assert status == 0
    rows = table(ROLLED)
    assert [row["epoch"] for row in rows] == [epoch for epoch in MOMENTS for _ in range(2)]
    assert {(row["epochs"], row["moved"]) for row in rows} == {("3", "0.0")}
    logged = {row["epoch"]: row["test_accuracy"] for row in table("results/training.csv")}
    assert list(logged) == ["1", "2", "3"]
    for row in rows:
        if row["epoch"] != "0":
            assert row["accuracy"] == logged[row["epoch"]]
    assert len({row["iterative_spectral_gap"] for row in rows if row["layer_id"] == "1"}) == 3
    assert re.search(r"^epoch +accuracy +moved\n0 .*\n2 .*\n3 ", out, re.MULTILINE)
    assert "already in" in job(*TRAINED)[1]
    assert "already in" in job(*EVERY)[1]
    assert len(table("results/training.csv")) == 3
    before = ROLLED.read_bytes()
    assert job(*EVERY, "--force")[0] == 0
    assert ROLLED.read_bytes() == before
    assert len(table("results/training.csv")) == 6

    # Another folder: the ordinary run first, whose rows are there then.
    os.rename("results", "whole")
    assert job(*TRAINED)[0] == 0
    ordinary = table(ROLLED)
    assert ordinary == rows[-2:]
    runs = job(*EVERY, "--dry-run")[1].splitlines()
    assert [line.split()[-5] for line in runs[1:-1]] == ["no", "no", "yes"]
    assert runs[-1].startswith("3 runs, 1 done, 2 to do")
    assert job(*EVERY)[0] == 0
    assert table(ROLLED) == [*ordinary, *rows[:-2]]
    assert [row["epoch"] for row in table("results/training.csv")] == ["1", "2", "3", "1", "2"]
    assert not list(Path("results/.checkpoints").iterdir())


KILLED = """
import os, signal, sys
import main
from datasets import digits
from runs import results
from training import checkpoints

def watched(function, count, last):
    def call(*args, **kwargs):
        die(count, last)
        try:
            return function(*args, **kwargs)
        finally:
            die(count, last)
    return call

def die(count, last):
    count.append(0)
    if len(count) == last:
        os.kill(os.getpid(), signal.SIGKILL)

whole = digits.load_digits

def few(*args, **kwargs):
    found = whole(*args, **kwargs)
    found.images, found.labels = found.images[:IMAGES], found.labels[:IMAGES]
    return found

digits.load_digits = few
deaths, number = 0, 0
while True:
    number += 1
    child = os.fork()
    if not child:
        count, last = [], 5 + number % 2
        results.append = watched(results.append, count, last)
        checkpoints.save = watched(checkpoints.save, count, last)
        os._exit(main.main(sys.argv[1:]))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != -signal.SIGKILL:
        break
    deaths += 1
print(deaths, status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_again_and_again_it_gives_the_rows_of_an_undisturbed_run(job, warm_python):
    """Before and after every line and checkpoint is written, within moments and between them."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.getcwd()])}
    argv = ["-c", f"IMAGES = {IMAGES}{KILLED}", *EVERY, "--threads", "1"]
    done = warm_python.run(*argv, cwd=Path.cwd(), env=environment)
    deaths, status = map(int, done.stdout.split()[-2:])
    assert status == 0, done.stderr
    assert deaths >= 4
    killed = ROLLED.read_bytes()
    epochs = [row["epoch"] for row in table("results/training.csv")]
    assert sorted(set(epochs)) == ["1", "2", "3"]
    os.rename("results", "killed")
    assert job(*EVERY, "--threads", "1")[0] == 0
    assert ROLLED.read_bytes() == killed


def test_the_checkpoint_of_a_training_that_is_past_a_moment_is_not_used(job, monkeypatch):
    """An ordinary training was killed after two epochs; the moment after one is asked for then."""

    class Killed(BaseException):
        pass

    save = loop.checkpoints.save

    def save_and_die(*args):
        save(*args)
        if args[1]["epoch"] == 2:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop.checkpoints, "save", save_and_die)
        job(*TRAINED)
    assert job(*TRAINED, "--measure-every", "1")[0] == 0
    assert [row["epoch"] for row in table("results/training.csv")] == ["1", "2", "1", "2", "3"]
    killed = ROLLED.read_bytes()
    os.rename("results", "killed")
    assert job(*TRAINED, "--measure-every", "1")[0] == 0
    assert ROLLED.read_bytes() == killed


def test_masks_that_change_are_encoded_and_counted_as_they_are_then(job, monkeypatch):
    """Training that takes three weights of the first layer away after each epoch, in place."""
    seen = []

    def change(model, masks, *_, until, epochs, **__):
        seen.append({name: mask.clone() for name, mask in masks.items()})
        first = next(iter(masks))
        stop = epochs if until is None else until
        places = masks[first].flatten().nonzero().flatten()[: 3 * stop]
        masks[first].view(-1)[places] = False
        if stop:
            free = (~masks["6.weight"]).flatten().nonzero().flatten()[:1]
            masks["6.weight"].view(-1)[free] = True
        with torch.no_grad():
            for name, mask in masks.items():
                model.get_parameter(name).copy_(mask)
        seen.append({name: mask.clone() for name, mask in masks.items()})
        return 0.5

    monkeypatch.setattr(loop, "train", change)
    assert job(*EVERY)[0] == 0
    starts, ends = seen[::2], seen[1::2]
    for start in starts:  # each call begins with the first masks
        assert all(torch.equal(start[name], mask) for name, mask in starts[0].items())
    rows = table(ROLLED)[::2]
    for row, end in zip(rows, ends, strict=True):
        kept = sum(int(mask.sum()) for mask in end.values())
        new = sum(int((mask & ~starts[0][name]).sum()) for name, mask in end.items())
        assert float(row["moved"]) == pytest.approx(new / kept)
        assert float(row["achieved_sparsity"]) == achieved_sparsity(end)
        assert int(row["edges"]) == int(end["0.weight"].sum())
    assert [row["moved"] == "0.0" for row in rows] == [True, False, False]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--training", "false"], "is of a training: leave out --training false"),
        (["--snn", "a.pt"], "trains networks, and --snn has made ones: give one"),
    ],
)
def test_flags_that_do_not_go_together_are_one_line(job, more, message):
    assert job("--measure-every", "2", *more) == (
        2,
        "",
        f"main.py: error: --measure-every {message}\n",
    )
