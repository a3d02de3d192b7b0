"""The study as a command: what it takes, writes, and says about input that it cannot use."""

import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import study_folders as folders
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from figures import style
from graph_data import fetch
from graph_data.study import __main__ as study
from graph_data.study import (
    correlation,
    estimators,
    importance,
    networks,
    predictors,
    regression,
    scoring,
    validation,
)
from graph_data.study import section as load_section
from graph_data.tables import TableError
from runs import results
from runs.measures import MEASURES


@pytest.fixture(scope="module", autouse=True)
def single_thread():
    with threadpool_limits(1):
        yield


def make_quick(monkeypatch):
    """Small numbers and pictures, for what is computed in this process."""
    monkeypatch.setattr(style, "DPI", 20)
    for module in (validation, correlation):
        monkeypatch.setattr(module, "RESAMPLES", 20)
    monkeypatch.setattr(validation, "FOLDS", 2)
    monkeypatch.setattr(importance, "REPEATS", 1)
    monkeypatch.setattr(importance, "SPLITS", 1)
    monkeypatch.setattr(importance, "PERMUTATIONS", 1)
    monkeypatch.setattr(importance, "trees", few_trees)
    monkeypatch.setattr(scoring, "ESTIMATORS", {"ols": estimators.ols})
    strata = networks.Networks.strata.fget
    monkeypatch.setattr(
        networks.Networks,
        "strata",
        property(lambda self: [s for s in strata(self) if s[0] != "dataset"]),
    )
    every = regression.feature_sets
    monkeypatch.setattr(
        regression,
        "feature_sets",
        lambda found: (
            s for s in every(found) if s[1] == "joint" or s[2] in ("k-core", "Strength")
        ),
    )


def few_trees(x, y, groups, seed):
    """In the place of `estimators.trees`, whose Shapley values take the longest."""
    return HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=4, min_samples_leaf=2).fit(x, y)


@pytest.fixture
def quick(monkeypatch):
    make_quick(monkeypatch)
    monkeypatch.setattr(study, "save", blank)


