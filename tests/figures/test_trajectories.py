"""Trajectories of a training: what is read of result files, and what is drawn of it."""

import numpy as np
import pytest

from figures import trajectories
from graph_encoding import ENCODINGS
from runs import results
from runs.columns import CONFIGURATION, LAYER

MADE = {
    "model": "Resnet-20",
    "dataset": "digits",
    "pruning": "erk",
    "sparsity": 0.9,
    "achieved_sparsity": 0.9,
    "seed": 0,
    "as_released": "",
    "encoding": "unrolled",
    "wiring": "exact",
    "training": True,
    "epochs": 4,
    "batch_size": 128,
    "lr": 0.1,
}
MOMENTS = {0: 0.1, 2: 0.5, 4: 0.75}


def rows(**changes):
    """A network at three moments: its strength grows with epoch and seed, its nodes stay."""
    made = dict.fromkeys(CONFIGURATION) | MADE | changes
    return [
        made
        | {"epoch": epoch, "accuracy": accuracy, "moved": epoch / 10, "nodes": 7, "motifs": 2**70}
        | {"strength": (epoch + 1.0) * (made["seed"] + 1), "spectral-gap": None}
        for epoch, accuracy in MOMENTS.items()
    ]


@pytest.fixture
def file(tmp_path):
    """A function that writes rows into a file, and gives it."""
    number = iter(range(100))

    def write(*parts, drop=()):
        there = tmp_path / f"{next(number)}.csv"
        names = [name for name in CONFIGURATION if name not in drop]
        head = LAYER if "layer_id" in parts[0][0] else ()
        names += [*head, "nodes", "motifs", "strength", "spectral-gap"]
        for part in parts:
            results.append(there, names, part)
        return there

    return write


def lines(panel):
    return {line.get_label(): dict(zip(*line.get_data(), strict=True)) for line in panel.lines}


def test_a_line_is_the_mean_over_seeds_in_a_band_of_all(file):
    there = file(rows(), rows(seed=1), rows(seed=2), rows(pruning="snip"), rows(pruning="dense"))
    table = trajectories.read([there])
    assert trajectories.changing(table) == ["moved", "strength"]
    figure = trajectories.plot(table, ["accuracy", "moved", "strength"])
    accuracy, _, strength = figure.axes
    assert lines(accuracy)["erk"] == pytest.approx(MOMENTS)
    assert lines(strength)["erk"] == {0: 2, 2: 6, 4: 10}
    assert lines(strength)["snip"] == {0: 1, 2: 3, 4: 5}
    erk = list(lines(strength)).index("erk")
    band = strength.collections[erk].get_paths()[0].vertices
    for epoch in MOMENTS:
        edges = band[np.isclose(band[:, 0], epoch), 1]
        assert (edges.min(), edges.max()) == (epoch + 1, 3 * (epoch + 1))
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"erk", "snip", "dense"}
    figure.canvas.draw()


def test_a_value_of_bipartite_graphs_is_the_mean_over_layers(file):
    bipartite = next(name for name, kind in ENCODINGS.items() if kind.bipartite)
    layers = [
        row | {"layer_id": i, "layer_name": f"conv{i}", "layer_density": 0.5, "strength": value}
        for row in rows(encoding=bipartite)
        for i, value in enumerate((1.0, None, row["strength"]))
    ]
    table = trajectories.read([file(layers)])
    assert list(table["strength"]) == [1, 2, 3]
    assert list(table["accuracy"]) == pytest.approx(list(MOMENTS.values()))


def test_networks_of_one_moment_are_left_out_and_moments_of_before_are_the_last(file):
    last = rows(seed=1)[-1:]
    earlier = [rows(seed=2)[0], rows(seed=2)[-1] | {"epoch": None}]
    table = trajectories.read([file(rows(), last, earlier)])
    assert sorted(zip(table["seed"], table["epoch"])) == [(0, 0), (0, 2), (0, 4), (2, 0), (2, 4)]


def test_the_program(file, tmp_path, capsys):
    there = file(rows(), rows(sparsity=0.5), rows(pruning="dense", sparsity=0.0))

    def run(*argv):
        status = trajectories.main([str(arg) for arg in argv])
        return status, capsys.readouterr().err

    picture = tmp_path / "a.svg"
    assert run(there, "--sparsity", "0.5", "--output", picture) == (0, "")
    text = picture.read_text()
    assert all(f">{name}</text>" in text for name in ("accuracy", "strength", "dense", "epoch"))
    for argv, message in (
        ([there], "a picture is of one sparsity, and there are 0.5, 0.9: give --sparsity"),
        ([file(rows(), rows(lr=0.2))], "of one lr, and there are 0.1, 0.2: give other files"),
        ([file(rows()[-1:])], "run main.py with --measure-every"),
        ([there, "--sparsity", "0.5", "--metrics", "gap"], "--metrics gap: choose from accuracy, "),
        ([tmp_path / "none.csv"], "none.csv: no such file"),
        ([file(rows(), drop=("lr",))], "has no column lr"),
    ):
        status, err = run(*argv, "--output", tmp_path / "b.png")
        assert status == 2 and err.count("\n") == 1
        assert message in err
    assert not (tmp_path / "b.png").exists()
