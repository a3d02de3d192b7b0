"""Weights in folders and shards, of networks that share weights, and whole networks in pickles."""

import json

import pytest
import torch
from test_safe_tensors import written
from torch import nn

import graph_encoding
import main
import models
from models import own
from models.own import OwnNetworkError


def small():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def as_arrays(state):
    return {name: ("F32", tensor.numpy()) for name, tensor in state.items()}


def loaded(place, model=None, **how):
    model = model or nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    own.load_weights(model, place, own.digest_of(place), **how)
    return model.state_dict()


def is_same(found, state):
    return found.keys() == state.keys() and all(
        torch.equal(found[name], state[name]) for name in state
    )


@pytest.mark.parametrize("name", ["w.safetensors", "model.safetensors", "pytorch_model.bin"])
def test_a_file_and_a_folder_with_one(tmp_path, name):
    state = small().state_dict()
    if name.endswith(".bin"):
        torch.save(state, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(written(as_arrays(state)))
    assert is_same(loaded(tmp_path / name), state)
    if name != "w.safetensors":
        assert is_same(loaded(tmp_path), state)


def shards(folder, state, **changes):
    names = list(state)
    of = {name: f"model-{number % 2}.safetensors" for number, name in enumerate(names)} | changes
    for file in set(of.values()):
        part = {name: state[name] for name in names if of[name] == file}
        if "/" not in file:
            (folder / file).write_bytes(written(as_arrays(part)))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": of}))


def test_shards_are_one_state_and_told_from_others(tmp_path):
    state = small().state_dict()
    shards(tmp_path, state)
    assert is_same(loaded(tmp_path), state)
    before = own.digest_of(tmp_path)
    shards(tmp_path, state | {"0.bias": torch.ones(3)})
    assert own.digest_of(tmp_path) != before
    with pytest.raises(OwnNetworkError, match="was replaced"):
        own.load_weights(small(), tmp_path, before)


def test_shards_that_are_elsewhere_missing_or_overlap_are_refused(tmp_path):
    state = small().state_dict()
    shards(tmp_path, state, **{"0.bias": "../model-9.safetensors"})
    with pytest.raises(OwnNetworkError, match="not beside it"):
        loaded(tmp_path)
    shards(tmp_path, state)
    (tmp_path / "model-1.safetensors").write_bytes((tmp_path / "model-0.safetensors").read_bytes())
    with pytest.raises(OwnNetworkError, match="in two of its files"):
        loaded(tmp_path)
    (tmp_path / "model-1.safetensors").write_bytes(b"cut")
    with pytest.raises(OwnNetworkError, match=r"model-1.safetensors: not a file of safetensors"):
        loaded(tmp_path)
    (tmp_path / "model-1.safetensors").unlink()
    with pytest.raises(OwnNetworkError, match=r"model-1.safetensors: No such file"):
        loaded(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(OwnNetworkError, match="tells no files"):
        loaded(tmp_path)


def test_weights_that_a_network_shares_may_be_in_the_file_once(tmp_path):
    def tied():
        model = nn.ModuleDict({"table": nn.Embedding(5, 4), "head": nn.Linear(4, 5, bias=False)})
        model["head"].weight = model["table"].weight
        return model

    weight = tied()["head"].weight.detach()
    torch.save({"table.weight": weight}, tmp_path / "w.pt")
    found = loaded(tmp_path / "w.pt", tied())
    assert torch.equal(found["head.weight"], weight)
    torch.save({"table.weight": weight}, tmp_path / "w.pt")
    apart = nn.ModuleDict({"table": nn.Embedding(5, 4), "head": nn.Linear(4, 5, bias=False)})
    with pytest.raises(OwnNetworkError, match=r"Missing key.*head.weight"):
        loaded(tmp_path / "w.pt", apart)


def test_a_whole_network_is_unpickled_only_when_it_is_trusted(tmp_path):
    model = small()
    torch.save(model, tmp_path / "whole.pt")
    with pytest.raises(OwnNetworkError, match=r"could run code; .*--weights-trust"):
        loaded(tmp_path / "whole.pt")
    assert is_same(loaded(tmp_path / "whole.pt", trust=True), model.state_dict())
    for network in (model.state_dict(), model):
        torch.save({"model": network, "odd": {1, 2}}, tmp_path / "checkpoint.pt")
        assert is_same(loaded(tmp_path / "checkpoint.pt", trust=True), model.state_dict())


def as_released(name, classes=10):
    """The state of a network as the paper's code names it: convolutions of CONV-6 have biases."""
    model = models.build(name, classes, seed=4)
    for index, layer in enumerate(models.prunable(model).values()):
        layer.weight.data *= (
            torch.rand(layer.weight.shape, generator=torch.manual_seed(index)) < 0.1
        )
    state = model.state_dict()
    if name == "CONV-6":
        for place in (0, 3, 7, 10, 14, 17):
            state[f"convs1.{place}.bias"] = torch.zeros(len(state[f"convs1.{place}.weight"]))
    return model, state


def test_zero_biases_of_convolutions_are_dropped_and_others_refused(tmp_path):
    model, state = as_released("CONV-6")
    assert sum(tensor.numel() for tensor in state.values()) > sum(
        tensor.numel() for tensor in model.state_dict().values()
    )
    torch.save(state, tmp_path / "w.pt")
    assert is_same(loaded(tmp_path / "w.pt", models.build("CONV-6", 10)), model.state_dict())
    state["convs1.7.bias"][5] = 1e-9
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(OwnNetworkError, match=r"convs1.7.bias is not zero"):
        loaded(tmp_path / "w.pt", models.build("CONV-6", 10))


@pytest.mark.usefixtures("warm_workers")
def test_labels_become_rows_with_the_accuracy_and_the_sparsity_that_are_found(
    tmp_path, monkeypatch, capsys, few_digits
):
    import pandas as pd

    import datasets
    import training

    few_digits(50)
    monkeypatch.chdir(tmp_path)
    model, state = as_released("Resnet-20")
    torch.save(state, "w.pt")
    flags = "--model Resnet-20 --dataset digits --weights w.pt --encoding rolled-channel"
    label = "--label pruning=snip sparsity=0.9 seed=7 training=true"
    assert main.main([*flags.split(), *label.split(), "--evaluate"]) == 0
    assert "warning" not in capsys.readouterr().err
    table = pd.read_csv("results/graph_metrics/rolled-channel/rolled-channel-digits-Resnet-20.csv")
    weights = [layer.weight for layer in models.prunable(model).values()]
    zeros = sum(int((weight == 0).sum()) for weight in weights) / sum(w.numel() for w in weights)
    images = datasets.load("digits", "data", train=False)
    batches = datasets.batches(images, 100, shuffle=False)
    accuracy = training.evaluate(model, batches)
    assert len(table) == len(weights)
    (row,) = table[["model", "pruning", "sparsity", "seed", "training"]].drop_duplicates().values
    assert list(row) == ["Resnet-20", "snip", 0.9, 7, True]
    assert table["achieved_sparsity"].unique() == pytest.approx([zeros])
    assert table["accuracy"].unique() == pytest.approx([accuracy])
    capsys.readouterr()
    erk = [*flags.split(), "--label", "pruning=erk", "sparsity=0.5"]
    assert main.main([*erk, "--dry-run", "--encoding", "unrolled"]) == 0
    (graph,) = graph_encoding.encode(model)
    assert f" {graph.num_edges:,} " in capsys.readouterr().out
    assert main.main(erk) == 0
    assert "are zero, and --label says 0.5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--label pruning=snip", "--label is of --weights"),
        ("--evaluate --dataset digits", "--evaluate is of --weights"),
        ("--weights w.pt --label pruning=snip", "give one --model and one --dataset"),
        ("--weights w.pt --dataset digits --label seed=1 --pruning erk", "leave out --pruning"),
        ("--weights w.pt --dataset digits --label puning=erk", "did you mean pruning?"),
        ("--weights w.pt --dataset digits --label pruning=sip", "did you mean snip?"),
        ("--weights w.pt --dataset digits --label sparsity=2", "--label: argument --sparsity"),
        ("--weights w.pt --evaluate --pruning dense", "--evaluate needs a --dataset"),
    ],
)
def test_labels_that_cannot_be_are_one_line(tmp_path, monkeypatch, capsys, flags, said):
    monkeypatch.chdir(tmp_path)
    assert main.main(flags.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
