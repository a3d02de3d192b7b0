"""What the registries say of metrics holds of the metrics themselves."""

import threading
import time

import numpy as np
import pytest
from torch import nn

import metrics
import ramanujan
from graph_encoding import encode
from metrics import registry
from metrics.registry import columns_of, compute


def network(seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    module = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(48, 5))
    for layer in (module[0], module[2]):
        weight = rng.standard_normal(layer.weight.shape) * (rng.random(layer.weight.shape) < 0.4)
        layer.weight.data.copy_(layer.weight.new_tensor(scale * weight))
    return module


@pytest.mark.parametrize("metric", metrics.METRICS, ids=lambda metric: metric.where)
def test_a_metric_fills_its_columns(metric):
    for encoding in ("unrolled", "rolled"):
        for graph in encode(network(), encoding, (2, 4, 4)):
            assert list(metric.function(graph)) == [column.name for column in metric.columns]


def test_what_depends_on_weights_is_marked():
    one, other = (encode(network(scale=scale), "unrolled", (2, 4, 4))[0] for scale in (1.0, 3.0))
    before, after = metrics.topometrics(one), metrics.topometrics(other)
    moved = {name for name in before if before[name] != after[name]}
    assert moved == {column.name for column in columns_of(metrics.METRICS) if column.weighted}


def test_what_says_nothing_of_bipartite_graphs_is_marked():
    for graph in encode(network(), "rolled", (2, 4, 4)):
        values = metrics.topometrics(graph)
        silent = {c.name for c in columns_of(metrics.METRICS) if not c.bipartite}
        assert all(values[name] == 0 for name in silent - {"2-hop"})
        assert values["2-hop"] == values["1-hop"]


@pytest.mark.parametrize("room", [metrics, ramanujan], ids=lambda room: room.__name__)
def test_every_column_is_explained_in_one_line(room):
    columns = columns_of(room.METRICS)
    assert all(c.meaning and c.meaning == " ".join(c.meaning.split()) for c in columns)
    assert all(c.formula and c.divisor in (None, "nodes", "edges") for c in columns)
    assert len({c.name for c in columns}) == len(columns)


def test_metrics_that_do_not_fit_together_run_one_after_the_other(monkeypatch):
    """As many at a time as threads, but no more than there is memory for."""
    (graph,) = encode(network(), "unrolled", (2, 4, 4))
    lock, running, most = threading.Lock(), [], []
    together = threading.Barrier(2, timeout=600)

    def waits_for_another(_graph):
        together.wait()
        return {"a": 0}

    def counts(name):
        def function(_graph):
            with lock:
                running.append(name)
                most.append(len(running))
            time.sleep(0.01)
            with lock:
                running.remove(name)
            return {name: len(name)}

        return function

    monkeypatch.setattr(Functions, "wide", counts("wide"), raising=False)
    monkeypatch.setattr(Functions, "wider", counts("wider"), raising=False)
    metrics = [measured_by(name, held=1000) for name in ("wide", "wider", "wide", "wider")]
    monkeypatch.setattr("system.memory.available", lambda: 1500 * graph.num_nodes / 0.8e6)
    assert compute(metrics, graph, threads=4) == {"wide": 4, "wider": 5}
    assert max(most) == 1
    # Those that fit do run at the same time: each waits for the other.
    monkeypatch.setattr(Functions, "a", waits_for_another, raising=False)
    metrics = [measured_by("a", held=700) for _ in range(2)]
    assert compute(metrics, graph, threads=2) == {"a": 0}


def test_what_holds_most_is_begun_first(monkeypatch):
    """So that what takes long is not left for the end, when one core works and others wait."""
    (graph,) = encode(network(), "unrolled", (2, 4, 4))
    begun = []

    def noted(name):
        return lambda _graph: begun.append(name) or {name: 0}

    held = {"few": 5, "most": 70, "none": 0, "many": 30, "more": 30}
    for name in held:
        monkeypatch.setattr(Functions, name, noted(name), raising=False)
    values = compute([measured_by(name, each) for name, each in held.items()], graph)
    assert begun == ["most", "more", "many", "few", "none"]
    assert list(values) == list(held)


class Functions:
    """Where the functions of made-up metrics are found."""


def measured_by(name, held):
    """A metric that is computed by one of the functions."""
    where = f"{__name__}:Functions.{name}"
    return registry.Metric("group", where, (registry.Column(name, "meaning"),), held)
