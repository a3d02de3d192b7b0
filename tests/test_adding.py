"""What an addition costs: one file and one line in a registry; everything else follows."""

import csv
import difflib
import filecmp
import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import warm
from torch import nn

import metrics
from graph_encoding import encode
from tests.graph_data import study_folders as folders

ROOT = Path(__file__).resolve().parent.parent
APART = (".*", "deps", "results", "digits", "graphs", "*.png", "*.svg")
"""Neither the program nor its tests of registries need these."""

TESTS = (
    *("tests/metrics/test_registry.py", "tests/metrics/test_topometrics.py", "tests/ramanujan"),
    *(
        "tests/pruning/test_prune.py",
        "tests/datasets/test_data_sets.py",
        "tests/figures/test_style.py",
    ),
    *("tests/models/test_architectures.py", "tests/models/test_initialisation.py"),
    *("tests/graph_encoding/test_unrolled.py", "tests/graph_encoding/test_additions.py"),
    *("tests/sweep/test_plan.py", "tests/test_imports.py"),
)
ABOUT = "registry or papers or golden or of_its_own or additions or test_all or test_imports"
"""Tests that speak of registries, and what of them speaks of what is added, beside its names."""

NAMES = {
    "pruners": ["halves"],
    "models": ["Tiny"],
    "datasets": ["squares"],
    "encodings": ["signs", "counted"],
    "metrics": ["blocks"],
}


class Addition(NamedTuple):
    """A file and a line: what is added, and the registry that lists it."""

    file: str
    text: str
    registry: str
    name: str
    line: str


PRUNER = '''
"""Keeps the weights of the inputs that stand first in their layers."""

from pruning.masks import keep_highest, kept_count
from pruning.weights import prunable_weights


def prune(model, sparsity, settings):
    weights = prunable_weights(model)
    places = {
        name: -weight.new_ones(weight.shape).flatten(1).cumsum(1).reshape(weight.shape)
        for name, weight in weights.items()
    }
    return keep_highest(places, kept_count(sum(w.numel() for w in weights.values()), sparsity))
'''

METRIC = '''
"""Edges for each node."""


def crowd(graph):
    return {"crowd": graph.num_edges / max(graph.num_nodes, 1)}
'''

RAMANUJAN = '''
"""Edges for each node that has any."""


def fill(graph):
    nodes = int((graph.in_degree + graph.out_degree > 0).sum())
    return {"fill": graph.num_edges / nodes if nodes else None}
'''

MEASURE = '''
"""Number of blocks."""


def blocks(graph):
    return {"blocks": len(graph.blocks)}
'''

DATASET = '''
"""Bright squares, each in one of four corners."""

import torch

from datasets.augmentation import Augmentation
from datasets.images import ImageDataset, black

IMAGES = 128


def load_squares(root=None, *, train, augment=False, download=True, progress=True):
    random = torch.Generator().manual_seed(int(train))
    images = 0.5 * torch.rand(IMAGES, 1, 28, 28, generator=random)
    labels = torch.arange(IMAGES) % 4
    for image, label in zip(images, labels.tolist()):
        image[0, 14 * (label // 2) :, 14 * (label % 2) :][:14, :14] += 0.5
    blank = black((0.4,), (0.3,))
    return ImageDataset(
        images, labels, (0.4,), (0.3,), Augmentation(1, False, blank) if augment else None
    )
'''

MODEL = '''
"""Two convolutions and a linear layer."""

import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self, num_classes, in_channels, image_size):
        super().__init__()
        rows, columns = (-(-side // 8) for side in image_size)
        self.first = nn.Conv2d(in_channels, 4, 4, stride=4)
        self.second = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.last = nn.Linear(8 * rows * columns, num_classes)

    def forward(self, images):
        maps = torch.atan(self.second(torch.atan(self.first(images))))
        return self.last(torch.flatten(maps, 1))
'''

BIPARTITE = '''
"""The rolled graph of one layer, every edge of weight 1."""

import numpy as np

from .rolled import bipartite


def signs(name, weight):
    return bipartite(name, (weight.reshape(len(weight), -1) != 0).astype(np.float32), weight)
'''

