"""Training by main.py: on which images, what it says meanwhile, and what goes wrong."""

import csv
import re
import sys
from pathlib import Path

import pytest
import torch

import main
from command_line import console, flags, progress, steps
from sweep import plan, worker
from training import loop

NETS = """
from torch import nn

def outputs(count):
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(16, count),
    )

def ten():
    return outputs(10)

def five():
    return outputs(5)
"""
SHORT = "--dataset digits --pruning uniform --sparsity 0.5 --encoding rolled-channel --training"
TRAINED = ["--model", "nets:ten", *SHORT.split(), "--batch-size", "256", "--epochs"]
CHECKPOINTS = Path("results/.checkpoints")


class Killed(BaseException):
    pass


pytestmark = pytest.mark.usefixtures("among_nets")


def attempt(*argv, monkeypatch):
    """Run one network as a worker of a sweep does, but in this process."""
    monkeypatch.setattr(worker, "use_threads", lambda count: None)
    options = flags.parse(argv)
    (task,) = plan.runs(options, ["digits"])
    return console.attempt_with(options, main.run_network)(task)


def table(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def test_trained_on_augmented_images_and_measured_on_plain_ones(job, monkeypatch):
    read = []

    def look(model, masks, train_loader, test_loader, **_):
        read.extend(
            (loader.dataset, *map(torch.cat, zip(*loader, strict=True)))
            for loader in (train_loader, test_loader)
        )
        return 0.5

    monkeypatch.setattr(loop, "train", look)
    assert job(*TRAINED, "1")[0] == 0
    assert [len(labels) for _, _, labels in read] == [1437, 360]
    for (dataset, images, labels), plain in zip(read, (False, True), strict=True):
        there, _ = dataset.__getitems__(list(range(len(dataset))))
        there = {image.numpy().tobytes() for image in there}
        same = [image.numpy().tobytes() in there for image in images]
        if plain:
            assert all(same)
            assert torch.equal(labels, dataset.labels)
        else:  # shifted by -2 to 2 pixels both ways: one in 25 is not
            assert 0 < sum(same) < len(same) / 10


LINE = r"      epoch (\d)/3: loss \d\.\d{3}, accuracy \d+\.\d%, test \d+\.\d%, \d\d:\d\d left"


def test_a_plain_line_for_each_epoch(job, few_digits):
    """Standard error is no terminal."""
    few_digits(200)
    status, _, err = job(*TRAINED, "3")
    assert status == 0
    lines = err.splitlines()
    where = next(i for i, line in enumerate(lines) if "train: nets.ten on digits" in line)
    found = [re.fullmatch(LINE, line) for line in lines[where + 1 : where + 4]]
    assert [match[1] for match in found] == ["1", "2", "3"]
    assert found[-1][0].endswith("00:00 left")
    assert lines[where + 4].startswith("[5/7] encode")


def test_no_line_for_an_epoch_in_a_sweep(capsys, monkeypatch, few_digits):
    few_digits(200)
    assert attempt(*TRAINED, "2", monkeypatch=monkeypatch).status == "done"
    assert capsys.readouterr().err == ""
    assert len(table("results/training.csv")) == 2


def test_no_line_for_an_epoch_beside_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.Stages() as stages:
        capsys.readouterr()
        stages.line("epoch")
        assert capsys.readouterr().err == ""


def test_time_left_is_that_of_the_epochs_that_are_left(monkeypatch):
    """Of 10 epochs the first 6 were in a checkpoint; the others take 90 s each."""
    now, lines = [100.0], []
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    show = progress.epoch_lines(lines.append, 10)
    for epoch in (7, 8, 9, 10):
        now[0] += 90
        show({"epoch": epoch, "loss": 0.25, "train_accuracy": 0.5, "test_accuracy": 1.0})
    assert lines[0] == "epoch 7/10: loss 0.250, accuracy 50.0%, test 100.0%, 04:30 left"
    assert [line.split(", ")[-1] for line in lines[1:]] == [
        "03:00 left",
        "01:30 left",
        "00:00 left",
    ]


DIVERGED = r"training diverged in epoch 1 \(loss (nan|inf)\): give a smaller --lr"


def test_training_that_diverges_is_one_line(job):
    status, out, err = job(*TRAINED, "3", "--lr", "1e20")
    assert (status, out) == (2, "")
    assert re.fullmatch(f"main.py: error: {DIVERGED}", err.splitlines()[-1])
    assert not list(CHECKPOINTS.glob("*"))
    assert not Path("results/training.csv").exists()


def test_training_that_diverges_in_a_sweep_is_a_failure(monkeypatch):
    outcome = attempt(*TRAINED, "3", "--lr", "1e20", monkeypatch=monkeypatch)
    assert outcome.status == "failed"
    (row,) = table("results/failures.csv")
    assert (row["stage"], row["error"]) == ("train", "TrainingError")
    assert re.fullmatch(DIVERGED, row["reason"])


def test_too_few_outputs_are_one_line(job):
    status, out, err = job("--model", "nets:five", *SHORT.split())
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == (
        "main.py: error: the network has 5 outputs, too few for the 10 classes of the images: "
        "give it as many, or take another data set"
    )


def test_a_checkpoint_that_a_kill_has_left_is_removed(job, monkeypatch, few_digits):
    """Killed when the rows were written: the run again computes nothing, but cleans up."""
    few_digits(200)
    write = steps.write

    def die(*args):
        write(*args)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(steps, "write", die)
        job(*TRAINED, "1")
    assert len(list(CHECKPOINTS.iterdir())) == 1
    status, out, _ = job(*TRAINED, "1")
    assert status == 0
    assert "already in" in out
    assert not list(CHECKPOINTS.iterdir())


def test_masks_at_the_end_are_what_is_measured(job, few_digits):
    """Half of the 268 weights of a small network: before and after the same number of edges."""
    few_digits(160)
    argv = "--model nets:ten --dataset digits --sparsity 0.5 --encoding rolled --batch-size 32"
    for more in (("rigl",), ("magnitude",), ("magnitude", "--rounds", "2")):
        status, _, err = job(*argv.split(), "--epochs", "4", "--pruning", *more)
        assert status == 0, err
    assert not list(CHECKPOINTS.iterdir())
    rows = table("results/graph_metrics/rolled/rolled-digits-nets.ten.csv")
    edges = {}
    for row in rows:
        key = row["pruning"], row["rounds"]
        edges[key] = edges.get(key, 0) + int(row["edges"])
        assert float(row["achieved_sparsity"]) == 0.5
        assert row["training"] == "True" and 0 <= float(row["accuracy"]) <= 1
    assert edges == dict.fromkeys([("rigl", ""), ("magnitude", ""), ("magnitude", "2")], 134)
    log = table("results/training.csv")
    moved = [row["moved"] for row in log]
    assert all(int(cell) > 0 for cell in moved[:3]) and set(moved[4:]) == {""}
    assert float(log[3]["ever_active"]) > 0.5
    epochs = [int(row["epoch"]) for row in log]
    assert epochs == [*range(1, 5), *range(1, 8), *range(1, 11)]
