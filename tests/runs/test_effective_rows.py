"""Runs with --effective, from the command line to the rows."""

import operator

import pytest

import graph_encoding
import main
import models
import pruning
from metrics.extended.effective import effective
from pruning.weights import prunable_weights
from runs import results


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run main.py's `main` in an empty folder; gives exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        capsys.readouterr()
        return main.main(argv), *capsys.readouterr()

    return run


def test_an_effective_network_is_another_run_of_the_same_network(run):
    """Bipartite graphs too lose the weights that lie on no path through all of the network."""
    argv = ["--pruning=erk", "--sparsity=0.995", "--encoding=rolled"]
    for more in ([], ["--effective"], ["--identity-shortcuts", "--effective"]):
        status, out, _ = run(*argv, *more)
        assert status == 0
    assert "already in" in out  # bipartite graphs have one wiring
    rows = results.read("results/graph_metrics/rolled/rolled-CIFAR-10-Resnet-20.csv")
    assert [row["wiring"] for row in rows] == ["exact"] * 22 + ["exact+effective"] * 22
    whole, left = ([row["layer_density"] for row in part] for part in (rows[:22], rows[22:]))
    assert all(b <= a for a, b in zip(whole, left, strict=True)) and sum(left) < sum(whole)
    assert len({row["achieved_sparsity"] for row in rows}) == 1
    status, out, _ = run(*argv, "--encoding=unrolled", "--effective", "--identity-shortcuts")
    assert (status, "identity wiring, effective weights only" in out) == (0, True)

    model = models.build("Resnet-20", 10)
    pruning.apply_masks(model, pruning.prune("erk", model, 0.995, seed=0))
    (graph,) = graph_encoding.encode(model, "unrolled", wiring="identity")
    sizes = [weight.numel() for weight in prunable_weights(model).values()]
    kept = sum(map(operator.mul, left, sizes))
    found = effective(graph)["effective_sparsity"]
    assert found == pytest.approx(1 - kept / sum(sizes), abs=1e-9)
