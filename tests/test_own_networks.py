"""Networks of the user's own on the command line, and what is shown of one network."""

import csv
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.utils import prune

import main
import models
from models import own

NETS = """
import torch
from torch import nn

def small():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(16, 5),
    )

def vector():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))

class OnData(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 2)
    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else self.layer(-x)

def broken():
    raise RuntimeError("no such file: config.yaml")

def empty():
    return nn.ReLU()
"""


@pytest.fixture
def job(tmp_path, monkeypatch, capsys):
    """Run main.py's `main` in a folder with a module of networks; status, stdout, stderr."""
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "nets", raising=False)

    def run(*argv):
        capsys.readouterr()
        return main.main(argv), *capsys.readouterr()

    return run


def rows(folder=Path("results/graph_metrics/unrolled")):
    found = []
    for file in sorted(folder.glob("*.csv")):
        with open(file) as lines:
            found += csv.DictReader(lines)
    return found


def small():
    namespace = {}
    exec(NETS, namespace)
    torch.manual_seed(3)
    return namespace["small"]()


def test_a_function_of_the_users_own(job):
    flags = ("--model", "nets:small", "--pruning", "uniform", "--sparsity", "0.5")
    status, _out, err = job(*flags, "--encoding", "all", "--seed", "0", "1")
    assert status == 0, err
    first, second = rows()
    assert (first["model"], first["dataset"], first["nodes"]) == ("nets.small", "none", "7569")
    assert first["edges"] != second["edges"]  # another seed, other weights removed
    assert job(*flags, "--seed", "0")[0] == 0
    assert len(rows()) == 2


def test_vectors(job):
    status, _out, err = job(
        "--model", "nets:vector", "--input-shape", "6", "--pruning", "dense", "--identity-shortcuts"
    )
    assert status == 0, err
    (row,) = rows()
    assert (row["model"], row["wiring"]) == ("nets.vector-6", "identity")
    assert (row["nodes"], row["edges"]) == ("17", str(6 * 8 + 8 * 3))


@pytest.mark.parametrize("kind", ["plain", "masked", "parallel", "checkpoint"])
def test_weights_that_are_pruned_already(job, kind):
    model = small()
    for name in (0, 5):
        prune.random_unstructured(model[name], "weight", 0.75)
        if kind != "masked":
            prune.remove(model[name], "weight")
    state = model.state_dict()
    if kind == "parallel":
        state = {f"module.{name}": tensor for name, tensor in state.items()}
    if kind == "checkpoint":
        state = {"epoch": 3, "state_dict": state}
    torch.save(state, "w.pt")
    flags = ("--model", "nets:small", "--weights", "w.pt", "--pruning", "dense")
    status, _out, err = job(*flags)
    assert status == 0, err
    (row,) = rows()
    assert row["model"].startswith("nets.small-w.pt-")
    assert float(row["achieved_sparsity"]) == 0.75
    # Other weights under the same name are another network.
    torch.save(small().state_dict(), "w.pt")
    assert job(*flags)[0] == 0
    assert sorted(float(row["achieved_sparsity"]) for row in rows()) == [0, 0.75]


def test_weights_of_a_known_network(job):
    torch.save(models.build("Resnet-20", 10, seed=5).state_dict(), "w.pt")
    found = own.build(own.Source("Resnet-20", "w.pt"), 10, seed=0)
    expected = models.build("Resnet-20", 10, seed=5)
    assert all(map(torch.equal, found.state_dict().values(), expected.state_dict().values()))


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_a_file_of_weights_runs_nothing(job):
    torch.save({"state_dict": Evil()}, "w.pt")
    status, _, err = job("--model", "nets:small", "--weights", "w.pt", "--pruning", "dense")
    assert status == 2
    assert "cannot be loaded" in err
    assert not Path("evil").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--model nowhere:function", "nowhere:function is not to be found"),
        ("--model nets:other", "nets:other is not to be found"),
        ("--model nets:broken", "fails: no such file: config.yaml"),
        ("--model nets:empty", "no Conv2d and no Linear"),
        ("--model nets", "choose from CONV-6"),
        ("--model nets:OnData --input-shape 6", "line 19 of nets.py: return self.layer(x) if"),
        ("--model nets:small --weights nothing.pt", "nothing.pt: No such file"),
        ("--model nets:small --weights nets.py", "cannot be loaded"),
        ("--model nets:vector --weights small.pt", "does not fit"),
        ("--model nets:small --input-shape 1 2 3 4", "1 to 3 numbers"),
        ("--model nets:small --input-shape 3 64 64 --pruning snip", "snip needs images"),
        ("--model nets:small --wiring published", "published is that of the paper's networks"),
        ("--model nets:small --save-snn there", "--save-snn"),
        ("--figure graph.jpg", ".png, .svg, .pdf"),
        ("--figure graph.png --seed 0 1", "of one network"),
        ("--report page.html --encoding rolled", "unrolled"),
        ("--report page.html --graph-metrics ramanujan --encoding all", "topometrics"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(job, flags, said):
    torch.save(small().state_dict(), "small.pt")
    words = flags.split()
    words += [] if "--pruning" in words else ["--pruning", "er"]
    status, _out, err = job(*words)
    assert status == 2
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_and_a_report_of_one_network(job, suffix):
    flags = ("--model", "nets:small", "--pruning", "uniform", "--sparsity", "0.5")
    assert job(*flags)[0] == 0
    before = rows()
    status, _out, err = job(*flags, "--figure", f"graph.{suffix}", "--report", "page.html")
    assert status == 0, err
    assert rows() == before  # computed again, and written in the same place
    assert f"draw: graph.{suffix}" in err
    if suffix == "png":
        with Image.open("graph.png") as image:
            assert image.size[0] > 500
    page = Path("page.html").read_text()
    assert "nets.small" in page
    assert (
        before[0]["nodes"]
        == page.partition("<dt>nodes</dt>")[2][4:].partition("<")[0].replace(",", "")
        or f"{int(before[0]['nodes']):,}" in page
    )


def test_modules_of_torchvision_need_no_more_than_their_name(job):
    flags = "--model torchvision.models:mobilenet_v3_small --input-shape 3 32 32 --pruning erk"
    status, out, err = job(*flags.split(), "--dry-run")
    assert status == 0, err
    assert "torchvision.models.mobilenet_v3_small" in out
    assert isinstance(
        own.build(own.Source("torchvision.models:mobilenet_v3_small"), 0, 0), nn.Module
    )
