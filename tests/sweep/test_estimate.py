"""What a network takes, before it is made."""

import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import sparsify
from torch import nn

import graph_encoding
import main
import metrics
import models
import pruning
from command_line import console, flags
from metrics import choice, registry, spectra, walks
from models import own
from models.own import Source
from runs import results
from runs.columns import columns
from runs.run import configuration
from sweep import estimate, plan


def tasks(argv):
    return plan.runs(flags.parse(argv.split()), ["CIFAR-10"])


def graph_of(network, seed=0):
    """The unrolled graph of a network, made as by main.py."""
    model = models.build(network.model, 10, 3, seed=seed)
    masks = pruning.prune(
        network.pruning,
        model,
        network.sparsity,
        seed=seed,
        input_shape=(3, 32, 32),
        as_released=network.is_released("pruner"),
    )
    pruning.apply_masks(model, masks)
    (graph,) = graph_encoding.encode(model, "unrolled")
    return graph


@pytest.mark.parametrize(
    ("pruner", "sparsity"),
    [("uniform", 0.98), ("er", 0.7), ("er --as-released", 0.98), ("erk", 0.98), ("dense", 0.7)],
)
def test_exact_where_pruning_needs_no_data(pruner, sparsity):
    first, second = tasks(f"--pruning {pruner} --sparsity {sparsity} --seed 0 1")
    cost = estimate.estimate(first)
    graph = graph_of(first.network)
    assert (cost.nodes, cost.edges) == (graph.num_nodes, graph.num_edges)
    other = estimate.estimate(second)  # another seed is nearly the same
    graph = graph_of(second.network, seed=1)
    assert other.nodes == graph.num_nodes
    # As released, the first layers' few weights, which count at most places, vary in number.
    allowed = 0.2 if second.network.as_released else 0.05
    assert other.edges == pytest.approx(graph.num_edges, rel=allowed)


@pytest.mark.parametrize("model", sorted(models.MODELS))
def test_nodes_are_exact_for_every_network(model):
    (erk,) = tasks(f"--model {model} --pruning erk")
    nodes = graph_of(erk.network).num_nodes
    for pruner in ("erk", "snip"):
        (task,) = tasks(f"--model {model} --pruning {pruner}")
        assert estimate.estimate(task).nodes == nodes


def test_edges_by_density_where_pruning_needs_data():
    (dense,) = tasks("--pruning dense")
    edges = estimate.estimate(dense).edges
    for pruner in ("snip", "grasp", "synflow", "prospr"):
        (task,) = tasks(f"--pruning {pruner} --sparsity 0.9")
        assert estimate.estimate(task).edges == round(edges * (1 - 0.9))


def test_grasp_as_released_takes_memory_for_each_class():
    """Half of 25 images of each class are normalised at once: twice the classes, twice as much."""
    options = flags.parse(["--model", "Resnet-32", "--pruning", "grasp", "--as-released"])
    few, many = (
        estimate.estimate(plan.runs(options, [dataset])[0])
        for dataset in ("CIFAR-100", "tinyimagenet")
    )
    more = (many.megabytes - estimate.LOADED) / (few.megabytes - estimate.LOADED)
    assert more == pytest.approx(2, rel=0.01)


def test_no_pruner_is_run_that_takes_long(monkeypatch):
    prune, seen = pruning.prune, []
    monkeypatch.setattr(
        pruning, "prune", lambda name, *args, **kw: seen.append(name) or prune(name, *args, **kw)
    )
    estimate.size.cache_clear()
    for task in tasks("--pruning all --seed 0 1"):
        estimate.estimate(task)
    assert sorted(seen) == ["er", "erk", "uniform"]  # each once, whatever the seeds


def test_more_takes_more():
    (few,) = tasks("--pruning erk --sparsity 0.98")
    (many,) = tasks("--pruning erk --sparsity 0.5")
    (slow,) = tasks("--pruning prospr --sparsity 0.98")
    costs = [estimate.estimate(task) for task in (few, many, slow)]
    assert costs[0].seconds < costs[1].seconds < costs[2].seconds
    assert costs[0].megabytes < costs[1].megabytes < costs[2].megabytes
    assert estimate.most_memory([few, many, slow]) == costs[2].megabytes
    assert estimate.most_memory([]) == estimate.LOADED
    (one,) = tasks("--pruning erk --encoding unrolled")
    (all_of_them,) = tasks("--pruning erk --encoding all")
    costs = [estimate.estimate(task).seconds for task in (one, all_of_them)]
    assert costs[0] < costs[1]


HALF_EMPTY = """
import torch
from torch import nn

def make():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3072, 100), nn.ReLU(), nn.Linear(100, 10))
    with torch.no_grad():
        module[1].weight[:, ::2] = 0
    return module
"""


@pytest.mark.parametrize("sparsity", [0.3, 0.9])
def test_weights_that_are_zero_already_have_scores_and_go_first(tmp_path, monkeypatch, sparsity):
    (tmp_path / "half_empty.py").write_text(HALF_EMPTY)
    monkeypatch.chdir(tmp_path)
    measured = replace(pruning.PRUNERS["snip"], cost=pruning.Cost(1e-5, 0, once=True))
    monkeypatch.setitem(pruning.PRUNERS, "snip", measured)  # what is held is most when it measures
    argv = "--model half_empty:make --pruning snip --sparsity"
    (task,) = tasks(f"{argv} {sparsity}")
    cost = estimate.estimate(task)

    model, kept = own.build(task.network.origin, 10, 0), {}
    draw = torch.Generator().manual_seed(0)
    batch = torch.randn(128, 3, 32, 32, generator=draw), torch.randint(10, (128,), generator=draw)
    masks = pruning.prune("snip", model, sparsity, [batch], kept=kept)
    pruning.apply_masks(model, masks)
    (graph,) = graph_encoding.encode(model, "unrolled")
    assert cost.edges == pytest.approx(graph.num_edges, abs=1)
    assert cost.weights == pytest.approx(graph.num_edges, rel=0.02)
    (scores,) = kept.values()
    monkeypatch.setattr(estimate, "SCORE_BYTES", 0)
    less = cost.megabytes - estimate.estimate(task).megabytes
    assert 1e6 * less == pytest.approx(sum(score.nbytes for score in scores.values()))


def test_scores_that_take_longer_than_all_else_are_dear():
    sparsities = "--sparsity 0.9 0.95 0.98"
    for pruner, expected in (("snip", False), ("grasp", True), ("prospr", True), ("erk", False)):
        runs = tasks(f"--pruning {pruner} {sparsities}")
        assert estimate.is_dear(runs[0], len(runs)) == expected
        cost = estimate.estimate(runs[0])
        if expected:
            most = int(cost.once / (cost.seconds - cost.once))
            assert [estimate.is_dear(runs[0], n) for n in (most, most + 1)] == [True, False]
    (trained,) = tasks("--pruning prospr --training")
    assert not estimate.is_dear(trained, 1)


def test_a_sweep_waits_for_scores_that_are_dear(tmp_path, monkeypatch):
    told = {}

    def run(tasks, work, **how):
        told.update(how)
        yield from ()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.execution, "run", run)
    monkeypatch.setattr(console, "sizes_of", lambda options, runs: estimate.size)
    argv = ["--pruning", "snip", "prospr", "--sparsity", "0.9", "0.98", "--jobs", "2"]
    runs = tasks(" ".join(argv))
    assert console.run_sweep(flags.parse(argv), runs, runs, print) == 0
    waits = {run.network.pruning: told["waits"](run, 2) for run in runs}
    assert waits == {"snip": False, "prospr": True}


def test_a_saved_network_is_not_pruned_again():
    (task,) = tasks("--pruning prospr")
    loaded = replace(task, network=replace(task.network, file="there.pt"))
    made, read = (estimate.estimate(t) for t in (task, loaded))
    assert read.seconds < made.seconds
    assert read.megabytes < made.megabytes


def test_motifs_cost_by_geometry():
    """As many edges cost more where more paths of two steps or more taps have to be looked at."""
    (few,) = tasks("--pruning uniform --model CONV-6 --sparsity 0.98")
    source = Source("CONV-6", None, few.network.input_shape)
    nodes, _, cost, weights, *_ = estimate.size(source, "CIFAR-10", "uniform", 0.98, False)
    graph = graph_of(few.network)
    assert weights == graph.kept_weights
    every = [way for term in walks.terms(graph) for way in term.ways]
    assert cost.seconds > choice.PATH * min(way.paths for way in every)
    assert cost == walks.cost(graph)
    assert estimate.estimate(few).seconds > cost.seconds + estimate.NODE_SECONDS * nodes
    # Those that need data are taken to cost what uniform masks do.
    assert estimate.size(source, "CIFAR-10", "snip", 0.98, False).motifs == cost