MULTIPARTITE = '''
"""The unrolled graph, every edge of weight 1."""

from dataclasses import replace

import numpy as np

from .unrolled import unrolled


def counted(model, example, wiring):
    graph = unrolled(model, example, wiring)
    ones = [replace(block, weight=np.ones_like(block.weight)) for block in graph.blocks]
    return replace(graph, blocks=ones)
'''

SECTION = '''
"""How many networks there are of each pruner."""

import pandas as pd
from joblib import delayed

from figures.style import subplots


def tasks(networks, seed):
    return [delayed(count)(name, part) for name, part in networks.runs.groupby("pruning")]


def count(name, runs):
    return {"pruning": name, "networks": len(runs)}


def collect(results):
    return {"networks": pd.DataFrame(results)}


def text(tables):
    counts = dict(tables["networks"].itertuples(index=False))
    return f"## Census\\n\\n{counts}"


def plot(tables):
    figure, panel = subplots(figsize=(3, 2))
    panel.bar(tables["networks"]["pruning"], tables["networks"]["networks"])
    return figure
'''

HANDLERS = "graph_encoding/tracing/operations/elementwise.py"
HANDLER = '\n\nhandles("atan")(same)\n'
"""The operation that `MODEL` runs and that tracing does not know."""

ADDITIONS = {
    "pruner": Addition(
        *("pruning/halves.py", PRUNER, "pruning/__init__.py", "PRUNERS"),
        '"halves": Pruner("pruning.halves"),',
    ),
    "metric": Addition(
        *("metrics/crowd.py", METRIC, "metrics/__init__.py", "METRICS"),
        'Metric("Crowds", "metrics.crowd:crowd", (Column("crowd", "edges a node", "E / N"),)),',
    ),
    "Ramanujan metric": Addition(
        *("ramanujan/fill.py", RAMANUJAN, "ramanujan/__init__.py", "METRICS"),
        'Metric(GROUP, "ramanujan.fill:fill", (Column("fill", "edges a node", "E / N"),)),',
    ),
    "set of metrics": Addition(
        *("metrics/blocks.py", MEASURE, "runs/measures.py", "MEASURES"),
        '"blocks": Measure((metrics.Metric("Blocks", "metrics.blocks:blocks", '
        '(metrics.Column("blocks", "how many blocks", "B"),)),), "blocks/{encoding}"),',
    ),
    "data set": Addition(
        *("datasets/squares.py", DATASET, "datasets/__init__.py", "DATASETS"),
        '"squares": DataSet('
        '"datasets.squares:load_squares", 4, (1, 28, 28), Schedule(2, 32, milestones=())),',
    ),
    "model": Addition(
        *("models/tiny.py", MODEL, "models/__init__.py", "MODELS"),
        '"Tiny": Model("models.tiny:Tiny"),',
    ),
    "bipartite encoding": Addition(
        *("graph_encoding/signs.py", BIPARTITE, "graph_encoding/encodings.py", "ENCODINGS"),
        '"signs": Encoding("graph_encoding.signs:signs", bipartite=True),',
    ),
    "multipartite encoding": Addition(
        *("graph_encoding/counted.py", MULTIPARTITE, "graph_encoding/encodings.py", "ENCODINGS"),
        '"counted": Encoding("graph_encoding.counted:counted", bipartite=False),',
    ),
    "section of the study": Addition(
        *("graph_data/study/census.py", SECTION, "graph_data/study/__init__.py", "SECTIONS"),
        '"census": "graph_data.study.census",',
    ),
}


def with_line(text: str, name: str, line: str) -> str:
    """The text of a registry with one more line, before the bracket that ends it."""
    text, found = re.subn(
        rf"^({name}\b.*?= [({{]\n.*?)^(?=[)}}]$)",
        lambda match: f"{match[1]}    {line}\n",
        text,
        count=1,
        flags=re.MULTILINE | re.DOTALL,
    )
    assert found == 1, name
    return text


class Program(NamedTuple):
    """A copy of the tree with all additions, and a folder for results."""

    tree: Path
    folder: Path
    python: warm.Python
    path: str

    def run(self, *argv: str, status: int = 0) -> str:
        """What a program prints: on standard error, if it is to fail."""
        done = self.python.run(*argv, cwd=self.tree, env=os.environ | {"PYTHONPATH": self.path})
        assert done.returncode == status, done.stdout[-5000:] + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr if status else done.stdout

    def main(self, *argv: str, status: int = 0) -> str:
        """main.py on the added model, data set and pruner, with results in the folder."""
        given = ["--model", "Tiny", "--dataset", "squares", "--pruning", "halves", "erk"]
        given += ["--output-dir", str(self.folder), "--training", "--epochs", "1"]
        return self.run("main.py", *given, *argv, status=status)

    def rows(self, where: str) -> list[dict[str, str]]:
        with (self.folder / where).open(newline="") as file:
            return list(csv.DictReader(file))


