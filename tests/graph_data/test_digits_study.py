"""The committed results on the digits: complete, what the program gives again, and the study's."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

import main
import metrics
import models
import pruning
from graph_data.markdown import markdown
from graph_data.study import __main__ as study
from graph_data.study import (
    added,
    agreement,
    carried,
    claims,
    correlation,
    estimators,
    importance,
    networks,
    ranking,
    regression,
    scoring,
    sensitivity,
)
from graph_encoding import encode
from metrics.registry import measure
from pruning import er, erk
from pruning.weights import prunable_shapes

FOLDER = Path(study.__file__).parents[1] / "digits"
REPORT = study.COMMITTED / "digits"
SCRIPT = Path(main.__file__).parent / "scripts" / "digits_study.sh"
PRUNERS = re.search(r"^PRUNERS=\$\{PRUNERS:-(.*)\}$", SCRIPT.read_text(), re.MULTILINE)[1].split()
PRUNERS.remove("dense")
SEEDS = (0, 1, 2)
SPARSITIES = {
    "Resnet-20": (0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995),
    "CONV-6": (0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999),
}


def rows(model, kind="graph_metrics/unrolled/unrolled"):
    return pd.read_csv(FOLDER / f"{kind}-digits-{model}.csv", keep_default_na=False, na_values="")


@pytest.mark.parametrize("model", SPARSITIES)
@pytest.mark.parametrize(
    "kind",
    [
        "graph_metrics/unrolled/unrolled",
        "graph_metrics/rolled/rolled",
        "graph_metrics/rolled-channel/rolled-channel",
        "ramanujan_results/{}/rolled",
        "ramanujan_results/{}/rolled-channel",
    ],
)
def test_every_network_of_the_design_is_there_once(model, kind):
    table = rows(model, kind.format(model))
    layers = table.groupby(networks.RUN).size()
    wanted = {
        (model, "digits", pruner, sparsity, seed)
        for pruner in PRUNERS
        for sparsity in SPARSITIES[model]
        for seed in SEEDS
    } | {(model, "digits", "dense", 0.0, seed) for seed in SEEDS}
    assert set(layers.index) == wanted
    assert layers.nunique() == 1
    assert table["training"].all()
    assert table["accuracy"].between(0, 1).all()


def test_dense_networks_have_learned_the_digits():
    for model in SPARSITIES:
        table = rows(model)
        assert table.loc[table["pruning"] == "dense", "accuracy"].min() >= 0.98


def test_accuracy_falls_with_sparsity_for_every_pruner():
    falls = pd.read_csv(REPORT / "accuracy" / "falls.csv")
    assert len(falls) == 2 * len(PRUNERS)
    assert (falls["lost"] > 0).all()
    assert (falls["spearman_high"] < 0).all()


def drawn_by_torch(pruner, shapes, sparsity, seed):
    """The masks of the committed rows: these are of the draws that the program had before."""
    generator = torch.Generator().manual_seed(seed)
    sizes = {name: shape.numel() for name, shape in shapes.items()}
    if pruner == "uniform":
        total = sum(sizes.values())
        ranks = torch.randperm(total, generator=generator)
        pieces = (ranks >= total - round((1 - sparsity) * total)).split(list(sizes.values()))
        return {name: piece.reshape(shapes[name]) for name, piece in zip(shapes, pieces)}
    masks = {name: torch.zeros(size, dtype=torch.bool) for name, size in sizes.items()}
    for name, kept in {"er": er, "erk": erk}[pruner].kept_per_layer(shapes, sparsity).items():
        masks[name][torch.randperm(sizes[name], generator=generator)[:kept]] = True
    return {name: mask.reshape(shapes[name]) for name, mask in masks.items()}


@pytest.mark.parametrize("pruner", ["uniform", "er", "erk"])
def test_topology_is_computed_again(pruner):
    """Pruners that need no data; any row, with its own masks."""
    table = rows("Resnet-20")
    table = table[(table["pruning"] == pruner) & (table["sparsity"] >= 0.9)]
    row = table.sample(1, random_state=len(pruner)).iloc[0]
    model = models.build("Resnet-20", 10)
    shapes = prunable_shapes(model)
    pruning.apply_masks(model, drawn_by_torch(pruner, shapes, row["sparsity"], int(row["seed"])))
    (graph,) = encode(model, "unrolled")
    # Weights are those of the end of a training.
    whole = [found for found in metrics.METRICS if not any(c.weighted for c in found.columns)]
    again = measure(whole, graph)
    assert set(again) <= set(row.index)
    assert len(again) == len(metrics.COLUMNS) - 3
    for name, value in again.items():
        assert value == row[name], name


def test_the_committed_report_is_of_the_committed_results(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "save", lambda figure, file: None)  # of tables here
    monkeypatch.setattr(correlation, "RESAMPLES", 500)  # all that takes long
    flags = ["--data", FOLDER, "--jobs", 1, "--sections", "accuracy", "correlation"]
    flags += ["--output-dir", tmp_path, "--figures-dir", tmp_path / "figures"]
    assert study.main(list(map(str, flags))) == 0
    for name in ("accuracy/cells.csv", "accuracy/falls.csv"):
        assert (tmp_path / name).read_bytes() == (REPORT / name).read_bytes()
    # Sums in another order may change last digits, and fewer resamples the ends of intervals.
    found, kept = (pd.read_csv(folder / "correlation/summary.csv") for folder in (tmp_path, REPORT))
    ends = ["low", "high"]
    pd.testing.assert_frame_equal(found[ends], kept[ends], rtol=0, atol=0.05)
    pd.testing.assert_frame_equal(
        found.drop(columns=ends), kept.drop(columns=ends), rtol=1e-3, atol=1e-4
    )


def assert_committed(found, section, name, keys):
    """The rows found are among the committed ones, but for their last digits."""
    kept = pd.read_csv(REPORT / section / f"{name}.csv", dtype=dict.fromkeys(keys, str))
    kept = found[keys].merge(kept, on=keys, how="left", validate="one_to_one")
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), kept[list(found)], check_dtype=False, rtol=2e-3, atol=2e-4
    )


@pytest.fixture(scope="module")
def data():
    return networks.load(FOLDER)


def results(tasks, wanted):
    return [function(*args) for function, args, _ in tasks if wanted(args[0])]


def test_committed_regression_is_computed_again_in_one_stratum(data, monkeypatch):
    # Where Huber's iteration stops depends on the processor's rounding; and it takes long.
    chosen = {name: fit for name, fit in estimators.ESTIMATORS.items() if name != "huber"}
    monkeypatch.setattr(scoring, "ESTIMATORS", chosen)

    def wanted(label):
        of_one = (label["kind"], label["stratum"]) == ("sparsity", "0.98")
        two = label.get("predictor", "unrolled") in ("unrolled", "ramanujan")
        few = label.get("level") != "metric" or label["name"] in ("k-core", "delta_r")
        return of_one and two and few

    tables = regression.collect(results(regression.tasks(data, 0), wanted))
    assert len(tables["scores"]) == 3 * (1 + 5 + 1 + 1 + 1)
    keys = ["kind", "stratum", "estimator"]
    assert_committed(
        tables["scores"], "regression", "scores", [*keys, "predictor", "level", "name"]
    )
    assert_committed(tables["differences"], "regression", "differences", [*keys, "than"])
    assert_committed(tables["ceilings"], "regression", "ceilings", keys[:2])


def test_what_topology_adds_is_computed_again_by_ols(data, monkeypatch):
    monkeypatch.setattr(scoring, "ESTIMATORS", {"ols": estimators.ols})
    tables = added.collect(results(added.tasks(data, 0), lambda _: True))
    keys = ["known", "estimator"]
    assert_committed(tables["scores"], "added", "scores", [*keys, "predictor"])
    assert_committed(tables["gains"], "added", "gains", [*keys, "predictor"])
    assert_committed(tables["differences"], "added", "differences", [*keys, "than"])


def test_committed_importance_is_computed_again_in_one_stratum(data, monkeypatch):
    monkeypatch.setattr(importance, "PERMUTATIONS", 1)  # takes the most time
    monkeypatch.setattr(importance, "SPLITS", 0)
    found = importance.collect(
        results(
            importance.tasks(data, 0),
            lambda label: (label["kind"], label["stratum"]) == ("sparsity", "0.98"),
        )
    )
    keys = ["kind", "stratum", "metric"]
    assert_committed(found["collinearity"], "importance", "collinearity", keys)
    permuted = found["importance"]["method"].str.endswith("permutation")
    keys.append("method")
    assert_committed(found["importance"][~permuted], "importance", "importance", keys)
    kept = pd.read_csv(REPORT / "importance" / "importance.csv", dtype={"stratum": str})
    both = found["importance"][permuted].merge(kept, on=keys)
    assert len(both) == 2 * 16
    for _, part in both.groupby("method"):
        assert part["importance_x"].corr(part["importance_y"]) > 0.9


@pytest.mark.parametrize("folder", [REPORT, study.COMMITTED])
def test_committed_agreement_is_that_of_the_committed_importance(folder):
    halves, kept = (
        pd.read_csv(folder / "importance" / f"{name}.csv", dtype={"first": str, "second": str})
        for name in ("halves", "differences")
    )
    found = agreement.differences(halves)
    pd.testing.assert_frame_equal(found, kept, check_dtype=False, rtol=2e-3, atol=2e-4)


def test_committed_ranking_is_computed_again(data):
    two = {name: data.features[name] for name in ("unrolled", "ramanujan")}
    tasks = ranking.tasks(replace(data, features=two), 0)
    tables = ranking.collect(results(tasks, lambda _: True))
    keys = ["sparsity", "predictor", "score"]
    assert_committed(tables["summary"], "ranking", "summary", keys)
    assert_committed(tables["differences"], "ranking", "differences", keys)
    assert_committed(tables["cells"], "ranking", "cells", [*networks.CELL, *keys[1:]])


@pytest.mark.parametrize("folder", [REPORT, study.COMMITTED])
def test_metrics_as_given_have_the_committed_scores_of_the_regression(folder):
    one, two = (pd.read_csv(folder / s / "scores.csv") for s in ("regression", "sensitivity"))
    one = one[(one["predictor"] == sensitivity.PREDICTOR) & (one["level"] == "joint")]
    two = two[two["variant"] == sensitivity.AS_GIVEN]
    columns = ["kind", "stratum", "estimator", "networks", "r2", "r2_low", "r2_high"]
    assert one[columns].values.tolist() == two[columns].values.tolist()


def test_the_committed_reports_are_of_the_committed_tables():
    here, there = (claims.tables_of(folder) for folder in (REPORT, study.COMMITTED))
    for name, table in carried.compare(here, there).items():
        kept = pd.read_csv(REPORT / "carried" / f"{name}.csv")
        pd.testing.assert_frame_equal(table, kept, check_dtype=False, rtol=1e-4)
    for folder, tables in ((REPORT, here), (study.COMMITTED, there)):
        text = (folder / "report.md").read_text()
        for claim in claims.CLAIMS.values():
            verdict = claim.verdict(claim.comparisons(tables[claim.section][claim.table]))
            assert f"**{claim.text}: {verdict}.**" in text
        assert claims.text(tables) in text
    assert markdown(claims.summary(there)) in (FOLDER.parent / "README.md").read_text()
