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
"""


@pytest.fixture
def job(tmp_path, monkeypatch, capsys):
    (tmp_path / "several.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)

    def run(flags):
        capsys.readouterr()
        return main.main(["--model", "several:make", *flags.split()]), capsys.readouterr()

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
        ("--pruning synflow", "its example_input is for graphs"),
        ("--pruning dense --effective", "its example_input is for graphs"),
    ],
)
def test_what_cannot_be_done_with_them_is_said_in_one_line(job, flags, said):
    status, out = job(flags)
    assert status == 2
    (line,) = [line for line in out.err.splitlines() if line.startswith("main.py: error: ")]
    assert said in line