def test_dense_blocks_take_less_time_than_as_many_edges_of_sparse_ones():
    """Their products are convolutions: an edge of what is whole costs a quarter."""
    sizes = {}
    for sparsity in (0.98, 0.7, 0.0):
        source = Source("CONV-6", None, (3, 32, 32))
        size = sizes[sparsity] = estimate.size(source, "CIFAR-10", "uniform", sparsity, False)
        assert size.visits <= size.edges
    assert sizes[0.98].visits > 0.9 * sizes[0.98].edges
    assert sizes[0.98].visits < sizes[0.7].visits
    assert sizes[0.0].visits == pytest.approx(estimate.AS_SPARSE * sizes[0.0].edges)


def spectra_at_once(monkeypatch, graph, threads, free):
    """How many spectra of a graph really run at once; each waits for the other, if that may run."""
    expected = threading.Barrier(2 if threads > 1 and free > 1000 else 1)
    running, most = set(), []

    def spectrum(name, graph):
        running.add(name)
        expected.wait(600)
        time.sleep(0.02)  # for one that should not run
        most.append(len(running))
        expected.wait(600)
        running.discard(name)
        return {name: 0.0}

    monkeypatch.setattr(spectra, "spectral_gap", partial(spectrum, "spectral-gap"))
    monkeypatch.setattr(spectra, "spectral_radius", partial(spectrum, "spectral-radius"))
    registry.compute(metrics.METRICS[-2:], graph, threads=threads)
    assert len(most) == 2
    return max(most)


@pytest.mark.parametrize("free", [10**6, 50])  # MB
@pytest.mark.parametrize("threads", [1, 2])
def test_as_many_spectra_are_estimated_as_run(monkeypatch, threads, free):
    """One after the other in a process of one thread, and where memory is short."""
    (task,) = tasks("--pruning dense --model Resnet-32")
    monkeypatch.setattr(estimate.memory, "available", lambda: free)
    cost = estimate.estimate(task, threads=threads)
    least = estimate.estimate(task, free=50, threads=1)
    at_once = spectra_at_once(monkeypatch, graph_of(task.network), threads, free)
    of_two, of_one = estimate.NODE_BYTES
    more = {1: 0, 2: of_two - of_one}[at_once] * cost.nodes / 1e6
    assert cost.megabytes - least.megabytes == pytest.approx(more)
    assert estimate.most_memory([task], threads=threads) == cost.megabytes


