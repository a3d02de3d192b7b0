"""A training that is killed and goes on gives the weights of one that never stopped."""

import contextlib
import copy
import io
import itertools
import os
import random
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import models
from datasets import batches
from datasets.images import ImageDataset
from models.initialisation import initialise
from training import checkpoints
from training.loop import TrainingError, train

EPOCHS, STEPS = 4, 3


class Killed(Exception):
    pass


class Interrupted:
    """A loader that raises before a step; it counts the steps of all its epochs."""

    def __init__(self, loader, at):
        self.loader, self.at, self.steps = loader, at, 0

    def __len__(self):
        return len(self.loader)

    def set_epoch(self, epoch):
        self.loader.set_epoch(epoch)

    def __iter__(self):
        for batch in self.loader:
            if self.steps == self.at:
                raise Killed
            self.steps += 1
            yield batch


def network(seed=0):
    """One with all that has a state of its own: batch norm, and dropout for the random state."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(4 * 3 * 3, 5),
    )
    initialise(model, seed)
    return model


def masks_of(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{key}.weight": torch.rand(module.weight.shape, generator=generator) < 0.5
        for key, module in models.prunable(model).items()
    }


def images(count=24):
    generator = torch.Generator().manual_seed(7)
    pixels = torch.rand(count, 3, 8, 8, generator=generator)
    labels = torch.randint(5, (count,), generator=generator)
    return ImageDataset(pixels, labels, (0.5,) * 3, (0.5,) * 3)


def trained(checkpoint=None, *, at=None, network_seed=0, mask_seed=0, data_seed=0, **changes):
    """State after training, the accuracy, and the epochs that were watched."""
    model, watched = network(network_seed), []
    settings = {
        "epochs": EPOCHS,
        "lr": 0.1,
        "milestones": [2],
        "weight_decay": 1e-2,
        "data": str(data_seed),
        "checkpoint": checkpoint,
        "watch": watched.append,
        "progress": False,
    }
    accuracy = train(
        model,
        masks_of(model, mask_seed),
        Interrupted(batches(images(), 8, seed=data_seed), at),
        batches(images(), 24, shuffle=False),
        **(settings | changes),
    )
    return copy.deepcopy(model.state_dict()), accuracy, watched


def equal(one, other):
    return all(torch.equal(one[0][key], other[0][key]) for key in one[0]) and one[1] == other[1]


@pytest.mark.parametrize("mixed", [False, True])
def test_stopped_at_any_step_and_gone_on(tmp_path, mixed):
    """Mixed precision on the CPU, for want of CUDA: the scaler has a state of its own."""
    whole = trained(mixed=mixed)
    assert [row["epoch"] for row in whole[2]] == [1, 2, 3, 4]
    for at in range(EPOCHS * STEPS):
        file = tmp_path / f"{at}.pt"
        with pytest.raises(Killed):
            trained(file, at=at, mixed=mixed)
        again = trained(file, mixed=mixed)
        assert equal(again, whole)
        assert again[2] == whole[2][at // STEPS :]  # what was done is not done again


@settings(max_examples=8)
@given(st.lists(st.integers(0, EPOCHS * STEPS - 1), max_size=4))
def test_stopped_again_and_again(tmp_path_factory, stops):
    file = tmp_path_factory.mktemp("checkpoints") / "a.pt"
    for at in stops:
        with contextlib.suppress(Killed):
            trained(file, at=at)
    assert equal(trained(file), trained())


def test_stopped_to_be_looked_at_and_gone_on(tmp_path):
    """In any parts; where it stops it is what a training was that has been killed there."""
    whole, file = trained(), tmp_path / "a.pt"
    watched, parts = [], []
    for until in (0, 1, 1, 3, None):
        part = trained(file, until=until)
        parts.append(part)
        watched += part[2]
    with pytest.raises(Killed):
        trained(tmp_path / "killed.pt", at=STEPS)
    killed = (tmp_path / "killed.pt").read_bytes()[checkpoints.DIGEST_BYTES :]
    state = torch.load(io.BytesIO(killed), weights_only=True)
    assert all(equal(part, (state["model"], state["accuracy"])) for part in parts[1:3])
    assert equal(part, whole)
    assert watched == whole[2]
    assert not equal(trained(file, until=1), whole)  # a checkpoint that is past it is not used
    for until in (-1, EPOCHS + 1):
        with pytest.raises(ValueError, match="until must be from 0 to 4"):
            trained(until=until)


def test_a_finished_training_is_only_read(tmp_path):
    whole = trained(tmp_path / "a.pt")
    again = trained(tmp_path / "a.pt", at=0)
    assert equal(again, whole)
    assert again[2] == []


@pytest.mark.parametrize(
    "other",
    [
        {"network_seed": 1},
        {"mask_seed": 1},
        {"data_seed": 1},
        {"seed": 1},
        {"epochs": EPOCHS - 1},
        {"lr": 0.05},
        {"milestones": [1]},
        {"weight_decay": 0.0},
        {"momentum": 0.5},
        {"mixed": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_checkpoint_of_another_training_is_not_used(tmp_path, other):
    file = tmp_path / "a.pt"
    trained(file)
    assert equal(trained(file, **other), trained(**other))
    assert not equal(trained(**other), trained())


def damaged(good, draw):
    """A copy with a bit, a byte or a span changed, something lost, put in or put behind."""
    at = draw.randrange(len(good))
    end = min(len(good), at + draw.randint(1, 500))
    noise = draw.randbytes(end - at)
    return draw.choice(
        [
            good[:at] + bytes([good[at] ^ 1 << draw.randrange(8)]) + good[at + 1 :],
            good[:at] + bytes([(good[at] + draw.randint(1, 255)) % 256]) + good[at + 1 :],
            good[:at] + noise + good[end:],
            good[:at] + good[end:],
            good[:at],
            good[:at] + noise + good[at:],
            good + noise,
        ]
    )


def test_a_damaged_checkpoint_is_told_of_and_not_used(tmp_path, capsys):
    file, draw = tmp_path / "a.pt", random.Random(0)
    state = {"settings": [1, 0.1], "model": network().state_dict(), "epoch": 2}
    purpose, names = {"settings": [1, 0.1]}, ["model", "epoch"]
    checkpoints.save(file, state)
    assert checkpoints.load(file, purpose, names)["epoch"] == 2
    assert capsys.readouterr().err == ""
    good = file.read_bytes()
    for bad in [b"", b"PK", *(damaged(good, draw) for _ in range(200))]:
        assert bad != good
        file.write_bytes(bad)
        assert checkpoints.load(file, purpose, names) is None
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"main.py: warning: {file}: damaged; ")
    torch.save(state, file)  # as it was written before there was a digest
    assert checkpoints.load(file, purpose, names) is None
    file.unlink()
    file.mkdir()
    assert checkpoints.load(file, purpose, names) is None


def test_training_starts_anew_beside_a_damaged_checkpoint(tmp_path, capsys):
    whole, draw = trained(), random.Random(1)
    for number in range(5):
        file = tmp_path / f"{number}.pt"
        with pytest.raises(Killed):
            trained(file, at=STEPS)
        file.write_bytes(damaged(file.read_bytes(), draw))
        again = trained(file)
        assert equal(again, whole)
        assert again[2] == whole[2]
        assert capsys.readouterr().err.endswith(
            "damaged; it is ignored, and training starts anew\n"
        )


@pytest.mark.parametrize(
    "state",
    [
        {"settings": 1, "model": 2, "epoch": 3, "more": 4},
        {"settings": 1, "model": 2},
        {"model": 2, "epoch": 3},
        {"settings": 0, "model": 2, "epoch": 3},
    ],
)
def test_a_checkpoint_with_other_entries_is_not_used(tmp_path, capsys, state):
    checkpoints.save(tmp_path / "a.pt", state)
    assert checkpoints.load(tmp_path / "a.pt", {"settings": 1}, ["model", "epoch"]) is None
    assert capsys.readouterr().err == ""  # it is whole, but of another training


@pytest.mark.parametrize(
    "changes",
    [{"optimizer": {}}, {"model": {"a": 1}}, {"scheduler": [1]}, {"epoch": -1}, {"epoch": "2"}],
)
def test_a_checkpoint_that_a_training_cannot_have_written_is_one_line(tmp_path, changes):
    """Its checksum is right, and what it is of."""
    file = tmp_path / "a.pt"
    with pytest.raises(Killed):
        trained(file, at=7)
    state = torch.load(io.BytesIO(file.read_bytes()[checkpoints.DIGEST_BYTES :]), weights_only=True)
    checkpoints.save(file, state | changes)
    with pytest.raises(TrainingError, match=r"a\.pt: .* of this training.*: remove it$"):
        trained(file)


def test_a_checkpoint_that_is_no_file_is_told_of_and_not_waited_for(tmp_path, capsys):
    os.mkfifo(tmp_path / "a.pt")
    assert checkpoints.load(tmp_path / "a.pt", {}, ()) is None
    assert "damaged; it is ignored" in capsys.readouterr().err


def test_a_checkpoint_runs_no_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return Path(tmp_path / "ran").touch, ()

    checkpoints.save(tmp_path / "a.pt", {"settings": Evil()})
    assert checkpoints.load(tmp_path / "a.pt", {}, ["settings"]) is None
    assert not (tmp_path / "ran").exists()


KILLED = """
import os, signal, sys, types
import torch
from torch import nn
import datasets.digits
import models

