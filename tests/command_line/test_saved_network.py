"""Networks of --snn: what a file says of one is checked or computed, and no part of a path."""

import csv
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

import main
import models
from command_line.saved_network import moment_of, network_of
from models import saved

MADE = {
    "model": "Resnet-20",
    "dataset": "CIFAR-10",
    "pruning": "uniform",
    "sparsity": 0.5,
    "seed": 3,
    "training": False,
    "epochs": None,
    "batch_size": None,
    "lr": None,
    "source": None,
    "achieved_sparsity": 0.5,
    "accuracy": None,
}
TRAINED = MADE | {"training": True, "epochs": 4, "batch_size": 32, "lr": 0.1, "accuracy": 0.5}
OUT = "../" * 3 + "victim"
FLAGS = ("--encoding", "rolled", "--graph-metrics", "ramanujan")


@pytest.fixture(scope="module")
def network():
    """A network, and masks that keep every other weight."""
    model = models.build("Resnet-20", 10)
    masks = {}
    with torch.no_grad():
        for name, layer in models.prunable(model).items():
            mask = torch.arange(layer.weight.numel()).reshape(layer.weight.shape) % 2 == 0
            masks[f"{name}.weight"] = mask
            layer.weight.mul_(mask)
    return model, masks


@pytest.fixture
def measure(network, tmp_path, monkeypatch, capsys):
    """Save the network with a configuration and measure the file; status and standard error."""
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)

    def run(configuration, *more, masks=None):
        # As `save` would write it, did it not check what it writes.
        monkeypatch.setattr("models.saved.files.require_content", lambda _: None)
        saved.save("net.pt", network[0], masks or network[1], configuration)
        monkeypatch.undo()
        monkeypatch.chdir(folder)
        capsys.readouterr()
        status = main.main(["--snn", "net.pt", *FLAGS, *more])
        return status, capsys.readouterr().err

    return run


def forged():
    """Configurations that no command line gives."""
    for name in ("model", "dataset", "pruning", "sparsity", "seed", "training"):
        yield {key: value for key, value in MADE.items() if key != name}
        for value in (OUT, "all", "a\0b\n\ud800", None, -1):
            yield MADE | {name: value}
    yield MADE | {"seed": f"x/{OUT}"}
    yield from (MADE | {"seed": seed} for seed in (True, 3.0, "3", 2**32))
    yield from (MADE | {"sparsity": value} for value in (1.0, 1, True, "0.5", -0.1))
    yield from (MADE | {"training": value} for value in ("False", "yes", 2))
    yield MADE | {"pruning": "dense"}  # of which nothing is removed: sparsity 0
    yield MADE | {"epochs": 4}
    yield MADE | {"accuracy": 0.5}
    for name, value in (("epochs", OUT), ("epochs", 0), ("batch_size", None), ("lr", -1.0)):
        yield TRAINED | {name: value}
    for value in (None, "0.5", True, 1.5, -0.1):
        yield TRAINED | {"accuracy": value}
    yield {key: value for key, value in TRAINED.items() if key != "accuracy"}
    yield MADE | {"moved": 0.5}
    yield from (TRAINED | {"moved": value} for value in (OUT, True, 1.5, -0.1))


def test_what_no_command_line_gives_is_refused():
    for configuration in forged():
        with pytest.raises(saved.SavedNetworkError, match=r"^net\.pt: .*; ") as caught:
            network_of("net.pt", configuration)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 500


def test_a_forged_file_writes_nothing(measure, tmp_path):
    cases = [each for each in forged() if any(OUT in str(value) for value in each.values())]
    assert len(cases) >= 7
    # The classes of a data set that are not those of the network.
    for number, configuration in enumerate([*cases, MADE | {"dataset": "CIFAR-100"}]):
        status, err = measure(configuration, "--save-snn", "out", "--save-graph", "graphs")
        line = err.splitlines()[-1]
        assert (status, len(err.splitlines())) == (2, 1), (configuration, err)
        assert line.startswith("main.py: error: net.pt: "), configuration
        assert line.isprintable() and len(line) < 500
        found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
        assert found == {"a/b/c/net.pt"}, (number, configuration)


def rows(folder):
    (file,) = Path(folder, "ramanujan_results").rglob("*.csv")
    with open(file) as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("made", [MADE, TRAINED])
def test_sparsity_is_that_of_the_masks_and_names_are_those_of_the_row(measure, network, made):
    status, err = measure(made | {"achieved_sparsity": 0.123}, "--save-snn", "out")
    assert status == 0, err
    found = rows("results")
    masks = [mask.numpy() for mask in network[1].values()]
    removed = 1 - sum(map(np.sum, masks)) / sum(mask.size for mask in masks)
    assert {float(row["achieved_sparsity"]) for row in found} == {removed}
    assert {row["accuracy"] for row in found} == {"0.5" if made["training"] else ""}
    (name,) = os.listdir("out")
    tail = "-trained-4-32-0.1" if made["training"] else ""
    assert name == f"Resnet-20-CIFAR-10-uniform-0.5-3{tail}.pt"


def test_a_network_saved_in_the_midst_of_its_training_is_measured_as_of_then(measure):
    """Beside the one at its end, whose file, row and saved copy are others."""
    for made in (TRAINED | {"epoch": 2, "accuracy": 0.25, "moved": 0.125}, TRAINED):
        status, err = measure(made, "--save-snn", "out", "--save-graph", "graphs")
        assert status == 0, err
    found = {(row["epoch"], row["accuracy"], row["moved"]) for row in rows("results")}
    assert found == {("2", "0.25", "0.125"), ("4", "0.5", "")}
    end = "Resnet-20-CIFAR-10-uniform-0.5-3-trained-4-32-0.1"
    assert sorted(os.listdir("out")) == [f"{end}-epoch-2.pt", f"{end}.pt"]
    assert len(os.listdir("graphs")) == 2
    copied = {saved.load(f"out/{name}").configuration["epoch"] for name in os.listdir("out")}
    assert copied == {2, 4}


@pytest.mark.parametrize("epoch", [OUT, "2", 5, -1, 2.0, True, None])
def test_an_epoch_that_is_none_of_the_training_is_refused(epoch):
    with pytest.raises(saved.SavedNetworkError, match=r"^net\.pt: its epoch is .*; save") as caught:
        moment_of("net.pt", TRAINED | {"epoch": epoch})
    assert str(caught.value).isprintable()
    with pytest.raises(saved.SavedNetworkError):
        moment_of("net.pt", MADE | {"epoch": 0})


def test_a_file_of_an_earlier_version_has_no_columns_of_later_ones(measure):
    assert measure({name: MADE[name] for name in [*MADE][:6]})[0] == 0
    assert {row["seed"] for row in rows("results")} == {"3"}


@pytest.mark.usefixtures("warm_workers")
def test_a_file_that_is_replaced_meanwhile_is_not_measured(measure, network, monkeypatch):
    load, found = saved.load, []

    def replaced(file):
        found.append(load(file))
        saved.save("net.pt", *network, MADE | {"seed": 4})
        return found[-1]

    assert measure(MADE, "--dry-run")[0] == 0
    monkeypatch.setattr(saved, "load", replaced, raising=False)
    assert main.main(["--snn", "net.pt", *FLAGS]) == 2
    assert len(found) == 2
    assert not list(Path("results/ramanujan_results").rglob("*.csv"))


def test_a_file_that_does_not_fit_is_one_line_that_names_it(network, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # as a disk that is full
    try:
        with pytest.raises(OSError, match=r"File too large: '.*net\.pt'"):
            saved.save(tmp_path / "net.pt", *network, MADE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []
