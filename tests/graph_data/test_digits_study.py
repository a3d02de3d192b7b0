"""The committed results on the digits: complete, what the program gives again, and the study's."""

from pathlib import Path

import pandas as pd
import pytest

import main
import pruning
from graph_data.study import __main__ as study
from graph_data.study import carried, claims, networks

FOLDER = Path(study.__file__).parents[1] / "digits"
REPORT = study.COMMITTED / "digits"
SEEDS = (0, 1, 2)
SPARSITIES = {
    "Resnet-20": (0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995),
    "CONV-6": (0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999),
}
TRAINED = {"accuracy", "training", "epochs", "batch_size", "lr"}
WEIGHTED = {"strength", "spectral-gap", "spectral-radius"}


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
        for pruner in networks.PRUNERS
        for sparsity in SPARSITIES[model]
        for seed in SEEDS
    } | {(model, "digits", "dense", 0.0, seed) for seed in SEEDS}
    assert set(networks.PRUNERS) | {"dense"} == set(pruning.PRUNERS)
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
    assert len(falls) == 2 * len(networks.PRUNERS)
    assert (falls["lost_low"] > 0).all()
    assert (falls["spearman_high"] < 0).all()


@pytest.mark.parametrize("pruner", ["uniform", "er", "erk"])
def test_topology_is_computed_again(pruner, tmp_path):
    """Pruners that need no data, so that neither device nor threads change a mask; any row."""
    table = rows("Resnet-20")
    table = table[(table["pruning"] == pruner) & (table["sparsity"] >= 0.9)]
    row = table.sample(1, random_state=len(pruner)).iloc[0]
    run = ["--model", "Resnet-20", "--dataset", "digits", "--pruning", pruner]
    run += ["--sparsity", str(row["sparsity"]), "--seed", str(row["seed"])]
    assert main.main([*run, "--output-dir", str(tmp_path)]) == 0
    (again,) = pd.read_csv(
        tmp_path / "graph_metrics/unrolled/unrolled-digits-Resnet-20.csv"
    ).to_dict("records")
    assert set(again) == set(row.index)
    for name in set(again) - TRAINED - WEIGHTED:
        assert again[name] == row[name], name


def test_the_committed_report_is_of_the_committed_results(tmp_path):
    flags = ["--data", FOLDER, "--jobs", 1, "--sections", "accuracy", "correlation"]
    flags += ["--output-dir", tmp_path, "--figures-dir", tmp_path / "figures"]
    assert study.main(list(map(str, flags))) == 0
    for name in ("accuracy/cells.csv", "accuracy/falls.csv"):
        assert (tmp_path / name).read_bytes() == (REPORT / name).read_bytes()
    # Sums in another order may change last digits.
    found, kept = (pd.read_csv(folder / "correlation/summary.csv") for folder in (tmp_path, REPORT))
    pd.testing.assert_frame_equal(found, kept, rtol=1e-3, atol=1e-4)


def test_the_committed_reports_are_of_the_committed_tables():
    here, there = (carried.tables_of(folder) for folder in (REPORT, study.COMMITTED))
    for name, table in carried.compare(here, there).items():
        kept = pd.read_csv(REPORT / "carried" / f"{name}.csv")
        pd.testing.assert_frame_equal(table, kept, check_dtype=False, rtol=1e-4)
    for folder, tables in ((REPORT, here), (study.COMMITTED, there)):
        text = (folder / "report.md").read_text()
        for claim in claims.CLAIMS.values():
            verdict = claim.rule(claim.comparisons(tables[claim.section][claim.table]))
            assert f"**{claim.text}: {verdict}.**" in text
