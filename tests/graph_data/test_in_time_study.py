"""The study of sparse training in time: its statistics, and the committed results on the digits."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import graph_encoding
import metrics
import models
import pruning
from graph_data import study
from graph_data.study import in_time
from pruning import PRUNERS

FOLDER = Path(study.__file__).parents[1] / "in_time"
REPORT = Path(study.__file__).parents[1] / "paper_results" / "in_time"


@pytest.fixture(scope="module")
def rows():
    files = sorted((FOLDER / "graph_metrics/unrolled").glob("*.csv"))
    return pd.concat([pd.read_csv(file, keep_default_na=False, na_values="") for file in files])


def test_by_chance_is_what_all_swaps_give():
    """With all 2 ** 10 swaps, the largest |t| of any column being Student's."""
    differences = np.random.default_rng(3).normal([0.9, 0.3, 0], 1, (10, 3))
    differences = np.hstack([differences, np.zeros((10, 1))])

    def sizes(values):
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        return np.abs(values.mean(axis=0)) / np.where(error > 0, error, np.inf)

    swaps = [np.array(signs)[:, None] for signs in itertools.product([1, -1], repeat=10)]
    largest = np.array([sizes(signs * differences).max() for signs in swaps])
    expected = (largest[:, None] >= sizes(differences) - 1e-12).mean(axis=0)
    found = in_time.by_chance(differences, seed=0)
    assert found == pytest.approx(expected, abs=4 * np.sqrt(0.25 / in_time.SWAPS))
    assert found[0] < 0.3 < found[2]
    assert found[3] == 1


def test_every_network_is_there_at_each_moment(rows):
    """Or has left a reason: trainings that diverged."""
    failed = pd.read_csv(FOLDER / "failures.csv", keep_default_na=False)
    assert failed["reason"].str.match("training diverged in epoch [1-8] ").all()
    network = ["model", "pruning", "sparsity", "seed"]
    gone = set(failed[network].itertuples(index=False, name=None))
    whole = set()
    for which, part in rows.groupby(network):
        pruner = PRUNERS[which[1]]
        moments = [8] if pruner.after_training else [0, 4, 8]
        there = list(part["epoch"])
        assert there == moments or (which in gone and there == moments[: len(there)]), which
        assert part["achieved_sparsity"].nunique() == 1, which
        moved = part["moved"].to_numpy()
        if pruner.change:
            assert moved[0] == 0 < min(moved[1:], default=1), which
        else:
            assert not moved.any(), which
        if there == moments and which[2] > 0:
            whole.add(which)
    assert not gone & whole
    each = pd.DataFrame([*gone, *whole], columns=network).groupby("pruning").size()
    assert set(each) == {2 * 4 * 3}


def test_the_first_moment_is_the_untrained_network_again(rows):
    """Whatever trained it afterwards: a mask of this machine, and torch's own forward pass."""
    model = models.build("Resnet-20", num_classes=10, seed=2)
    masks = pruning.prune("set", model, 0.99, seed=2)
    pruning.apply_masks(model, masks)
    (graph,) = graph_encoding.encode(model)
    found = metrics.topometrics(graph)
    (row,) = rows[
        (rows["model"] == "Resnet-20")
        & (rows["pruning"] == "set")
        & (rows["sparsity"] == 0.99)
        & (rows["seed"] == 2)
        & (rows["epoch"] == 0)
    ].to_dict("records")
    for name, value in found.items():
        assert row[name] == pytest.approx(value, rel=1e-7), name


def test_growth_in_the_report_is_that_of_the_rows(rows):
    """Relative differences of two metrics, pair by pair, by hand."""
    table = pd.read_csv(REPORT / "in_time/growth.csv")
    last = rows[rows["epoch"] == 8].set_index(["model", "sparsity", "seed", "pruning"])
    for grown, random in in_time.GROWTH:
        part = table[(table["grown"] == grown) & (table["random"] == random)]
        part = part.set_index("metric")
        for metric, size in (("sink_nodes", "nodes"), ("k-core", "edges")):
            by_cell = {}
            for (*cell, seed, name), row in last.iterrows():
                if name != grown or (*cell, seed, random) not in last.index:
                    continue
                other = last.loc[(*cell, seed, random)]
                a, b = (r[metric] / r[size] for r in (row, other))
                relative = (a - b) / ((abs(a) + abs(b)) / 2) if a or b else 0
                by_cell.setdefault(tuple(cell), []).append(relative)
            expected = np.mean([np.mean(values) for values in by_cell.values()])
            assert part.loc[metric, "difference"] == pytest.approx(expected, rel=1e-3)
            assert part.loc[metric, "pairs"] == sum(map(len, by_cell.values()))
