"""Pruners that train a network in any case: which flags go with them, and what is planned."""

import pytest

from command_line import flags
from command_line.saved_network import network_of
from pruning import PRUNERS, at_initialisation
from sweep import plan
from system.errors import UserError

TRAINED = [name for name, pruner in PRUNERS.items() if pruner.trains]


def networks(argv):
    return [run.network for run in plan.runs(flags.parse(argv.split()), ["digits"])]


@pytest.mark.parametrize("name", TRAINED)
def test_they_need_no_flag(name):
    (bare,) = networks(f"--pruning {name}")
    (flagged,) = networks(f"--pruning {name} --training true")
    assert bare == flagged and bare.training and bare.epochs == 4 and bare.needs_images


def test_others_beside_them_are_trained_only_if_asked_for():
    assert [n.training for n in networks("--pruning erk rigl")] == [False, True]
    assert [n.training for n in networks("--pruning erk rigl --training")] == [True, True]


def test_all_are_those_at_initialisation():
    assert [n.pruning for n in networks("--pruning all")] == at_initialisation()
    with_one = [n.pruning for n in networks("--pruning dsr all")]
    assert with_one == [*at_initialisation(), "dsr"]
    assert not set(at_initialisation()) & set(TRAINED)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--pruning erk rigl --training false", "rigl needs training: leave out --training false"),
        ("--pruning erk --rounds 2", "--rounds is of --pruning magnitude: add it, or leave it out"),
        ("--pruning set --epochs 0", "argument --epochs: "),
        ("--pruning dsr --input-shape 1 8 8", "dsr needs images"),
        ("--pruning magnitude --rounds 0", "argument --rounds: "),
    ],
)
def test_what_does_not_go_together_is_one_line(argv, message):
    with pytest.raises(UserError, match=message) as refusal:
        flags.parse(argv.split())
    assert "\n" not in str(refusal.value)


def test_rounds_are_part_of_what_a_network_is():
    once, again, two = (
        networks("--pruning magnitude")[0],
        *networks("--pruning magnitude --rounds 1"),
        *networks("--pruning magnitude --rounds 2"),
    )
    assert once == again and once.rounds is None
    assert two.rounds == 2
    assert once.key != two.key and once.stem != two.stem
    assert [n.rounds for n in networks("--pruning magnitude snip --rounds 3")] == [3, None]


@pytest.mark.parametrize("argv", ["--pruning rigl", "--pruning magnitude --rounds 2"])
def test_a_saved_network_is_known_by_its_configuration(argv, tmp_path):
    (network,) = networks(f"{argv} --dataset digits")
    said = {name: value for name, value in vars(network).items() if name != "file"}
    found = network_of(tmp_path / "a.pt", said | {"accuracy": 0.5})
    assert found.key == network.key


def test_checkpoints_of_all_rounds_are_removed(tmp_path):
    from training.places import places

    (network,) = networks("--pruning magnitude --rounds 2")
    (other,) = networks("--pruning magnitude --rounds 2 --sparsity 0.9")
    checkpoint = network.checkpoint(tmp_path)
    checkpoint.parent.mkdir()
    of_other = other.checkpoint(tmp_path)
    for file in (checkpoint, *places(checkpoint, 2), of_other):
        file.touch()
    network.remove_checkpoints(tmp_path)
    assert list(checkpoint.parent.iterdir()) == [of_other]