class Small(nn.Sequential):
    def __init__(self, num_classes, in_channels, image_size):
        super().__init__(
            nn.Conv2d(3, 4, 4, stride=4, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(72, 10),
        )
sys.modules["small"] = types.SimpleNamespace(Small=Small)
models.MODELS["Small"] = models.Model("small:Small")

whole = datasets.digits.load_digits
def part(root=None, **kwargs):  # an epoch of five steps
    found = whole(root, **kwargs)
    found.images, found.labels = found.images[:160], found.labels[:160]
    return found
datasets.digits.load_digits = part

epoch, step = map(int, sys.argv[1:3])
take, calls = torch.optim.SGD.step, 0
def count(*args, **kwargs):
    global calls
    calls += 1
    if calls == 5 * epoch + step:
        os.kill(os.getpid(), signal.SIGKILL)
    return take(*args, **kwargs)
if epoch >= 0:
    torch.optim.SGD.step = count

import main
sys.exit(main.main(sys.argv[3:]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("pruner", ["erk", "dsr"])
def test_main_killed_in_the_middle_of_training_goes_on(tmp_path, warm_python, pruner):
    """kill -9 in the second and in the third epoch: rows, saved weights and log are the same."""

    def run(name, epoch=-1, step=0):
        folder = tmp_path / name
        argv = (
            f"--model Small --dataset digits --pruning {pruner} --sparsity 0.9 --training "
            "--epochs 3 --threads 1 --encoding rolled "
            f"--output-dir {folder} --save-snn {folder / 'snn'}"
        ).split()
        return warm_python.run("-c", KILLED, epoch, step, *argv, cwd=ROOT).returncode

    assert run("whole") == 0
    assert run("killed", 1, 2) == -signal.SIGKILL
    assert list((tmp_path / "killed/.checkpoints").iterdir())
    assert not list((tmp_path / "killed").rglob("rolled-*.csv"))
    assert run("killed", 1, 4) == -signal.SIGKILL  # in the third epoch: it began with the second
    assert run("killed") == 0

    for file in ("graph_metrics/rolled/rolled-digits-Small.csv", "training.csv"):
        assert (tmp_path / "killed" / file).read_text() == (tmp_path / "whole" / file).read_text()
    (name,) = os.listdir(tmp_path / "whole/snn")
    assert "trained-3-32-0.1" in name
    one, other = (torch.load(tmp_path / n / "snn" / name, weights_only=True) for n in NAMES)
    weights = list(zip(leaves(one), leaves(other), strict=True))
    assert len(weights) > 10
    assert all(torch.equal(a, b) for a, b in weights)
    assert not list((tmp_path / "killed/.checkpoints").iterdir())


ROOT = Path(__file__).parents[2]
NAMES = ("whole", "killed")


def leaves(tree):
    """All tensors of nested dictionaries and lists."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return list(itertools.chain.from_iterable(map(leaves, tree)))
    return []
