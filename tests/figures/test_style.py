"""Colours and markers of pruners, and ticks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import figures
from figures.style import OTHERS, plain_ticks, pruner_styles, save, subplots
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
    figure, panel = subplots(figsize=(6, 4))
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


DRAWN = """
import os, sys
from figures.style import save, subplots
from pathlib import Path
figure, panel = subplots(figsize=(3, 2))
panel.plot([1, 2], label="x")
save(figure, Path(sys.argv[1]))
backend = sys.argv[2]
assert os.environ["MPLBACKEND"] == backend
if backend == "nonsense":
    import matplotlib.pyplot  # as packages of others do
"""


def test_the_environment_names_another_backend(tmp_path):
    """Shells that Jupyter starts name one that is only in Jupyter's own environment."""
    figure, panel = subplots(figsize=(3, 2))  # in this process it names none
    panel.plot([1, 2], label="x")
    save(figure, tmp_path / "none.png")
    for number, backend in enumerate(["module://no_such.backend", "nonsense"]):
        environment = os.environ | {"MPLBACKEND": backend}
        argv = [tmp_path / f"{number}.png", backend]
        done = subprocess.run(
            [sys.executable, "-c", DRAWN, *map(str, argv)],
            cwd=Path(figures.__file__).parents[1],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
    for suffix in ("png", "svg"):
        assert len({file.read_bytes() for file in tmp_path.glob(f"*.{suffix}")}) == 1
