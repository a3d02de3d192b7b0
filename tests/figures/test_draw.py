"""The command that draws saved graphs: pictures, their names, and one line for what is wrong."""

import resource
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from networks import sparsify
from torch import nn

import graph_encoding
from figures import draw
from graph_encoding import Graph
from graph_encoding.axis import Axis
from graph_encoding.block import Block
from graph_encoding.grid import NodeLayer

START = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


def saved(file, pruning="erk", layers=2, encoding="unrolled", wiring="exact", **more):
    stride = 2 if wiring == "published" else 1
    module = nn.Sequential(*(nn.Conv2d(2, 2, 3, stride, 1) for _ in range(layers)))
    sparsify(module, len(pruning), [0.4])
    graphs = graph_encoding.encode(module, encoding, (2, 4, 4), wiring)
    made = {"model": "Net", "dataset": "CIFAR-10", "pruning": pruning, "sparsity": 0.6, "seed": 0}
    graph_encoding.save(file, graphs, made | more)
    return file


@pytest.fixture
def file(tmp_path):
    return saved(tmp_path / "one.graph.zst")


def run(*flags):
    return draw.main(list(map(str, flags)))


def one_line(capsys, *flags):
    assert run(*flags) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("figures.draw: error: ")
    return err


@pytest.mark.parametrize("kind", START)
def test_valid_and_repeatable(file, tmp_path, kind):
    outputs = [tmp_path / f"{name}.{kind}" for name in "ab"]
    for output in outputs:
        assert run(file, "--output", output, "--mark", "sinks", "cut-nodes", "--removed") == 0
    first, second = (output.read_bytes() for output in outputs)
    assert first == second
    assert first.startswith(START[kind])
    if kind == "svg":
        assert ElementTree.fromstring(first).tag.endswith("svg")
    if kind == "pdf":
        assert first.rstrip().endswith(b"%%EOF")


def test_default_output_is_beside_each_file(tmp_path, capsys):
    files = [saved(tmp_path / "one.graph.zst"), saved(tmp_path / "two.zst")]
    assert run(*files) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"written to {tmp_path / name}" for name in ("one.png", "two.png")
    ]
    names = {f.name for f in tmp_path.iterdir()}
    assert names == {"one.graph.zst", "two.zst", "one.png", "two.png"}


def test_one_of_several_graphs(tmp_path, capsys):
    file = saved(tmp_path / "rolled.graph.zst", encoding="rolled")
    assert run(file, "--graph", 1) == 0
    assert (tmp_path / "rolled-1.png").exists()
    capsys.readouterr()
    assert "holds 2 graphs: give --graph a number below 2" in one_line(capsys, file, "--graph", 2)


@pytest.fixture
def compared(monkeypatch):
    """Labels of the sheets drawn."""
    from figures import layers

    found, plain = [], layers.compare

    def noting(summaries):
        found.append(list(summaries))
        return plain(summaries)

    monkeypatch.setattr(layers, "compare", noting)
    return found


def test_compare(tmp_path, compared):
    files = [saved(tmp_path / f"{name}.graph.zst", name) for name in ("snip", "synflow")]
    assert run(*files, "--compare") == 0
    assert (tmp_path / "layers.png").read_bytes().startswith(START["png"])
    assert run(*files, "--compare", "--output", tmp_path / "sheet.svg") == 0
    rolled = [saved(tmp_path / f"r{n}.graph.zst", n, encoding="rolled") for n in ("er", "erk")]
    assert run(*rolled, "--compare") == 0
    assert compared == [["snip", "synflow"]] * 2 + [["er", "erk"]]


def test_labels_tell_files_apart(tmp_path, compared):
    one, other = (saved(tmp_path / f"{s}.graph.zst", seed=s) for s in (0, 1))
    copy = saved(tmp_path / "copy.graph.zst", seed=1)
    assert run(one, other, "--compare") == 0
    assert run(other, copy, "--compare") == 0
    assert compared == [["erk, seed 0", "erk, seed 1"], [other.name, copy.name]]


