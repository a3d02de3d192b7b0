"""Networks of the user's own that say what they are called with, on the command line."""

import csv
from pathlib import Path

import pytest

import main

NETS = """
import torch
from torch import nn

class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.conv = nn.Embedding(9, 4), nn.Conv1d(4, 3, 3)
        self.beside, self.head = nn.Linear(2, 3), nn.Linear(3, 2)

    def forward(self, ids, more):
        x = self.conv(self.table(ids).transpose(1, 2)).mean(2)
        return {"logits": self.head(x + self.beside(more)), "features": x}

def make():
    model = Tokens()
    model.example_input = {"ids": torch.zeros(1, 6, dtype=torch.long), "more": torch.zeros(1, 2)}
    return model

class Method(nn.Linear):
    def example_input(self):
        return torch.zeros(1, 3)

def method():
    return Method(3, 2)

class Holding(nn.Linear):
    def __init__(self, example):
        super().__init__(3, 2)
        self.example_input = example

def ragged():
    return Holding(torch.nested.nested_tensor([torch.zeros(1, 3), torch.zeros(2, 3)]))

def endless():
    example = [torch.zeros(1, 3)]
    example.append(example)
    return Holding((example,))

def scripted():
    return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2)))
"""


@pytest.fixture
def job(tmp_path, monkeypatch, capsys):
    (tmp_path / "several.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)

    def run(flags, made="make"):
        capsys.readouterr()
        return main.main(["--model", f"several:{made}", *flags.split()]), capsys.readouterr()

    return run


def test_several_inputs_and_outputs(job):
    status, out = job("--pruning dense --report page.html --figure graph.svg")
    assert status == 0, out.err
    (file,) = Path("results/graph_metrics/unrolled").glob("*.csv")
    with open(file) as lines:
        (row,) = csv.DictReader(lines)
    # numbers, embedded ids; the convolution, which is an output too, the sum with it, logits
    assert (row["model"], row["nodes"]) == ("several.make", str(2 + 4 * 6 + 3 * 4 + 3 + 2))
    assert int(row["edges"]) == 4 * 36 + 6 + 2 * (4 * 3 + 3)
    assert "several.make" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--pruning dense --input-shape 4", "says itself what it is called with"),
        ("--pruning snip", "forward() missing 1 required positional argument: 'more'"),
    ],
)
def test_what_cannot_be_done_with_them_is_said_in_one_line(job, flags, said):
    status, out = job(flags)
    assert status == 2
    (line,) = [line for line in out.err.splitlines() if line.startswith("main.py: error: ")]
    assert said in line


@pytest.mark.parametrize("pruner", ["synflow", "uniform"])
def test_they_are_pruned_and_what_is_effective_of_them_is_measured(job, pruner):
    for more in ("", "--effective"):
        status, out = job(f"--pruning {pruner} --sparsity 0.8 {more}")
        assert status == 0, out.err
    rows = []
    for file in sorted(Path("results/graph_metrics/unrolled").glob("*.csv")):
        with open(file) as lines:
            rows += csv.DictReader(lines)
    whole, effective = sorted(rows, key=lambda row: -int(row["edges"]))
    assert 0 < int(effective["edges"]) <= int(whole["edges"])
    # A weight may have other uses that are on no path.
    for column in ("removable_out", "removable_in"):
        assert int(effective[column]) <= int(whole[column])


def test_an_example_that_is_a_method_is_refused_in_one_line(job):
    status, out = job("--pruning dense", "method")
    assert status == 2
    (line,) = [line for line in out.err.splitlines() if line.startswith("main.py: error: ")]
    assert "a tensor of numbers" in line


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("made", ["ragged", "endless"])
def test_an_example_without_axes_or_end_is_refused_in_one_line(job, made):
    status, out = job("--pruning dense", made)
    assert status == 2
    (line,) = [line for line in out.err.splitlines() if line.startswith("main.py: error: ")]
    assert f"--model several:{made}, its attribute example_input: " in line
    assert {"ragged": "nested tensors", "endless": "hold themselves"}[made] in line


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_told_to_be_given_as_what_it_was_made_of(job):
    status, out = job("--pruning dense", "scripted")
    assert status == 2
    (line,) = [line for line in out.err.splitlines() if line.startswith("main.py: error: ")]
    assert "let it give the module that this was made of" in line
