"""Networks of the user's own on the command line, and what is shown of one network."""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.utils import prune

import main
import models
import pruning
from models import own

NETS = """
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

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

def masked():
    model = small()
    for layer in (0, 5):
        prune.random_unstructured(model[layer], "weight", 0.75)
    return model

def sparse():
    model = masked()
    for layer in (0, 5):
        prune.remove(model[layer], "weight")
    return model

def normed():
    model = small()
    parametrizations.weight_norm(model[0])
    return model

def old_normed():
    model = small()
    nn.utils.weight_norm(model[0])
    return model

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 6)
        self.b = nn.Linear(6, 6)
        self.b.weight = self.a.weight
    def forward(self, x):
        return self.b(self.a(x))

def alone():
    return nn.Linear(6, 2)

def lazy():
    return nn.Sequential(nn.LazyLinear(2))

def meta():
    return nn.Sequential(nn.Linear(6, 2, device="meta"))

def leaves():
    raise SystemExit(3)

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


@pytest.mark.usefixtures("warm_workers")
def test_a_function_of_the_users_own(job):
    flags = ("--model", "nets:small", "--input-shape", "3", "8", "8", "--pruning", "uniform")
    flags += ("--sparsity", "0.5")
    status, _out, err = job(*flags, "--encoding", "all", "--seed", "0", "1")
    assert status == 0, err
    first, second = rows()
    assert (first["model"], first["dataset"]) == ("nets.small-3x8x8", "none")
    assert int(first["nodes"]) == 3 * 10**2 + 4 * 8**2 + 5
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


@pytest.mark.parametrize(
    ("network", "pruner", "removed"),
    [
        ("small", "dense", 0),
        ("masked", "dense", 0.75),
        ("sparse", "dense", 0.75),
        ("normed", "dense", 0),
        ("normed", "uniform", 0.5),
        ("Tied", "uniform", 0.5),
        ("alone", "uniform", 0.5),
    ],
)
def test_sparsity_is_what_is_zero(job, network, pruner, removed):
    of_images = network not in ("Tied", "alone")
    flags = () if of_images else ("--input-shape", "6")
    flags += ("--model", f"nets:{network}", "--sparsity", "0.5", "--pruning", pruner)
    status, _out, err = job(*flags)
    assert status == 0, err
    (row,) = rows()
    assert float(row["achieved_sparsity"]) == removed
    total = {"Tied": 2 * 36, "alone": 12}.get(network, 108 * 1024 + 16 * 256 * 5)
    if pruner == "dense":
        assert total * (1 - removed) == pytest.approx(int(row["edges"]), rel=0.1)
    elif not of_images:
        assert int(row["edges"]) == total / 2


def test_a_pruner_of_a_sparse_network_counts_all_that_is_zero(job):
    assert job("--model", "nets:sparse", "--pruning", "uniform", "--sparsity", "0.5")[0] == 0
    (row,) = rows()
    model = own.build(own.Source("nets:sparse"), 0, 0)
    masks = pruning.prune("uniform", model, 0.5)
    pruning.apply_masks(model, masks)
    left = sum(int(layer.weight.count_nonzero()) for layer in models.prunable(model).values())
    assert left < 0.25 * 188
    assert float(row["achieved_sparsity"]) == 1 - left / 188


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_masked_weights_for_a_masked_network(job, prefix):
    model = own.build(own.Source("nets:small"), 0, 0)
    prune.random_unstructured(model[0], "weight", 0.5)
    torch.save({prefix + name: tensor for name, tensor in model.state_dict().items()}, "w.pt")
    found = own.build(own.Source("nets:masked", "w.pt"), 0, 1)
    assert torch.equal(found[0].weight, model[0].weight)
    assert torch.equal(found[5].weight, model[5].weight)


def test_a_prefix_that_the_network_has_stays(job):
    model = nn.Sequential()
    model.model = small()
    torch.save(model.state_dict(), "w.pt")
    own.load_weights(model, "w.pt")


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


@pytest.mark.parametrize("beside", ["numbers", "arrays"])
def test_numbers_of_numpy_beside_the_weights(job, beside):
    model = small()
    scalars = {"accuracy": np.float64(0.9), "epoch": np.int64(3), "best": np.bool_(True)}
    of = scalars if beside == "numbers" else {"losses": np.ones(3), "type": np.dtype("f4")}
    torch.save({**of, "optimizer": {"lr": np.float32(0.1)}, "state_dict": model.state_dict()}, "w")
    found = own.build(own.Source("nets:small", "w"), 0, 0)
    assert all(map(torch.equal, found.state_dict().values(), model.state_dict().values()))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"args": argparse.Namespace(lr=1), "state_dict": {}},
            "it holds argparse.Namespace, which",
        ),
        (nn.Sequential(nn.Linear(2, 2)), "it holds torch.nn.modules.container.Sequential, which"),
        ({"state_dict": {"weight": np.ones(3)}}, "holds no state_dict, a dictionary of tensors"),
        ({"weight": torch.ones(3), "epoch": 3}, "holds no state_dict, a dictionary of tensors"),
    ],
)
def test_a_file_that_is_no_state_dict_is_told_what_it_holds(job, content, said):
    torch.save(content, "w.pt")
    with pytest.raises(own.OwnNetworkError, match=f"^--weights w.pt .*{said}.*save .* torch.save"):
        own.load_weights(small(), "w.pt")


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
        ("--model nets:broken", "fails: RuntimeError: no such file: config.yaml"),
        ("--model nets:leaves", "fails: SystemExit: 3"),
        ("--model wrong:function", "fails on import: ZeroDivisionError: division by zero"),
        ("--model nets:lazy --input-shape 6", "0.weight has no values"),
        ("--model nets:meta --input-shape 6", "0.weight has no values"),
        ("--model nets:old_normed", "the weight of layer 0 is computed"),
        ("--model nets:empty", "no convolution and no Linear"),
        ("--model nets", "choose from CONV-6"),
        ("--model nets:OnData --input-shape 6", "line 20 of nets.py: return self.layer(x) if"),
        ("--model nets:small --weights nothing.pt", "nothing.pt: No such file"),
        ("--model nets:small --weights nets.py", "cannot be loaded"),
        ("--model nets:vector --weights small.pt", "does not fit"),
        ("--model nets:small --input-shape 1 2 3 4 5", "1 to 4 numbers"),
        ("--model nets:small --input-shape 3 64 64 --pruning snip", "snip needs images"),
        ("--model nets:small --wiring published", "published is that of the paper's networks"),
        ("--model nets:small --save-snn there", "--save-snn"),
        ("--figure graph.jpg", ".png or .svg or .pdf"),
        ("--figure graph.png --seed 0 1", "of one network"),
        ("--report page.html --encoding rolled", "unrolled"),
        ("--report page.html --graph-metrics ramanujan --encoding all", "topometrics"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(job, flags, said):
    torch.save(small().state_dict(), "small.pt")
    Path("wrong.py").write_text("1 / 0")
    words = flags.split()
    words += [] if "--pruning" in words else ["--pruning", "er"]
    status, _out, err = job(*words)
    assert status == 2
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_wrong_name_is_said_before_images_are_opened(job, monkeypatch):
    monkeypatch.setattr("datasets.load", lambda *_, **__: pytest.fail("images are opened"))
    status, _out, err = job("--model", "nets:smal", "--pruning", "snip", "--dataset", "digits")
    assert status == 2
    assert "nets:smal is not to be found" in err
    assert "did you mean small?" in err


def test_a_picture_and_a_report_of_one_network(job):
    flags = ("--model", "nets:vector", "--input-shape", "6", "--pruning", "uniform")
    flags += ("--sparsity", "0.5")
    assert job(*flags)[0] == 0
    before = rows()
    status, _out, err = job(*flags, "--figure", "graph.png", "--report", "page.html")
    assert status == 0, err
    assert rows() == before  # computed again, and written in the same place
    assert "draw: graph.png" in err
    with Image.open("graph.png") as image:
        assert image.size[0] > 500
    page = Path("page.html").read_text()
    assert "nets.vector" in page
    for name in ("nodes", "edges"):
        assert f"<dt>{name}</dt><dd>{before[0][name]}</dd>" in page


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF-")])
def test_the_ending_says_what_kind_of_picture_it_is(job, suffix, start):
    flags = ("--model", "nets:vector", "--input-shape", "6", "--pruning", "dense")
    status, _out, err = job(*flags, "--figure", f"graph.{suffix}")
    assert status == 0, err
    assert Path(f"graph.{suffix}").read_bytes().startswith(start)


@pytest.mark.usefixtures("warm_workers")
def test_modules_of_torchvision_need_no_more_than_their_name(job):
    flags = "--model torchvision.models:mobilenet_v3_small --input-shape 3 32 32 --pruning erk"
    status, out, err = job(*flags.split(), "--dry-run")
    assert status == 0, err
    assert "torchvision.models.mobilenet_v3_small" in out


RUN = ("--model", "nets:small", "--pruning", "dense", "--encoding", "rolled")
CUT = "no weight is left in 1 of 2 layers (5); no input reaches any of the 5 classes: "


def test_what_is_cut_off_is_told_and_recorded(job):
    model = small()
    with torch.no_grad():
        model[5].weight.zero_()
    torch.save(model.state_dict(), "w.pt")
    status, _out, err = job(*RUN, "--weights", "w.pt")
    assert status == 0
    (warning,) = (line for line in err.splitlines() if not line.startswith("["))
    assert warning.startswith("main.py: warning: nets.small-w.pt-")
    assert warning.endswith(f"{CUT}what the network says of them is the same for every image")
    (row,) = rows(Path("results"))
    assert (row["empty_layers"], row["empty_layer_names"]) == ("1", "5")
    assert (row["unreached_classes"], row["unreached_class_numbers"]) == ("5", "0 1 2 3 4")


def test_what_is_cut_off_of_a_saved_network_is_told_again(job):
    flags = ("--pruning", "uniform", "--sparsity", "0.9998", "--encoding", "rolled")
    _status, _out, first = job(*flags, "--save-snn", "snn")
    (file,) = Path("snn").iterdir()
    _status, _out, again = job("--snn", str(file), "--encoding", "rolled", "--output-dir", "again")
    told = [[line for line in err.splitlines() if "warning" in line] for err in (first, again)]
    assert told[0] == told[1] and len(told[0]) == 1
    (row,), (same,) = rows(Path("results")), rows(Path("again"))
    names = ("empty_layers", "empty_layer_names", "unreached_classes", "unreached_class_numbers")
    assert [row[name] for name in names] == [same[name] for name in names]
    assert int(row["empty_layers"]) == len(row["empty_layer_names"].split()) > 0


def test_nothing_is_told_of_a_whole_network(job):
    status, _out, err = job(*RUN)
    assert status == 0
    assert "warning" not in err
    (row,) = rows(Path("results"))
    assert (row["empty_layers"], row["unreached_classes"]) == ("0", "0")


@pytest.mark.usefixtures("warm_workers")
def test_a_sweep_records_what_is_cut_off_and_counts_it(job):
    status, _out, err = job(*RUN, "--pruning", "dense", "uniform", "--sparsity", "0.99")
    assert status == 0
    assert err.count("main.py: warning") == 1
    assert "that no input reaches: 1; results/runs.csv has which" in err
    cut = {row["pruning"]: row["unreached_classes"] for row in rows(Path("results"))}
    assert cut["dense"] == "0"
    assert int(cut["uniform"]) > 2


def test_synflow_refuses_attention_in_one_line(job):
    Path("heads.py").write_text(
        "from torch import nn\ndef make(): return nn.TransformerEncoderLayer(8, 2, dropout=0.0)\n"
    )
    flags = ("--model", "heads:make", "--input-shape", "4", "8", "--pruning", "synflow")
    status, _out, err = job(*flags)
    assert status == 2
    assert err.splitlines()[-1].startswith("main.py: error: synflow needs a network that can be ")


def test_attention_is_followed_where_it_is_asked_for(job):
    Path("tokens.py").write_text(
        "from torch import nn\n"
        "def make(): return nn.TransformerEncoderLayer(8, 2, 6, dropout=0.0, batch_first=True)\n"
    )
    flags = ("--model", "tokens:make", "--input-shape", "4", "8", "--pruning", "dense")
    status, _out, err = job(*flags)
    assert (status, err.count("--attention tokens"), "Traceback" in err) == (2, 1, False)
    status, out, err = job(*flags, "--attention", "tokens")
    assert status == 0, err
    assert "unrolled graph, exact wiring, attention followed" in out
    (row,) = rows()
    # inputs; queries, keys and values; projection; hidden; out: of four positions
    assert (row["wiring"], row["nodes"]) == ("exact+tokens", str(4 * (8 + 24 + 8 + 6 + 8)))
    assert int(row["edges"]) == 4 * (8 * 24 + 4 * 64 + 8 * 6 + 6 * 8)
    assert row["sink_nodes"] == str(4 * 16)  # queries and keys
    argv = (*flags, "--attention", "tokens", "--wiring", "published")
    assert job(*argv)[0] == 2