def files(tree: Path) -> set[str]:
    """Files of the program, without what Python compiles and what tests keep for themselves."""
    found = (file.relative_to(tree) for file in tree.rglob("*") if file.is_file())
    return {str(f) for f in found if "__pycache__" not in f.parts and f.parts[0][0] != "."}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    # Compiles, if nothing has, what the copy then finds compiled.
    for encoding in ("rolled", "unrolled"):
        for graph in encode(nn.Conv2d(1, 2, 3, padding=1), encoding, (1, 4, 4)):
            metrics.topometrics(graph)
    tree = tmp_path_factory.mktemp("adding") / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*APART))
    for added in ADDITIONS.values():
        (tree / added.file).write_text(added.text.lstrip())
        registry = tree / added.registry
        registry.write_text(with_line(registry.read_text(), added.name, added.line))
    with (tree / HANDLERS).open("a") as handlers:
        handlers.write(HANDLER)
    before = {name: (tree / name).read_bytes() for name in files(tree)}
    with warm.python(tree, ["main", "graph_data.study.__main__"]) as python:
        path = folders.write_quick(tree.parent / "quick", tree)
        yield Program(tree, tree.parent / "results", python, path)
    assert {name: (tree / name).read_bytes() for name in files(tree)} == before


def test_an_addition_is_a_file_and_a_line(program):
    """No other file of the program differs from what it was."""
    added = {addition.file for addition in ADDITIONS.values()}
    original = {name for name in files(program.tree) if (ROOT / name).is_file()}
    assert files(program.tree) - original == added
    changed = {
        name for name in original if not filecmp.cmp(ROOT / name, program.tree / name, False)
    }
    assert changed == {addition.registry for addition in ADDITIONS.values()} | {HANDLERS}
    for name in changed - {HANDLERS}:
        lines = ((tree / name).read_text().splitlines() for tree in (ROOT, program.tree))
        differing = [line for line in difflib.ndiff(*lines) if line[0] in "+-"]
        assert len(differing) == sum(addition.registry == name for addition in ADDITIONS.values())


def test_help_and_list_name_what_is_added(program):
    shown = program.run("main.py", "--help").replace("\n" + 24 * " ", "")  # of names with hyphens
    for flag, names in NAMES.items():
        listed = program.run("main.py", "--list", flag).splitlines()
        assert set(names) <= set(listed)
        assert all(name in shown for name in listed)


@pytest.fixture(scope="module")
def sweep(program):
    """All that is added, in one sweep."""
    argv = ["--sparsity", "0.5", "0.8", "--seed", "0", "1", "--encoding", "all"]
    argv += ["--graph-metrics", "topometrics", "ramanujan", "blocks", "--jobs", "2"]
    assert program.main(*argv, "--dry-run").splitlines()[-1].startswith("104 runs, 0 done")
    assert program.main(*argv).startswith("8 done, 0 skipped, 0 failed")
    return argv


def test_a_sweep_has_everything_that_is_added(program, sweep):
    """In files that the names of what is measured, encoded and trained on give."""
    for encoding, layers in (("rolled", 3), ("signs", 3), ("unrolled", 1), ("counted", 1)):
        for where, column in (("graph_metrics", "crowd"), ("blocks", "blocks")):
            rows = program.rows(f"{where}/{encoding}/{encoding}-squares-Tiny.csv")
            assert len(rows) == 8 * layers
            assert all(float(row[column]) > 0 for row in rows)
            assert {row["pruning"] for row in rows} == {"halves", "erk"}
            assert all(0 < float(row["accuracy"]) <= 1 for row in rows)
    for row in program.rows("ramanujan_results/Tiny/signs-squares-Tiny.csv"):
        nodes, edges = int(row["nodes"]), int(row["edges"])
        assert not row["fill"] or float(row["fill"]) >= edges / nodes
    exact, counted = (
        program.rows(f"graph_metrics/{encoding}/{encoding}-squares-Tiny.csv")
        for encoding in ("unrolled", "counted")
    )
    for one, other in zip(*(sorted(rows, key=str) for rows in (exact, counted))):
        assert one["edges"] == other["edges"] and one["crowd"] == other["crowd"]
        # Of edges of weight 1: the mean degree.
        assert float(other["strength"]) == pytest.approx(2 * float(other["crowd"]))


