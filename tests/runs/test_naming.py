"""What a run is called: every text of one network, written out by hand."""

from pathlib import Path

import pytest

from runs import naming
from runs.run import Measurement, Network, configuration

MADE = vars(Network("Resnet-20", "digits", "erk", 0.98, 3))
TRAINED = vars(Network("Resnet-20", "digits", "erk", 0.98, 3, True, 4, 32, 0.1))
RELEASED = TRAINED | {"as_released": "pruner+images"}
ROUNDS = TRAINED | {"pruning": "magnitude", "rounds": 5}
ROW = TRAINED | {"achieved_sparsity": 0.98, "accuracy": 0.5, "wiring": "identity"}
HEAD = "Resnet-20 for digits, erk, sparsity 0.98 (achieved 0.980000), seed 3, trained, "


@pytest.mark.parametrize(
    "say, made, expected",
    [
        (naming.key, MADE, "Resnet-20,digits,erk,0.98,3,,,False,,,"),
        (naming.key, TRAINED, "Resnet-20,digits,erk,0.98,3,,,True,4,32,0.1"),
        (naming.stem, MADE, "Resnet-20-digits-erk-0.98-3"),
        (naming.stem, TRAINED, "Resnet-20-digits-erk-0.98-3-trained-4-32-0.1"),
        (naming.key, RELEASED, "Resnet-20,digits,erk,0.98,3,pruner+images,,True,4,32,0.1"),
        (
            naming.stem,
            RELEASED,
            "Resnet-20-digits-erk-0.98-3-released-pruner+images-trained-4-32-0.1",
        ),
        (naming.key, ROUNDS, "Resnet-20,digits,magnitude,0.98,3,,5,True,4,32,0.1"),
        (naming.stem, ROUNDS, "Resnet-20-digits-magnitude-0.98-3-rounds-5-trained-4-32-0.1"),
        (naming.line, ROUNDS, "Resnet-20 digits magnitude 0.98 seed 3, 5 rounds, trained"),
        (naming.line, RELEASED, "Resnet-20 digits erk 0.98 seed 3, as released, trained"),
        (naming.line, MADE, "Resnet-20 digits erk 0.98 seed 3"),
        (naming.line, TRAINED, "Resnet-20 digits erk 0.98 seed 3, trained"),
        (naming.network_of, MADE | {"dataset": "none"}, "Resnet-20"),
        (naming.page_title, MADE, "Resnet-20 for digits: erk, sparsity 0.98, seed 3"),
        (naming.title, MADE | {"dataset": "none"}, "Resnet-20, erk, sparsity 0.98"),
        (
            naming.heading,
            ROW | {"encoding": "unrolled"},
            f"{HEAD}test accuracy 0.5000\nunrolled graph, identity wiring",
        ),
        (
            naming.heading,
            ROW | {"encoding": "rolled-channel"},
            f"{HEAD}test accuracy 0.5000\nrolled-channel graphs",
        ),
        (
            naming.heading,
            ROW | {"encoding": "unrolled", "wiring": "identity+effective"},
            f"{HEAD}test accuracy 0.5000\nunrolled graph, identity wiring, effective weights only",
        ),
        (
            naming.heading,
            ROW | {"encoding": "unrolled", "wiring": "exact+tokens"},
            f"{HEAD}test accuracy 0.5000\nunrolled graph, exact wiring, attention followed",
        ),
        (
            naming.heading,
            ROW | {"encoding": "rolled", "wiring": "exact+effective"},
            f"{HEAD}test accuracy 0.5000\nrolled graphs, effective weights only",
        ),
    ],
)
def test_texts(say, made, expected):
    assert say(made) == expected


def test_labels_say_what_differs():
    other = MADE | {"seed": 4, "pruning": "snip"}
    assert naming.labels([MADE, other]) == ["erk, seed 3", "snip, seed 4"]
    assert naming.labels([MADE, {}]) == ["erk", ""]
    before = {name: value for name, value in MADE.items() if name != "as_released"}
    released = MADE | {"as_released": "pruner"}
    assert naming.labels([before, released, MADE]) == ["erk", "erk, as released pruner", "erk"]


def test_a_moment_of_a_training_is_told_by_its_epoch():
    """Of rows and files from before, it is the last one; of untrained networks there is none."""
    last, second = TRAINED | {"epoch": 4}, TRAINED | {"epoch": 2}
    assert naming.labels([TRAINED, second, last]) == [
        "erk, epoch 4",
        "erk, epoch 2",
        "erk, epoch 4",
    ]
    assert naming.labels([MADE, TRAINED]) == ["erk, training False", "erk, training True"]
    assert naming.labels([last, TRAINED]) == ["erk", "erk"]
    row = ROW | {"encoding": "rolled"}
    assert "seed 3, epoch 0 of 4, test accuracy 0.5000" in naming.heading(row | {"epoch": 0})
    assert naming.heading(row | {"epoch": 4}) == naming.heading(row)
    network = Network("Resnet-20", "digits", "erk", 0.98, 3, True, 4, 32, 0.1)
    measured = [Measurement("rolled", "exact", "ramanujan", epoch) for epoch in (0, 2, None)]
    assert [configuration(network, each)["epoch"] for each in measured] == [0, 2, 4]
    for places in (
        [each.graphs_in(Path("g"), network) for each in measured],
        [network.saved_in(Path("g"), each.epoch) for each in measured],
    ):
        assert len(set(places)) == 3
        assert "epoch" not in places[-1].name


def test_rounds_are_told_where_they_differ():
    once = ROUNDS | {"rounds": None}
    before = {name: value for name, value in once.items() if name != "rounds"}
    assert naming.labels([before, ROUNDS, once]) == [
        "magnitude",
        "magnitude, rounds 5",
        "magnitude",
    ]
    row = ROW | ROUNDS | {"encoding": "rolled"}
    assert "seed 3, 5 rounds, trained" in naming.heading(row)
    assert "seed 3, trained" in naming.heading(row | {"rounds": None})


def test_the_heading_of_a_row_says_that_it_is_as_released():
    row = ROW | {"encoding": "rolled", "as_released": "pruner"}
    assert "seed 3, as released (pruner), trained, " in naming.heading(row)
    before = {name: value for name, value in row.items() if name != "as_released"}
    assert "released" not in naming.heading(before)