def blank(figure, file):
    """In the place of a picture, which takes a second."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def drawn_once(figure, file):
    """One picture as it is; of the others all is laid out, and nothing is painted."""
    if "correlation" in file.name:
        style.save(figure, file)
    else:
        figure.draw_without_rendering()
        blank(figure, file)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    folders.write_small(folder)
    return folder


@pytest.fixture
def own(small, tmp_path):
    shutil.copytree(small, tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture(scope="module")
def small_cell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell")
    folders.write_small(folder, models=("CONV-6",), datasets=("CIFAR-10",))
    return folder


@pytest.fixture
def cell(small_cell, tmp_path):
    """One model and dataset only."""
    shutil.copytree(small_cell, tmp_path / "cell")
    return tmp_path / "cell"


@pytest.fixture
def unrolled(tmp_path):
    """Unrolled graphs only, of every model and dataset."""
    folders.write_small(tmp_path / "unrolled", unrolled_only=True)
    return tmp_path / "unrolled"


@pytest.fixture
def authors(tmp_path):
    folders.write_released(tmp_path / "authors")
    return tmp_path / "authors"


def one_line(capsys, *flags):
    """The line that a command with these flags gives, without its prefix."""
    assert study.main(list(map(str, flags))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.endswith("\n")
    assert err.startswith("graph_data.study: error: ")
    return err.removeprefix("graph_data.study: error: ").rstrip("\n")


def files_of(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


# What is written


@pytest.fixture(scope="module")
def studied(small, tmp_path_factory):
    """Files written and text printed by a whole study."""
    folder = tmp_path_factory.mktemp("studied") / "own"
    shutil.copytree(small, folder)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
        make_quick(patch)
        patch.setattr(study, "save", drawn_once)
        assert study.main(["--data", str(folder), "--jobs", "1", "--models", "CONV-6"]) == 0
    return files_of(folder / "paper_results"), printed.getvalue()


def test_everything_from_a_folder_of_main(studied):
    written, printed = studied
    report = written["report.md"].decode()
    assert printed.startswith(report)
    # Nothing is in doubt, there are no metrics but the paper's, and no moments but the last.
    for section in set(study.SECTIONS) - {"subsets", "further", "in_time"}:
        tables = [name for name in written if name.startswith(f"{section}/")]
        assert tables
        for name in tables:
            assert len(pd.read_csv(BytesIO(written[name]))), name
            assert f"({section}/" in report or not hasattr(load_section(section), "text")
    for section in ("correlation", "added", "regression", "importance", "ranking"):
        assert f"figures/study_{section}.png" in written
    assert written["figures/study_correlation.png"].startswith(b"\x89PNG")
    assert b"</svg>" in written["figures/study_correlation.svg"]
    linked = re.findall(r"\]\(([^)]*)\)", report)
    assert linked and set(linked) <= set(written)
    assert not [name for name in written if "unfinished" in name]


def test_report_has_no_nan(studied):
    assert not re.search(r"\bnan\b", studied[0]["report.md"].decode())


def test_same_data_and_seed_give_the_same_bytes(cell, tmp_path, monkeypatch):
    make_quick(monkeypatch)
    wanted = ["--data", cell, "--jobs", 1, "--sections", "correlation"]
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        assert study.main(list(map(str, [*wanted, "--output-dir", folder]))) == 0
    assert {"figures/study_correlation.svg", "report.md"} <= set(files_of(first))
    assert files_of(first) == files_of(second)

    data = networks.load(cell)
    one, two = (study.compute(data, ["correlation"], seed=seed) for seed in (0, 1))
    one, two = one["correlation"]["correlations"], two["correlation"]["correlations"]
    pd.testing.assert_series_equal(one["r"], two["r"])
    assert (one["r_low"] != two["r_low"]).mean() > 0.8


def test_order_of_rows_and_files_does_not_matter(small_cell, cell):
    for file in cell.rglob("*.csv"):
        first, *rows = file.read_text().splitlines(keepends=True)
        file.write_text("".join([first, *reversed(rows)]))
    one, two = networks.load(small_cell), networks.load(cell)
    pd.testing.assert_frame_equal(one.runs, two.runs)
    for name in one.features:
        pd.testing.assert_frame_equal(one.features[name], two.features[name])


def test_processes_do_not_change_the_tables(small_cell, monkeypatch, long):
    """Processes that begin from nothing: the trees and their Shapley values take long to import."""
    data = networks.load(small_cell)
    monkeypatch.setattr(importance, "SPLITS", 1)
    monkeypatch.setattr(importance, "REPEATS", 1)  # in this process, that makes the tasks
    monkeypatch.setattr(
        networks.Networks,
        "strata",
        property(lambda self: [("overall", "all", np.ones(len(self.runs), dtype=bool))]),
    )
    sections = ["correlation", "importance"] if long else ["correlation", "sensitivity"]
    one = study.compute(data, sections, seed=3, jobs=1)
    two = study.compute(data, sections, seed=3, jobs=2)
    assert list(one) == list(two) == sections
    for section, tables in one.items():
        assert list(tables) == list(two[section])
        for name, table in tables.items():
            pd.testing.assert_frame_equal(table, two[section][name], check_exact=True)
            assert len(table) or name in ("agreement", "differences")  # between strata


def test_released_folder_is_read_in_its_layout(authors, quick):
    assert study.main(["--data", str(authors), "--jobs", "1", "--sections", "correlation"]) == 0
    table = pd.read_csv(authors / "paper_results" / "correlation" / "correlations.csv")
    assert len(table) == 2 * 3 * 2


def test_only_the_whole_study_of_the_released_data_goes_where_it_is_committed(
    monkeypatch, authors, tmp_path, quick
):
    monkeypatch.setattr(fetch, "PUBLISHED", authors)
    monkeypatch.setattr(study, "COMMITTED", tmp_path / "committed")
    monkeypatch.setattr(study, "FIGURES", tmp_path / "plots")
    monkeypatch.setattr(study, "SECTIONS", {"correlation": correlation.__name__})  # soon done
    for part in (["--seed", "1"], ["--pruners", "snip", "synflow"]):
        assert study.main(["--jobs", "1", *part]) == 0
        assert (authors / "paper_results" / "figures" / "study_correlation.png").exists()
        assert not (tmp_path / "committed").exists()
        assert not (tmp_path / "plots").exists()
        shutil.rmtree(authors / "paper_results")
    assert study.main(["--jobs", "1", "--sections", "correlation"]) == 0  # all there are here
    assert (tmp_path / "committed" / "report.md").exists()
    assert (tmp_path / "plots" / "study_correlation.png").exists()
    assert not (authors / "paper_results").exists()


def test_help_and_wrong_flags(capsys):
    with pytest.raises(SystemExit) as caught:
        study.main(["--help"])
    assert caught.value.code == 0
    assert "--dense-accuracy" in capsys.readouterr().out
    for wrong in (["--sections", "none"], ["--see", "1"]):
        assert study.main(wrong) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("graph_data.study: error: ")


def test_command_of_the_readme(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "graph_data.study", "--data", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("graph_data.study: error: ")
    assert done.stderr.count("\n") == 1


def test_interrupt_is_said(monkeypatch, cell, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(networks, "load", interrupt)
    assert study.main(["--data", str(cell)]) == 130
    assert capsys.readouterr().err.count("\n") == 1
    assert not (cell / "paper_results").exists()


def test_output_that_cannot_be_written_is_named(cell, tmp_path, capsys, quick):
    (tmp_path / "file").touch()
    flags = ["--data", cell, "--jobs", 1, "--sections", "correlation"]
    assert str(tmp_path / "file") in one_line(
        capsys, *flags, "--output-dir", tmp_path / "file" / "x"
    )


# A section of one's own

SECTION = """
import pandas as pd
from joblib import delayed