def test_the_study_takes_what_is_added(program, sweep):
    argv = ["--sections", "accuracy", "correlation", "regression", "census", "--jobs", "1"]
    argv += ["--pruners", "halves"]
    report = program.run("-m", "graph_data.study", "--data", str(program.folder), *argv)
    assert "## Census\n\n{'halves': 4}" in report
    assert "1 pruner (halves)" in report
    tables = program.folder / "paper_results"
    assert (tables / "figures" / "study_census.png").is_file()
    with (tables / "correlation/correlations.csv").open(newline="") as file:
        assert "fill" in {row["metric"] for row in csv.DictReader(file)}
    with (tables / "regression/scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    measured = {(row["predictor"], row["name"]) for row in scores}
    assert {(n, "crowd") for n in ("unrolled", "rolled", "signs", "counted")} <= measured


def test_a_metric_comes_to_a_file_from_before(program, sweep):
    """Its rows are kept, with an empty cell, and the study reads them."""
    file = program.folder / "graph_metrics/unrolled/unrolled-squares-Tiny.csv"
    with file.open(newline="") as opened:
        rows = [row[:-1] for row in csv.reader(opened)]
    with file.open("w", newline="") as opened:
        csv.writer(opened, lineterminator="\n").writerows(rows[:-1])
    assert program.main(*sweep, "--jobs", "1").startswith("1 done, 7 skipped, 0 failed")
    found = program.rows("graph_metrics/unrolled/unrolled-squares-Tiny.csv")
    assert [bool(row["crowd"]) for row in found] == [False] * 7 + [True]
    assert [list(row.values())[:-1] for row in found[:-1]] == rows[1:-1]
    study = ["-m", "graph_data.study", "--data", str(program.folder), "--sections", "accuracy"]
    assert "8 networks: 1 model (Tiny)" in program.run(*study, "--jobs", "1")


def test_one_network_is_saved_drawn_and_reported_on(program):
    argv = [
        "main.py",
        "--output-dir",
        str(program.folder / "one"),
        "--encoding",
        "counted",
        "signs",
    ]
    made = ["--model", "Tiny", "--dataset", "squares", "--pruning", "halves", "--sparsity", "0.5"]
    places = {flag: program.folder / flag for flag in ("figure.svg", "report.html")}
    drawn = [
        word for flag, file in places.items() for word in (f"--{flag.partition('.')[0]}", str(file))
    ]
    saved = ["--save-snn", str(program.folder / "snn"), "--save-graph", str(program.folder / "g")]
    argv += ["--graph-metrics", "topometrics", "blocks"]
    shown = program.run(*argv, *made, *saved)
    assert "counted graph" in shown and "Crowds" in shown and "Blocks" in shown
    graphs = [str(file) for file in sorted((program.folder / "g").iterdir())]
    assert len(graphs) == 2
    snn = map(str, (program.folder / "snn").iterdir())
    again = program.run(*argv, *drawn, "--snn", *snn, "--force")
    # But for what it took, and where it is.
    found, wanted = (
        [line for line in text.splitlines() if not re.match(r"[\d.]+ s: |.*written to ", line)]
        for text in (again, shown)
    )
    assert found == wanted
    assert "<svg" in places["figure.svg"].read_text()
    page = places["report.html"].read_text()
    assert "edges a node" in page and "crowd" in page


def test_a_wiring_that_an_encoding_has_not_is_refused(program):
    text = program.main("--encoding", "counted", "--wiring", "identity", status=2)
    assert text == (
        "main.py: error: --encoding counted has no identity wiring: give --wiring exact\n"
    )


def test_the_tests_hold_with_what_is_added(program):
    names = " or ".join([ABOUT, *(name for names in NAMES.values() for name in names)])
    same = "written_out or node_counts or 1-rolled or 2-rolled"  # with what is added
    about = f"({names}) and not ({same})"
    program.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", about, *TESTS)
