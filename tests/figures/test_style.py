"""Colours and markers of pruners, and ticks."""

import pytest
from matplotlib import pyplot as plt

from figures.style import OTHERS, plain_ticks, pruner_styles
from pruning import PRUNERS

OWN = pruner_styles(name for name, pruner in PRUNERS.items() if pruner.colour)


def test_every_pruner_has_a_colour_and_a_marker_of_its_own():
    for part in zip(*pruner_styles(PRUNERS).values(), strict=True):
        assert len(set(part)) == len(PRUNERS)


def test_other_labels_take_what_is_left():
    own = [f"own {number}" for number in range(4)]
    found = pruner_styles(["own 0", "synflow", *own[1:], "dense"])
    assert found["synflow"] == OWN["synflow"] and found["dense"] == OWN["dense"]
    left = [name for name in OWN if name not in found]
    assert [found[label] for label in own] == [OWN[name] for name in left[:4]]

    free = [f"own {number}" for number in range(len(OTHERS))]
    every = pruner_styles([*OWN, *free])
    assert len(set(every.values())) == len(every)
    assert len(pruner_styles([f"own {number}" for number in range(20)])) == 20


@pytest.mark.parametrize("ends", [(1.6, 70), (97, 6500), (3.1, 3.9)])
def test_plain_ticks(ends):
    figure, panel = plt.subplots()
    panel.set_yscale("log")
    panel.set_ylim(*ends)
    plain_ticks(panel.yaxis)
    figure.canvas.draw()
    shown = [
        label.get_text()
        for tick, label in zip(panel.get_yticks(), panel.get_yticklabels(), strict=True)
        if ends[0] <= tick <= ends[1]
    ]
    assert len(shown) >= 2
    assert all(ends[0] <= float(text.replace(",", "")) <= ends[1] for text in shown)
    assert not any(label.get_text() for label in panel.get_yticklabels(minor=True))
    plt.close(figure)
