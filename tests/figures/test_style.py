"""Colours and markers of pruners, and ticks."""

import pytest
from matplotlib import pyplot as plt

import pruning
from figures.style import OTHERS, PRUNERS, plain_ticks, pruner_styles


def test_every_pruner_has_a_colour_and_a_marker_of_its_own():
    assert set(PRUNERS) == set(pruning.PRUNERS)
    for part in zip(*PRUNERS.values(), *OTHERS, strict=True):
        assert len(set(part)) == len(PRUNERS) + len(OTHERS)


def test_other_labels_take_what_is_left():
    own = [f"own {number}" for number in range(4)]
    found = pruner_styles(["own 0", "synflow", *own[1:], "dense"])
    assert found["synflow"] == PRUNERS["synflow"] and found["dense"] == PRUNERS["dense"]
    left = [name for name in PRUNERS if name not in found]
    assert [found[label] for label in own] == [PRUNERS[name] for name in left[:4]]

    every = pruner_styles([*PRUNERS, *own])
    assert len(set(every.values())) == len(every) == 12
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