@pytest.mark.parametrize("side", [32, 224])
def test_motifs_of_a_flattened_map_by_their_paths(side):
    """Written out: so many edges, and the paths between two outputs or from the inputs to them."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * side * side, 20), nn.Linear(20, 10))
    sparsify(module, 0, [0.02])
    (graph,) = graph_encoding.encode(module, "unrolled", (3, side, side))
    found = [way for term in walks.terms(graph) for way in term.ways]
    matrix = graph.to_scipy().astype(bool).astype(np.int64)
    fan_in, fan_out = matrix.sum(axis=0), matrix.sum(axis=1)
    least = fan_in @ fan_out + min(fan_in[:-10] @ fan_in[:-10], fan_out @ fan_out)
    assert found[0].paths == fan_in @ fan_out
    assert sum(way.paths for way in found) <= least + fan_in[-10:] @ fan_in[-10:]
    assert walks.cost(graph).seconds < 1
    assert walks.cost(graph).bytes < 100e6


def files(folder):
    return sorted(str(file) for file in Path(folder).rglob("*") if file.is_file())


def test_dry_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = "--pruning erk dense --sparsity 0.98 0.9 --encoding rolled-channel unrolled"
    first, second, _ = tasks(argv)
    rolled, unrolled = first.measurements
    for task, measurement in ((first, unrolled), (second, rolled)):
        names = columns(measurement.encoding, measurement.graph_metrics)
        row = dict.fromkeys(names) | configuration(task.network, measurement)
        results.append(measurement.rows_in("results", task.network), names, [row])
    before = files(tmp_path)
    monkeypatch.setattr(main, "run_network", pytest.fail)
    assert main.main([*argv.split(), "--dry-run", "--jobs", "2"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    header, *lines, total = out.splitlines()
    assert header.split() == ["run", "done", "nodes", "edges", "seconds", "MB"]
    name = "Resnet-20 CIFAR-10 {} seed 0: {} topometrics"
    runs = [
        (name.format(network, encoding), done)
        for network, encoding, done in (
            ("erk 0.98", "rolled-channel", "no"),
            ("erk 0.98", "unrolled", "yes"),
            ("erk 0.9", "rolled-channel", "yes"),
            ("erk 0.9", "unrolled", "no"),
            ("dense 0", "rolled-channel", "no"),
            ("dense 0", "unrolled", "no"),
        )
    ]
    for line, (run, done) in zip(lines, runs, strict=True):
        assert line.startswith(f"{run:<76} {done:>4} "), line
        if "unrolled" in run:
            assert line.split()[-4] == "191,894"
    assert total.startswith("6 runs, 2 done, 4 to do: about ")
    assert files(tmp_path) == before


@pytest.mark.usefixtures("warm_workers")
def test_dry_run_of_jobs_counts_their_threads(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate.memory, "available", lambda: 10**6)
    argv = "--pruning dense --model Resnet-32 --seed 0 1 --threads 2 --dry-run --jobs"
    (task, _) = tasks("--pruning dense --model Resnet-32 --seed 0 1")
    for jobs, threads in (("1", 2), ("2", 1)):
        assert main.main([*argv.split(), jobs]) == 0
        _, line, *_ = capsys.readouterr().out.splitlines()
        assert line.split()[-1] == f"{estimate.estimate(task, threads=threads).megabytes:,.0f}"


def test_more_jobs_fit_with_a_thread_each(monkeypatch, capsys):
    """Each runs one spectrum then; with two threads each they may have no room."""
    argv = "--pruning dense --model Resnet-32 --seed 0 1 --jobs 2 --threads"
    todo = tasks(f"{argv} 2")
    monkeypatch.setattr(estimate.memory, "available", lambda: 10**6)
    needed = estimate.most_memory(todo, threads=1)
    assert estimate.most_memory(todo, threads=2) > 1.05 * needed
    free = 2.02 * needed / console.SHARE_OF_MEMORY
    monkeypatch.setattr(estimate.memory, "available", lambda: free)
    for threads, expected in (("2", (2, 1)), ("3", (2, 1)), ("4", (1, 4))):
        options = flags.parse(f"{argv} {threads}".split())
        assert console.divide(options, todo, estimate.size) == expected
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("main.py: warning: 1 of 2 jobs at once: ")


@pytest.mark.usefixtures("warm_workers")
def test_dry_run_tells_what_is_not_saved(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = "--pruning erk --seed 0 1 --encoding rolled-channel rolled"
    for task in tasks(argv):
        for measurement in task.measurements:
            names = columns(measurement.encoding, measurement.graph_metrics)
            row = dict.fromkeys(names) | configuration(task.network, measurement)
            results.append(measurement.rows_in("results", task.network), names, [row])
    options = flags.parse([*argv.split(), "--save-graph", "graphs"])
    network, measurement = task.network, task.measurements[0]
    options.save_graph.mkdir()
    file = measurement.graphs_in(options.save_graph, network)
    graph_encoding.save(file, [graph_of(network)], {})
    for more, done in (
        ("", "yes yes yes yes"),
        ("--save-graph graphs", "no no yes no"),
        ("--save-graph graphs --edges", "no no no no"),
        ("--save-snn snn", "no no no no"),
    ):
        assert main.main([*argv.split(), *more.split(), "--dry-run"]) == 0
        _, *lines, total = capsys.readouterr().out.splitlines()
        assert [line.split()[-5] for line in lines] == done.split()
        assert f"4 runs, {done.split().count('yes')} done" in total
    assert files("graphs") == [str(file)]


@pytest.mark.usefixtures("warm_workers")
@pytest.mark.parametrize("argv", ["--pruning erk", "--pruning erk --seed 0 1 --save-snn snn"])
def test_dry_run_writes_no_file(tmp_path, monkeypatch, capsys, argv):
    monkeypatch.chdir(tmp_path)
    assert main.main([*argv.split(), "--dry-run"]) == 0
    assert "2 to do" in capsys.readouterr().out or "--seed" not in argv
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (119, "119 seconds"), (120, "2.0 minutes"), (7200, "2.0 hours")],
)
def test_duration(seconds, text):
    assert estimate._duration(seconds) == text
    assert estimate._duration(86400 * 2.5) == "2.5 days"
