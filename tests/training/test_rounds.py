"""Training, pruning by magnitude and training again from early weights."""

import copy
from functools import partial

import numpy as np
import pytest
import torch

import pruning
from datasets import batches
from tests.training.test_checkpoints import Interrupted, Killed, images, network
from training.loop import train
from training.places import early, places
from training.rounds import train_in_rounds

EPOCHS, STEPS, MILESTONES, SPARSITY = 4, 3, [1, 3], 0.75
SETTINGS = {"lr": 0.1, "weight_decay": 1e-2, "progress": False}


pytestmark = pytest.mark.usefixtures("one_thread")


def whole(model):
    return pruning.prune("dense", model, 0.0)


def largest(model, keep):
    """Masks of so many weights of largest modulus, by NumPy."""
    names = list(whole(model))
    flat = np.concatenate([abs(model.get_parameter(n).detach().numpy()).ravel() for n in names])
    kept = np.zeros(len(flat), bool)
    kept[np.argsort(-flat, kind="stable")[:keep]] = True
    masks, start = {}, 0
    for name in names:
        shape = model.get_parameter(name).shape
        masks[name] = torch.from_numpy(kept[start : start + shape.numel()].reshape(shape))
        start += shape.numel()
    return masks


def loaders(at=None):
    return Interrupted(batches(images(), 8), at), batches(images(), 24, shuffle=False)


def trained(folder, rounds, at=None):
    model, watched = network(), []
    loader, test = loaders(at)
    masks, accuracy = train_in_rounds(
        partial(train, train_loader=loader, test_loader=test, **SETTINGS),
        model,
        whole(model),
        partial(pruning.prune, "magnitude", model),
        sparsity=SPARSITY,
        rounds=rounds,
        epochs=EPOCHS,
        milestones=MILESTONES,
        checkpoint=folder / "a.pt",
        data="",
        watch=watched.append,
    )
    return copy.deepcopy(model.state_dict()), masks, accuracy, watched


def equal(one, other):
    same = [torch.equal(one[k][key], other[k][key]) for k in (0, 1) for key in one[k]]
    return all(same) and one[2] == other[2]


@pytest.mark.parametrize(("rounds", "sparsities"), [(1, [0.75]), (2, [0.5, 0.75])])
def test_rounds_are_trainings_one_after_the_other(tmp_path, rounds, sparsities):
    """Each from the weights after epoch 1, at the rate that the schedule has there: 0.1, tenths."""
    model, kept = network(), []
    total = sum(mask.numel() for mask in whole(model).values())

    def keep(epoch):
        if epoch["epoch"] == 1:
            kept.append(copy.deepcopy(model.state_dict()))

    loader, test = loaders()
    how = {"train_loader": loader, "test_loader": test, **SETTINGS}
    masks = whole(model)
    train(model, masks, epochs=EPOCHS, milestones=MILESTONES, watch=keep, **how)
    for sparsity in sparsities:
        masks = largest(model, round((1 - sparsity) * total))
        model.load_state_dict(kept[0])
        accuracy = train(
            model, masks, epochs=3, milestones=[2], **(how | {"lr": SETTINGS["lr"] / 10})
        )
    found = trained(tmp_path, rounds)
    assert equal(found, (model.state_dict(), masks, accuracy))
    assert [row["epoch"] for row in found[3]] == list(range(1, EPOCHS + 3 * rounds + 1))
    assert pruning.achieved_sparsity(found[1]) == pytest.approx(SPARSITY, abs=1 / total)
    for name, mask in found[1].items():
        assert not found[0][name][~mask].any()


def test_files_are_where_they_are_said_to_be(tmp_path):
    trained(tmp_path, 3)
    assert {*tmp_path.iterdir()} == {*places(tmp_path / "a.pt", 3)}


def test_stopped_at_any_step_and_gone_on(tmp_path):
    undisturbed = trained(tmp_path / "whole", 2)
    for at in range(0, STEPS * (EPOCHS + 2 * 3), 2):
        folder = tmp_path / str(at)
        with pytest.raises(Killed):
            trained(folder, 2, at)
        again = trained(folder, 2)
        assert equal(again, undisturbed)
        assert again[3] == undisturbed[3][at // STEPS :]


@pytest.mark.parametrize("lost", range(4))
def test_what_is_lost_or_damaged_is_computed_again(tmp_path, capsys, lost):
    undisturbed = trained(tmp_path, 2)
    places(tmp_path / "a.pt", 2)[lost].write_bytes(b"damaged")
    assert equal(trained(tmp_path, 2), undisturbed)
    assert "damaged" in capsys.readouterr().err


def test_early_weights_are_those_of_3_percent():
    assert {epochs: early(epochs) for epochs in (1, 2, 4, 100, 160)} == {
        1: 0,
        2: 1,
        4: 1,
        100: 3,
        160: 5,
    }
