"""The CSVs of main.py as tables: which rows and files are taken, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import study_folders as folders

import metrics
import ramanujan
from graph_data import measured
from graph_data.study import networks
from graph_data.tables import TableError
from graph_encoding import ENCODINGS, Encoding
from runs.measures import MEASURES


def refused(folder, **kwargs):
    with pytest.raises(TableError) as caught:
        measured.read_all(folder, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def small_table(**design):
    chosen = {
        "models": ("CONV-6",),
        "datasets": ("CIFAR-10",),
        "pruners": ("erk", "snip"),
        "sparsities": (0.9,),
        "seeds": (0,),
    }
    return folders.runs(**(chosen | design)).assign(accuracy=0.5)


def unrolled_file(folder):
    return MEASURES["topometrics"].file(folder, "unrolled", "CIFAR-10", "CONV-6")


def test_what_is_written_comes_back(tmp_path):
    table = folders.write_small(tmp_path)
    tables = measured.read_all(tmp_path)
    assert sorted(tables) == ["ramanujan", "rolled", "rolled-channel", "unrolled"]
    assert len(tables["unrolled"]) == len(table)
    assert all(len(tables[n]) == folders.LAYERS * len(table) for n in tables if n != "unrolled")
    merged = table.merge(tables["unrolled"], on=folders.RUN, suffixes=("", "_read"))
    assert len(merged) == len(table)
    assert (merged["accuracy"] == merged["accuracy_read"]).all()
    expected = folders.raw(folders.random(table))
    for name in expected:
        np.testing.assert_allclose(merged[name], expected[name], rtol=1e-15)
    assert set(metrics.COLUMNS) <= set(tables["unrolled"])
    assert set(ramanujan.COLUMNS) <= set(tables["ramanujan"])


@pytest.mark.parametrize("bipartite", [False, True])
def test_another_encoding_is_a_predictor_too(tmp_path, monkeypatch, bipartite):
    folders.write_small(tmp_path)
    alike = "rolled" if bipartite else "unrolled"
    monkeypatch.setitem(ENCODINGS, "rolled-own", Encoding("a:b", bipartite))
    for source in tmp_path.glob(f"*/*/{alike}-CIFAR*.csv"):
        file = Path(str(source).replace(alike, "rolled-own"))
        file.parent.mkdir(exist_ok=True)
        shutil.copy(source, file)
    found = networks.load(tmp_path)
    assert list(found.features)[:4] == ["unrolled", "rolled", "rolled-channel", "rolled-own"]
    pd.testing.assert_frame_equal(found.features["rolled-own"], found.features[alike])
    assert len(measured.read_all(tmp_path)["ramanujan"]) == folders.LAYERS * len(found.runs)


OLDER = ["encoding", "wiring", "training", "epochs", "batch_size", "lr", "epoch", "moved"]
OLDER += ["achieved_sparsity"]


def test_file_of_an_older_version_is_read_by_the_columns_that_it_has(tmp_path):
    folders.write_small(tmp_path, models=("CONV-6",), datasets=("CIFAR-10",))
    full = measured.read_all(tmp_path)
    lacks = ["motifs", "imdb", "no_params"]
    folders.strip(tmp_path, [*OLDER, "layer_name", *lacks])
    older = measured.read_all(tmp_path)
    assert list(older) == list(full)
    for name, table in older.items():
        assert list(table) == list(full[name])
        gone = table.columns.intersection(lacks)
        assert table[gone].isna().all(axis=None)
        kept = table.columns.difference([*OLDER, "layer_name", *gone])
        pd.testing.assert_frame_equal(table[kept], full[name][kept])
    with pytest.raises(TableError, match="--wiring published"):
        measured.read_all(tmp_path, "published")


@pytest.mark.parametrize("name", [*folders.RUN, "accuracy", "nodes", "edges"])
def test_what_a_file_must_have(tmp_path, name):
    table = small_table()
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    folders.strip(tmp_path, [name])
    assert refused(tmp_path).startswith(f"{unrolled_file(tmp_path)}, line 1: no column '{name}'")


def test_older_copy_of_a_run_is_refused(tmp_path):
    """Were both read, the study would have the network twice."""
    table = small_table()
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    file = unrolled_file(tmp_path)
    new = file.read_bytes()
    folders.strip(tmp_path, OLDER)
    file.rename(file.with_name("old.csv"))
    file.write_bytes(new)
    assert "a run that is in " in refused(tmp_path)
    file.unlink()
    old = file.with_name("old.csv")
    header, *rows = old.read_text().splitlines(keepends=True)
    old.write_text("".join([header, *rows, rows[1]]))
    assert refused(tmp_path) == (
        f"{old}, line 4: the run of line 3 again (model CONV-6, dataset CIFAR-10, pruning snip, "
        "sparsity 0.9, seed 0, wiring exact)"
    )


def test_rows_without_accuracy_are_left_out(tmp_path):
    table = small_table()
    table.loc[1, "accuracy"] = np.nan
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    tables = measured.read_all(tmp_path)
    assert list(tables) == ["unrolled"]
    assert list(tables["unrolled"]["pruning"]) == ["erk"]

    other = tmp_path / "other"
    folders.write(other, table.assign(accuracy=np.nan), folders.raw(folders.random(table)))
    message = refused(other)
    assert str(other) in message and "--training true" in message


def test_wiring_is_chosen_for_unrolled_graphs_only(tmp_path):
    table = small_table()
    for wiring, seed in (("exact", 0), ("published", 1)):
        graphs = folders.raw(folders.random(table, seed=seed)).assign(nodes=100 + seed)
        layers = folders.layers(table) if wiring == "exact" else None
        folders.write(tmp_path, table, graphs, None, layers, wiring=wiring)
    for wiring, nodes in (("exact", 100), ("published", 101)):
        tables = measured.read_all(tmp_path, wiring)
        assert set(tables["unrolled"]["nodes"]) == {nodes}
        assert len(tables["ramanujan"]) == 4
    only = tmp_path / "only"
    folders.write(only, table, folders.raw(folders.random(table)))
    assert "--wiring published" in refused(only, wiring="published")


def test_runs_as_released_are_not_mixed_with_others(tmp_path):
    table = small_table()
    graphs = folders.raw(folders.random(table))
    folders.write(tmp_path, table.assign(as_released="pruner"), graphs)
    assert set(measured.read_all(tmp_path)["unrolled"]["as_released"]) == {"pruner"}
    folders.write(tmp_path, table, graphs)
    assert refused(tmp_path).startswith(f"{unrolled_file(tmp_path)}: runs made --as-released")
    other = tmp_path / "other"
    folders.write(other, table.assign(as_released="pruner"), graphs)
    folders.write(other, table.assign(seed=7), None, None, folders.layers(table))
    assert refused(other).startswith(f"{other}: runs made --as-released")


def test_one_network_trained_in_two_ways_is_refused(tmp_path):
    table = small_table()
    graphs = folders.raw(folders.random(table))
    folders.write(tmp_path, table, graphs)
    other = table.iloc[1:].assign(epochs=2)
    folders.write(tmp_path, other, graphs)
    message = refused(tmp_path)
    assert (
        "several --epochs, --batch-size, --lr or --rounds" in message
        and "CONV-6, CIFAR-10" in message
    )
    assert str(unrolled_file(tmp_path)) in message


def test_moments_of_a_training_are_read_where_they_are_asked_for(tmp_path):
    """The end of a training is the same row with and without its epoch."""
    table = small_table()
    graphs = folders.raw(folders.random(table))
    for epoch, accuracy in ((0, 0.1), (40, 0.3), (None, 0.5)):
        part = table.iloc[:1].assign(epoch=epoch, accuracy=accuracy)
        folders.write(tmp_path, part, graphs, None, folders.layers(part))
    folders.write(tmp_path, table.iloc[1:].assign(epoch=160), graphs, None, folders.layers(table))
    for found in measured.read_all(tmp_path).values():
        assert set(found["epoch"]) == {160}
        assert set(found["pruning"]) == {"erk", "snip"}
        assert set(found["accuracy"]) == {0.5}
    both = measured.read_all(tmp_path, moments=True)
    erk = both["unrolled"][both["unrolled"]["pruning"] == "erk"]
    assert dict(zip(erk["epoch"], erk["accuracy"])) == {0: 0.1, 40: 0.3, 160: 0.5}
    assert len(both["ramanujan"]) == folders.LAYERS * 4
    other = table.iloc[:1].assign(epochs=2, epoch=1)  # a moment of another training
    folders.write(tmp_path, other, graphs, None, folders.layers(other))
    assert len(measured.read_all(tmp_path)["unrolled"]) == 2
    with pytest.raises(TableError, match="several --epochs, --batch-size, --lr"):
        measured.read_all(tmp_path, moments=True)


def test_ramanujan_is_of_the_rolled_encoding(tmp_path):
    table = small_table()
    folders.write(tmp_path, table, None, None, folders.layers(table, delta_r=0.5))
    file = MEASURES["ramanujan"].file(tmp_path, "rolled-channel", "CIFAR-10", "CONV-6")
    assert file.exists()
    file.write_text("not read")
    tables = measured.read_all(tmp_path)
    assert list(tables) == ["ramanujan"]
    assert set(tables["ramanujan"]["delta_r"]) == {0.5}


def test_undefined_metrics_and_whole_numbers_beyond_64_bits(tmp_path):
    table = small_table()
    graphs = folders.raw(folders.random(table)).astype({"motifs": object})
    graphs.loc[0, "spectral-gap"] = np.nan
    graphs.at[1, "motifs"] = 2**70 + 1
    folders.write(tmp_path, table, graphs)
    found = measured.read_all(tmp_path)["unrolled"]
    assert np.isnan(found.loc[0, "spectral-gap"])
    assert found.loc[1, "motifs"] == 2.0**70


def test_empty_folder_and_no_folder_say_what_to_run(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        message = refused(folder)
        assert str(folder) in message
        assert "main.py" in message and "graph_data.fetch" in message


def test_run_that_stands_twice_is_refused(tmp_path):
    table = small_table()
    both = pd.concat([table, table.iloc[:1].assign(accuracy=0.75)], ignore_index=True)
    folders.write(tmp_path, both, folders.raw(folders.random(both)))
    message = refused(tmp_path)
    assert message.startswith(f"{unrolled_file(tmp_path)}, line 4: the run of line 2 again (")


def test_layer_that_stands_twice_is_refused_but_not_two_layers(tmp_path):
    table = small_table()
    folders.write(tmp_path, table, None, None, folders.layers(table))
    file = MEASURES["ramanujan"].file(tmp_path, "rolled", "CIFAR-10", "CONV-6")
    measured.read_all(tmp_path)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines, lines[2]]))
    assert f"{file}, line 6: the run of line 3 again" in refused(tmp_path)


@pytest.mark.parametrize("cut", [1, 3, 40])
def test_a_last_line_without_its_line_break_is_refused(tmp_path, cut):
    """It may end within a number; half a number must not become a value."""
    table = small_table()
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    file = unrolled_file(tmp_path)
    file.write_bytes(file.read_bytes()[:-cut])
    assert f"{file}, line 3: " in refused(tmp_path)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_table_that_pandas_or_a_spreadsheet_wrote_is_the_same(tmp_path, ends):
    table = small_table()
    folders.write(tmp_path, table, folders.raw(folders.random(table)))
    file = unrolled_file(tmp_path)
    before = measured.read_all(tmp_path)["unrolled"]
    pd.read_csv(file).astype({"seed": float}).to_csv(file, index=False, lineterminator=ends)
    pd.testing.assert_frame_equal(measured.read_all(tmp_path)["unrolled"], before)
    text = file.read_text().replace("True", "TRUE")
    file.write_text(text, newline="", encoding="utf-8-sig")
    pd.testing.assert_frame_equal(measured.read_all(tmp_path)["unrolled"], before)