def test_errors_are_one_line(file, tmp_path, capsys):
    damaged = tmp_path / "damaged.graph.zst"
    damaged.write_bytes(file.read_bytes()[:-20])
    other = saved(tmp_path / "other.graph.zst", layers=3)
    published = saved(tmp_path / "published.graph.zst", wiring="published")
    for flags, says in (
        ([], "required"),
        ([tmp_path / "none.zst"], "No such file"),
        ([tmp_path], "not a file"),
        ([damaged], "damaged.graph.zst"),
        ([Path(__file__)], "test_draw.py"),
        ([file, "--output", tmp_path / "a.jpg"], "does not end in .png or .svg or .pdf"),
        ([file, other, "--output", tmp_path / "a.png"], "one picture"),
        ([file, "--output", damaged / "a.png"], f"error: {damaged}: File exists"),
        ([file, "--mark", "roots"], "choose from"),
        ([file, "--colour", "red"], "choose from"),
        ([file, "--graph", "-1"], "whole number"),
        ([file, "--nonsense"], "--help"),
        ([file, "--compare", "--removed"], "no effect with --compare"),
        ([file, "--compare", "--graph", 0], "no effect with --compare"),
        ([file, other, "--compare"], "other layers"),
        ([published, "--compare"], "published wiring"),
        ([saved(tmp_path / f"{i}.zst", seed=i) for i in range(9)] + ["--compare"], "9 pruners"),
    ):
        assert says in one_line(capsys, *flags), flags
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("flags", [[], ["--compare"]])
def test_the_folder_of_the_output_is_made(file, tmp_path, flags):
    output = tmp_path / "new" / "folder" / "a.png"
    assert run(file, "--output", output, *flags) == 0
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize("flags", [[], ["--compare"]])
def test_a_folder_as_output_is_one_line_before_the_work(file, tmp_path, capsys, monkeypatch, flags):
    monkeypatch.setattr(graph_encoding, "load", None)  # calling it would fail
    output = tmp_path / "a.png"
    output.mkdir()
    assert f"error: {output}: Is a directory\n" in one_line(
        capsys, file, "--output", output, *flags
    )
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("ending", ["PNG", "Svg", "PDF"])
def test_endings_in_any_case_of_letters(file, tmp_path, ending):
    assert draw.parse([str(file), "--output", f"a.{ending}"]).output == Path(f"a.{ending}")
    output = tmp_path / f"a.{ending}"
    assert run(file, "--output", output) == 0
    assert output.read_bytes().startswith(START[ending.lower()])


def test_interrupt_is_said(file, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(draw, "draw", interrupt)
    assert run(file) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_as_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "figures.draw", str(tmp_path / "none.zst")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("figures.draw: error: ") and done.stderr.count("\n") == 1


def test_a_graph_that_no_memory_holds_is_refused_before_any_is_asked_for(tmp_path, capsys):
    """One edge among 2^31 - 2 nodes is a small file."""
    layers = [NodeLayer(name, place * (2**30 - 1), 2**30 - 1) for place, name in enumerate("ab")]
    one, taps = np.zeros(1, np.int32), np.zeros(1, np.int16)
    ones, axis = np.ones(1, np.float32), Axis(1, 1)
    block = Block("b", *layers, one, one, taps, taps, ones, axis, axis, 1, 1)
    file = tmp_path / "large.graph.zst"
    graph_encoding.save(file, [Graph(layers, [block], "unrolled")])
    assert file.stat().st_size < 1000
    many = [NodeLayer(str(place), place, 1) for place in range(5000)]
    graph_encoding.save(tmp_path / "many.zst", [Graph(many, [], "unrolled")])
    assert "has 5,000 node layers" in one_line(capsys, tmp_path / "many.zst")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for flags in ((file, "--mark", "cut-nodes"), (file, "--mark", "sinks"), (file, "--compare")):
        line = one_line(capsys, *flags)
        assert "2,147,483,646 nodes take about" in line
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