def tasks(networks, seed):
    return [delayed(len)(networks.runs)]

def collect(results):
    return {"count": pd.DataFrame({"networks": results})}
"""
SAYING = """
def text(tables):
    return f"## Counted\\n\\nThere are {tables['count'].at[0, 'networks']}."

def verdict(tables):
    return "**Counting: holds.**"

def plot(tables):
    from matplotlib.figure import Figure
    return Figure()
"""


@pytest.mark.parametrize("rest", ["", SAYING], ids=["tables alone", "with all"])
def test_section_is_one_file_and_one_line(cell, tmp_path, monkeypatch, quick, rest):
    name = f"section_of_ones_own_{len(rest)}"
    (tmp_path / f"{name}.py").write_text(SECTION + rest)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(study.SECTIONS, "counted", name)
    flags = ["--data", str(cell), "--jobs", "1", "--sections", "counted", "accuracy"]
    assert study.main(flags) == 0
    written = files_of(cell / "paper_results")
    assert written["counted/count.csv"] == b"networks\n16\n"
    report = written["report.md"].decode()
    assert ("## Counted\n\nThere are 16." in report) == bool(rest)
    assert ("- **Counting: holds.**" in report) == bool(rest)
    assert ("figures/study_counted.png" in written) == bool(rest)
    assert "## Accuracy" in report


# What is selected


def values(found, column):
    return sorted(found.runs[column].unique())


def test_selection(small):
    everything = networks.load(small)
    assert values(everything, "pruning") == sorted(folders.SMALL["pruners"])
    some = networks.load(small, models=["CONV-6"], datasets=["CIFAR-100"], pruners=["erk", "snip"])
    assert values(some, "model") == ["CONV-6"]
    assert values(some, "dataset") == ["CIFAR-100"]
    assert values(some, "pruning") == ["erk", "snip"]
    assert len(some.runs) == 8
    names = [*predictors.registry(), "sparsity"]
    assert list(some.features) == [name for name in names if " + " not in name]
    for name in some.features:
        assert len(some.features[name]) == 8
        assert some.features[name].notna().all(axis=None)


def test_features_belong_to_their_networks(small):
    found = networks.load(small, models=["Resnet-20"])
    table = folders.runs(**folders.SMALL)
    expected = table.join(folders.random(table))
    merged = found.runs.merge(expected, on=folders.RUN)
    assert len(merged) == len(found.runs)
    for name in folders.TOPOMETRICS:
        np.testing.assert_allclose(found.features["unrolled"][name], merged[name], rtol=1e-12)
    assert list(found.features["unrolled"]) == [
        n for n in predictors.TOPOMETRICS if n in folders.TOPOMETRICS
    ]
    # A bipartite metric: mean over the layers by mean size over the layers.
    layers = [folders.raw(folders.random(table, seed=1 + i), i) for i in range(folders.LAYERS)]
    ratio = sum(part["k-core"] for part in layers) / sum(part["edges"] for part in layers)
    merged = found.runs.merge(table.assign(ratio=ratio), on=folders.RUN)
    np.testing.assert_allclose(found.features["rolled"]["k-core"], merged["ratio"], rtol=1e-12)
    assert not predictors.NOT_BIPARTITE & set(found.features["rolled-channel"])


def rename(folder, old, new):
    """Give a model or pruner another name in every file of a folder."""
    for file in folder.rglob("*.csv"):
        file.write_text(re.sub(rf"(?<=,){old}(?=,)", new, file.read_text()))


def test_of_the_released_data_all_takes_other_pruners(authors):
    rename(authors, "snip", "rigl")
    assert values(networks.load(authors), "pruning") == ["grasp", "synflow"]
    found = networks.load(authors, everything=True)
    assert values(found, "pruning") == ["grasp", "rigl", "synflow"]
    assert values(networks.load(authors, pruners=["rigl"]), "pruning") == ["rigl"]


def test_own_results_are_studied_with_every_model_and_pruner_but_dense(tmp_path):
    folders.write_small(
        tmp_path,
        unrolled_only=True,
        models=("CONV-6", "my.model"),
        pruners=("dense", "snip", "mine"),
        seeds=(0,),
    )
    found = networks.load(tmp_path)
    assert values(found, "model") == ["CONV-6", "my.model"]
    assert values(found, "pruning") == ["mine", "snip"]
    assert values(networks.load(tmp_path, pruners=["mine"]), "pruning") == ["mine"]


@pytest.mark.parametrize(
    ("flag", "known"), [("--models", "CONV-6"), ("--datasets", "CIFAR-10"), ("--pruners", "erk")]
)
def test_unknown_name_is_said_with_those_that_there_are(cell, capsys, flag, known):
    line = one_line(capsys, "--data", cell, flag, known, "nobody")
    assert str(cell) in line and "'nobody'" in line and known in line
    assert not (cell / "paper_results").exists()


def test_nothing_of_the_papers(authors, capsys):
    rename(authors, "Resnet-20", "MobileNetV2")
    assert "--all" in one_line(capsys, "--data", authors)


def test_nothing_but_dense_networks(tmp_path, capsys):
    folders.write_small(tmp_path, unrolled_only=True, pruners=("dense",), sparsities=(0.0,))
    assert "no pruned network" in one_line(capsys, "--data", tmp_path)


# Accuracy


def of_pruned(folder, **choice):
    found = networks.load(folder, **choice)
    return found.runs.set_index(folders.RUN)


def test_drop_is_from_the_best_accuracy_of_any_row(tmp_path):
    table = folders.write_small(tmp_path, unrolled_only=True, pruners=("snip", "erk", "rigl"))
    best = table.groupby(["model", "dataset"])["accuracy"].transform("max")
    expected = table.assign(best=best).set_index(folders.RUN)
    for drop in ("relative", "absolute"):
        found = of_pruned(tmp_path, drop=drop)
        known = expected.loc[found.index]
        lost = known["best"] - known["accuracy"]
        np.testing.assert_allclose(found["baseline_accuracy"], known["best"])
        assert set(found["baseline"]) == {"best_sparse_accuracy"}
        np.testing.assert_allclose(
            found["drop"], lost / known["best"] if drop == "relative" else lost, atol=1e-15
        )


def test_dense_rows_give_the_dense_accuracy(tmp_path):
    table = folders.runs(sparsities=(0.9,)).assign(accuracy=0.6)
    dense = folders.runs(models=("CONV-6",), pruners=("dense",), sparsities=(0.0,))
    dense["accuracy"] = np.where(dense["dataset"] == "CIFAR-10", 0.9, 0.5) + 0.01 * dense["seed"]
    both = pd.concat([table, dense], ignore_index=True)
    folders.write(tmp_path, both, folders.raw(folders.random(both)))
    found = of_pruned(tmp_path)
    assert set(found.reset_index()["pruning"]) == set(folders.PRUNERS)
    by_pair = found.groupby(["model", "dataset"])["baseline_accuracy"].first()
    assert by_pair["CONV-6", "CIFAR-10"] == pytest.approx(0.91)  # mean of 0.90, 0.91, 0.92
    assert by_pair["CONV-6", "CIFAR-100"] == pytest.approx(0.51)  # though pruned ones are better
    assert by_pair["Resnet-20", "CIFAR-10"] == pytest.approx(0.6)  # no dense row: the best
    kinds = found.groupby("model")["baseline"].unique()
    assert kinds["CONV-6"].tolist() == ["dense_accuracy"]
    assert kinds["Resnet-20"].tolist() == ["best_sparse_accuracy"]
    assert found["drop"].min() == pytest.approx((0.51 - 0.6) / 0.51)


def test_dense_accuracy_from_a_file(unrolled, tmp_path, capsys):
    file = tmp_path / "dense.csv"
    pairs = [f"{m},{d}" for m in folders.MODELS for d in folders.DATASETS]
    file.write_text(
        "model,dataset,accuracy,source\n"
        + "".join(f"{pair},{0.9 + 0.01 * i},x\n" for i, pair in enumerate(pairs))
    )
    found = of_pruned(unrolled, dense_accuracy=file, drop="absolute")
    by_pair = found.groupby(["model", "dataset"])["baseline_accuracy"].first()
    assert by_pair["CONV-6", "CIFAR-100"] == pytest.approx(0.91)
    assert by_pair["Resnet-20", "CIFAR-100"] == pytest.approx(0.93)
    np.testing.assert_allclose(found["drop"], found["baseline_accuracy"] - found["accuracy"])

    text = file.read_text()
    flags = ["--data", unrolled, "--dense-accuracy", file]
    file.write_text(text.replace("Resnet-20,CIFAR-10,", "Resnet-32,CIFAR-10,"))
    assert one_line(capsys, *flags) == f"{file}: no dense accuracy of Resnet-20 on CIFAR-10"
    file.write_text(text.replace("Resnet-20,CIFAR-10,", "CONV-6,CIFAR-10,"))
    assert f"{file}, line 4: the run of line 2 again" in one_line(capsys, *flags)
    file.write_text(text.replace("0.91", "91"))
    assert f"{file}, line 3, column 'accuracy': '91' is outside" in one_line(capsys, *flags)
    file.unlink()
    assert one_line(capsys, *flags) == f"{file}: no such file"


def test_dense_accuracy_is_needed_of_selected_networks_only(unrolled, tmp_path):
    file = tmp_path / "dense.csv"
    file.write_text("model,dataset,accuracy\nCONV-6,CIFAR-10,0.95\n")
    found = of_pruned(unrolled, models=["CONV-6"], datasets=["CIFAR-10"], dense_accuracy=file)
    assert set(found["baseline_accuracy"]) == {0.95}
    assert set(found["baseline"]) == {"dense_accuracy"}


def test_networks_without_accuracy_are_ignored(tmp_path, capsys):
    table = folders.runs(models=("CONV-6",), sparsities=(0.9,)).assign(accuracy=0.5)
    table.loc[::2, "accuracy"] = np.nan
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    assert len(networks.load(tmp_path).runs) == len(table) // 2

    nothing = tmp_path / "nothing"
    folders.write(nothing, table.assign(accuracy=np.nan), folders.raw(folders.random(table)))
    line = one_line(capsys, "--data", nothing)
    assert str(nothing) in line and "accuracy" in line


def test_accuracies_that_differ_between_files(cell, capsys):
    file = MEASURES["topometrics"].file(cell, "unrolled", "CIFAR-10", "CONV-6")
    rows = results.read(file)
    rows[0]["accuracy"] = 0.123
    file.unlink()
    results.append(file, list(rows[0]), rows)
    line = one_line(capsys, "--data", cell)
    assert "different accuracies" in line and rows[0]["pruning"] in line


# Layers


@pytest.mark.parametrize("aggregation", ["mean", "weighted"])
def test_aggregation_of_layers(tmp_path, aggregation):
    table = folders.runs(models=("CONV-6",), sparsities=(0.9,)).assign(accuracy=0.5)
    layers = folders.layers(table)
    layers[0].loc[3, "imdb"] = np.nan
    layers[0].loc[4, "imdb"] = layers[1].loc[4, "imdb"] = np.nan
    folders.write(tmp_path, table, None, None, layers)
    found = networks.load(tmp_path, aggregation=aggregation)
    where = found.runs.merge(table.reset_index(), on=folders.RUN)["index"]
    for name in (*predictors.RAMANUJAN, "layer_density"):
        key = "density" if name == "layer_density" else "ramanujan"
        for row, index in enumerate(where):
            total = weight = 0
            for layer in layers:
                value, size = layer.loc[index, name], layer.loc[index, "no_params"]
                if not np.isnan(value):
                    total += value * (size if aggregation == "weighted" else 1)
                    weight += size if aggregation == "weighted" else 1
            expected = total / weight if weight else np.nan
            assert found.features[key].loc[row, name] == pytest.approx(expected, nan_ok=True)
    assert found.features["ramanujan"]["imdb"].isna().sum() == 1
    assert len(found.complete().runs) == len(table) - 1


# Input that cannot be used


def test_empty_folder_and_no_folder(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "none"):
        line = one_line(capsys, "--data", folder)
        assert str(folder) in line and "main.py" in line


def test_released_data_that_are_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fetch, "PUBLISHED", tmp_path / "published")
    line = one_line(capsys)
    assert str(tmp_path / "published") in line
    assert "python -m graph_data.fetch" in line


def spoil_cell(line, column, text):
    """Put `text` into a column of a line."""

    def change(lines):
        cells = lines[line - 1].split(",")
        cells[lines[0].split(",").index(column)] = text
        return [*lines[: line - 1], ",".join(cells), *lines[line:]]

    return change


def spoil_header(old, new):
    return lambda lines: [
        ",".join(new if name == old else name for name in lines[0].split(",")),
        *lines[1:],
    ]


SPOILT = {
    "missing column": (spoil_header("sparsity", "sparse"), ", line 1: no column 'sparsity'"),
    "missing metric": (spoil_header("nodes", "knots"), ", line 1: no column 'nodes'"),
    "text in a number": (spoil_cell(3, "edges", "x"), ", line 3, column 'edges': 'x'"),
    "nan in a number": (spoil_cell(3, "edges", "nan"), ", line 3, column 'edges': 'nan'"),
    "inf in a number": (spoil_cell(3, "nodes", "inf"), ", line 3, column 'nodes': 'inf'"),
    "accuracy in per cent": (spoil_cell(4, "accuracy", "91.5"), ", line 4, column 'accuracy'"),
    "sparsity out of range": (spoil_cell(2, "sparsity", "-0.1"), ", line 2, column 'sparsity'"),
    "fraction in a count": (spoil_cell(2, "seed", "0.5"), ", line 2, column 'seed': '0.5'"),
    "no model": (spoil_cell(2, "model", ""), ", line 2, column 'model'"),
    "two columns": (spoil_header("dataset", "model"), ", line 1: two columns 'model'"),
    "too many cells": (lambda rows: [*rows[:2], rows[2] + ",1", *rows[3:]], "line 3"),
    "too many cells in the first row": (
        lambda rows: [rows[0], rows[1] + ",1", *rows[2:]],
        "line 2",
    ),
    "hardly any cells": (lambda rows: [*rows[:2], rows[2].split(",")[0], *rows[3:]], "line 3"),
    "blank line": (lambda rows: [*rows[:2], "", *rows[2:]], "line 3"),
    "header only": (lambda rows: rows[:1], "no row after the header"),
    "empty": (lambda rows: [], "empty"),
    "not UTF-8": (lambda rows: [*rows[:-1], "caf\udce9" + rows[-1]], "not a UTF-8"),
}


def assert_line(line, file, message):
    assert str(file) in line
    assert message in line


def spoil(file, change):
    lines = change(file.read_text().splitlines())
    text = "".join(f"{line}\n" for line in lines)
    file.write_bytes(text.encode(errors="surrogateescape"))


@pytest.mark.parametrize("what", SPOILT)
def test_spoilt_file_of_main(cell, capsys, what):
    change, message = SPOILT[what]
    file = MEASURES["topometrics"].file(cell, "unrolled", "CIFAR-10", "CONV-6")
    spoil(file, change)
    assert_line(one_line(capsys, "--data", cell), file, message)
    assert not (cell / "paper_results").exists()


@pytest.mark.parametrize("what", SPOILT)
def test_spoilt_unrolled_file_of_the_authors(authors, capsys, what):
    change, message = SPOILT[what]
    file = authors / "graph_metrics" / "unrolled" / "unrolled.csv"
    spoil(file, change)
    assert_line(one_line(capsys, "--data", authors), file, message)


@pytest.mark.parametrize(
    "name",
    [
        "graph_metrics/rolled/rolled-CIFAR-10-Resnet-20.csv",
        "graph_metrics/rolled_channel/rolled_channel-CIFAR-10-Resnet-20.csv",
        "ramanunjan_results/Resnet-20/rolled-CIFAR-10-Resnet-20.csv",
    ],
)
@pytest.mark.parametrize("what", ["fraction in a count", "missing column", "blank line", "empty"])
def test_spoilt_layer_files_of_the_authors(authors, capsys, name, what):
    change, message = SPOILT[what]
    spoil(authors / name, change)
    assert_line(one_line(capsys, "--data", authors), authors / name, message)


@pytest.mark.parametrize(
    "name",
    [
        "graph_metrics/rolled/rolled-CIFAR-10-CONV-6.csv",
        "graph_metrics/rolled-channel/rolled-channel-CIFAR-10-CONV-6.csv",
        "ramanujan_results/CONV-6/rolled-CIFAR-10-CONV-6.csv",
    ],
)
def test_spoilt_layer_files_of_main(cell, capsys, name):
    spoil(cell / name, spoil_cell(5, "layer_id", "1.5"))
    message = ", line 5, column 'layer_id': '1.5' is not a whole number"
    assert_line(one_line(capsys, "--data", cell), cell / name, message)


@pytest.mark.parametrize("layout", ["cell", "authors"])
def test_run_that_stands_twice(request, capsys, layout):
    folder = request.getfixturevalue(layout)
    if layout == "cell":
        file = MEASURES["topometrics"].file(folder, "unrolled", "CIFAR-10", "CONV-6")
    else:
        file = folder / "graph_metrics" / "unrolled" / "unrolled.csv"
    # Another value, or the authors' reader takes equal rows once.
    column = "nodes" if layout == "cell" else "spectral_gap"
    spoil(file, lambda lines: spoil_cell(len(lines) + 1, column, "0.5")([*lines, lines[1]]))
    last = len(file.read_text().splitlines())
    assert_line(one_line(capsys, "--data", folder), file, f", line {last}: the run of line 2 again")


# Columns that files lack


def test_metric_that_no_file_has_is_left_out_and_said(cell):
    folders.strip(cell, ["motifs", "imdb"])
    found = networks.load(cell)
    for name in predictors.PAPER:
        assert "motifs" not in found.features[name]
        assert f"{name}: motifs left out: no file has it." in found.notes
    assert "ramanujan: imdb left out: no file has it." in found.notes
    assert list(found.features["ramanujan"]) == ["delta_r", "iterative_spectral_gap"]
    assert len(found.complete().runs) == len(found.runs)


def test_metric_that_some_rows_lack_leaves_these_networks_incomplete(tmp_path):
    table = folders.runs(**folders.SMALL).assign(accuracy=0.5)
    graphs = folders.raw(folders.random(table))
    graphs.loc[table["pruning"] == "erk", "motifs"] = np.nan
    folders.write(tmp_path, table, graphs)
    found = networks.load(tmp_path)
    (note,) = found.notes
    assert note.startswith("best_sparse_accuracy")  # and no metric is left out
    assert "motifs" in found.features["unrolled"]
    assert values(found.complete(), "pruning") == ["grasp", "snip", "synflow"]
    (undefined,) = found.undefined().to_dict("records")
    assert (undefined["predictor"], undefined["undefined"]) == ("unrolled", "motifs")


def test_predictor_of_which_nothing_is_left(cell, capsys, quick):
    folders.strip(cell, ["layer_density"])
    flags = ["--data", str(cell), "--jobs", "1", "--sections", "correlation", "regression"]
    assert study.main(flags) == 0
    out = capsys.readouterr().out
    assert "density left out: no file has it for any of these networks." in out
    assert "Not computed, for lack of data: correlation." in out
    scores = pd.read_csv(cell / "paper_results" / "regression" / "scores.csv")
    assert {"ramanujan", "unrolled"} <= set(scores["predictor"])
    assert "density" not in set(scores["predictor"])


def test_weights_of_layers_that_files_lack(cell, capsys):
    folders.strip(cell, ["no_params"])
    assert len(networks.load(cell).features["ramanujan"])
    line = one_line(capsys, "--data", cell, "--aggregation", "weighted")
    assert "no_params" in line and "--aggregation mean" in line


# Small or lopsided data: no traceback


def test_six_networks_of_one_pruner_and_few_metrics(tmp_path, quick, capsys):
    design = {"models": ("CONV-6",), "datasets": ("CIFAR-10",), "pruners": ("mine",)}
    folders.write_small(tmp_path, **design, seeds=(0, 1, 2))
    folders.strip(tmp_path, [name for name in folders.TOPOMETRICS if name != "motifs"])
    assert study.main(["--data", str(tmp_path), "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "6 networks: 1 model (CONV-6), 1 dataset (CIFAR-10), 1 pruner (mine)" in out
    assert "Not computed, for lack of data: ranking, subsets, further, in_time." in out
    assert not re.search(r"\bnan\b", out)
    found = pd.read_csv(tmp_path / "paper_results" / "importance" / "collinearity.csv")
    assert set(found["metric"]) == {"motifs"} and found["r_with_closest"].isna().all()


def survives(folder, *flags):
    """A run with little data writes a report, or says in one line why not."""
    status = study.main(["--data", str(folder), "--jobs", "1", *flags])
    assert status in (0, 2)


def test_too_few_pruners_to_rank(own, quick):
    survives(own, "--pruners", "erk", "snip", "--sections", "ranking")


def test_one_network(tmp_path, quick):
    folders.write_small(
        tmp_path,
        models=("CONV-6",),
        datasets=("CIFAR-10",),
        pruners=("erk",),
        sparsities=(0.9,),
        seeds=(0,),
    )
    survives(tmp_path)


@pytest.mark.parametrize("section", ["importance", "sensitivity"])
def test_one_network_in_every_fold(tmp_path, quick, section, monkeypatch):
    monkeypatch.setattr(validation, "FOLDS", 6)
    folders.write_small(
        tmp_path,
        models=("CONV-6",),
        datasets=("CIFAR-10",),
        pruners=("erk", "snip", "grasp"),
        sparsities=(0.6, 0.9),
        seeds=(0,),
    )
    survives(tmp_path, "--sections", section)


def test_ramanujan_metric_that_is_undefined_everywhere_in_one_cell(tmp_path, quick):
    table = folders.runs(sparsities=(0.9,))
    table["accuracy"] = np.random.default_rng(0).random(len(table))
    layers = folders.layers(table)
    for layer in layers:
        layer.loc[table["model"] == "CONV-6", "imdb"] = np.nan
    folders.write(tmp_path, table, None, None, layers)
    survives(tmp_path, "--sections", "correlation")


@pytest.mark.parametrize("section", ["correlation", "sensitivity", "importance", "ranking"])
def test_accuracy_that_never_varies(tmp_path, section, quick, monkeypatch):
    chosen = {"ols": estimators.ols, "huber": estimators.huber}
    monkeypatch.setattr(scoring, "ESTIMATORS", chosen)
    table = folders.runs(models=("CONV-6",), sparsities=(0.9,), seeds=(0, 1)).assign(accuracy=0.1)
    folders.write(tmp_path, table, folders.raw(folders.random(table)), None, folders.layers(table))
    pair = folders.DATASETS if section in ("ranking", "importance") else folders.DATASETS[:1]
    survives(tmp_path, "--sections", section, "--datasets", *pair)


def test_accuracy_that_is_0_everywhere(tmp_path, quick):
    """The dense accuracy is then 0 too: no relative drop."""
    table = folders.runs(models=("CONV-6",), sparsities=(0.9,), seeds=(0, 1)).assign(accuracy=0.0)
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    survives(tmp_path, "--sections", "sensitivity")


def test_one_model_dataset_and_sparsity(tmp_path, quick):
    table = folders.runs(("CONV-6",), ("CIFAR-10",), sparsities=(0.9,))
    table["accuracy"] = np.random.default_rng(0).random(len(table))
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    survives(tmp_path, "--sections", "importance")


def test_sinks_that_one_models_files_lack(tmp_path, quick):
    table = folders.runs(sparsities=(0.9,), seeds=(0,))
    table["accuracy"] = np.random.default_rng(0).random(len(table))
    graphs = folders.raw(folders.random(table))
    graphs.loc[table["model"] == "CONV-6", "sink_nodes"] = np.nan
    folders.write(tmp_path, table, graphs, wiring="published")
    assert "sink_nodes" not in networks.load(tmp_path, wiring="published").features["unrolled"]
    survives(tmp_path, "--wiring", "published", "--sections", "sensitivity")


@pytest.mark.parametrize(
    "flags",
    [
        ("--jobs", "1.5"),
        ("--jobs", "0"),
        ("--seed", "-1"),
        ("--seed", str(2**32)),
    ],
)
def test_numbers_that_cannot_be(cell, capsys, quick, flags):
    jobs = () if "--jobs" in flags else ("--jobs", "1")
    command = ["--data", str(cell), "--sections", "sensitivity", *jobs, *flags]
    try:
        status = study.main(command)
    except SystemExit as refused:  # argparse
        status = refused.code
    assert status == 2
    assert flags[0] in capsys.readouterr().err


def test_unrolled_graphs_only_and_ramanujan_only(tmp_path, quick):
    table = folders.runs(models=("CONV-6",), pruners=folders.PRUNERS[:4], sparsities=(0.9,))
    table["accuracy"] = np.random.default_rng(0).random(len(table))
    folders.write(tmp_path / "a", table, folders.raw(folders.random(table)))
    folders.write(tmp_path / "b", table, None, None, folders.layers(table))
    for part in "ab":
        survives(tmp_path / part, "--sections", "correlation", "regression", "ranking")


@pytest.mark.parametrize("encoding", ["unrolled", "rolled"])
def test_same_run_in_two_files(cell, encoding):
    file = MEASURES["topometrics"].file(cell, encoding, "CIFAR-10", "CONV-6")
    shutil.copy(file, file.with_name("copy.csv"))
    with pytest.raises(TableError, match=r"copy\.csv"):
        networks.load(cell)


def test_networks_that_are_missing_in_a_file_are_counted(cell):
    file = MEASURES["topometrics"].file(cell, "rolled", "CIFAR-10", "CONV-6")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[: 1 + 2 * folders.LAYERS]))
    found = networks.load(cell)
    (note,) = (note for note in found.notes if not note.startswith("best_sparse_accuracy"))
    assert note.startswith("rolled: 14 of 16 networks")
    assert len(found.complete().runs) == 16 - 14
    assert found.undefined()[["predictor", "networks"]].values.tolist() == [["rolled", 14]]


def test_report_says_which_networks_are_left_out_and_by_which_predictor(tmp_path, capsys, quick):
    table = folders.runs(models=("CONV-6",), datasets=("CIFAR-10",), sparsities=(0.6, 0.9))
    table["accuracy"] = np.random.default_rng(0).random(len(table))
    layers = folders.layers(table)
    lost = (table["pruning"] == "erk") & (table["sparsity"] == 0.9)
    lost |= (table["pruning"] == "er") & (table["seed"] == 2)
    for layer in layers:
        layer.loc[lost, "imdb"] = np.nan
    folders.write(tmp_path, table, None, None, layers)
    assert study.main(["--data", str(tmp_path), "--jobs", "1", "--sections", "correlation"]) == 0
    out = capsys.readouterr().out
    assert "| ramanujan | imdb | 5 | er 0.6 (1), er 0.9 (1), erk 0.9 (3) |" in out

    table["accuracy"] += 1e-3
    folders.write(tmp_path / "all", table, None, None, folders.layers(table))
    whole = tmp_path / "all"
    assert study.main(["--data", str(whole), "--jobs", "1", "--sections", "correlation"]) == 0
    assert "undefined" not in capsys.readouterr().out


def test_errors_of_load_are_table_errors(cell):
    with pytest.raises(TableError):
        networks.load(cell, models=["nobody"])
