"""The authors' CSVs: their names, normalisation and faults, in tiny files of their formats."""

import numpy as np
import pytest
import study_folders as folders
from study_folders import (
    COUNTS,
    LAYER_ROW,
    LONG_HEADER,
    MEANS,
    RAMANUJAN_HEADER,
    RAMANUJAN_ROW,
    SHORT_HEADER,
    UNROLLED_HEADER,
    UNROLLED_ROW,
    run_of,
    short,
    write_csv,
    write_released,
)

from graph_data import released
from graph_data.tables import TableError


def write_unrolled(folder, *changes):
    file = folder / "unrolled.csv"
    rows = [UNROLLED_ROW | run_of(i) | change for i, change in enumerate(changes)]
    write_csv(file, UNROLLED_HEADER, rows)
    return file


def write_bipartite(folder, *changes, header=LONG_HEADER):
    rows = [LAYER_ROW | run_of(i) | change for i, change in enumerate(changes)]
    if header is SHORT_HEADER:
        rows = map(short, rows)
    write_csv(folder / "rolled.csv", header, rows)
    return folder / "rolled.csv"


def write_ramanujan(folder, *changes):
    rows = [RAMANUJAN_ROW | run_of(i) | change for i, change in enumerate(changes)]
    write_csv(folder / "ramanujan.csv", RAMANUJAN_HEADER, rows)
    return folder / "ramanujan.csv"


def refused(function, *files):
    with pytest.raises(TableError) as caught:
        function(*files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_all_tables_of_a_folder(tmp_path):
    assert not released.is_released(tmp_path)
    write_released(tmp_path, networks=3)
    assert released.is_released(tmp_path)
    tables = released.read_all(tmp_path)
    assert {name: len(table) for name, table in tables.items()} == {
        "unrolled": 3,
        "rolled": 6,
        "rolled-channel": 6,
        "ramanujan": 6,
    }
    for table in tables.values():
        assert set(table["pruning"]) == {"snip", "grasp", "synflow"}
        assert list(table.index) == list(range(len(table)))


def test_normalisation_is_undone_to_the_planted_counts(tmp_path):
    table = released.unrolled(write_unrolled(tmp_path, {}, {"sink_nodes": -6 / 191894}))
    for name, count in COUNTS.items():
        assert table.loc[0, name] == count, name  # exactly: counts are rounded
    for name, mean in MEANS.items():
        assert table.loc[0, name] == pytest.approx(mean, rel=1e-12)
    assert table.loc[0, "avg_connected_components"] == pytest.approx(5482.5, rel=1e-12)
    assert table.loc[0, "spectral-gap"] == 0.125
    assert table.loc[0, "spectral-radius"] == 9.75
    assert table.loc[1, "sink_nodes"] == -6


def test_empty_cells_stay_undefined(tmp_path):
    table = released.unrolled(write_unrolled(tmp_path, {"sink_nodes": None, "r-out": None}))
    assert np.isnan(table.loc[0, "sink_nodes"])
    assert np.isnan(table.loc[0, "removable_out"])
    assert table.loc[0, "source_nodes"] == 2003


@pytest.mark.parametrize(
    "column",
    [
        "sink_nodes",
        "disc_nodes",
        "r-in",
        "cut-edges",
        "motif",
    ],
)
def test_count_that_is_not_whole_is_refused(tmp_path, column):
    size = 7654321 if column in ("r-in", "cut-edges", "motif") else 191894
    spoilt = {column: UNROLLED_ROW[column] + 0.4 / size}
    if column == "motif":  # by nodes instead of edges, as the paper says
        spoilt = {column: COUNTS["motifs"] / 191894}
    file = write_unrolled(tmp_path, {}, spoilt)
    message = refused(released.unrolled, file)
    assert message.startswith(f"{file}, line 3, column {column!r}: times ")
    assert "whole" in message


def test_equal_rows_are_taken_once_and_others_refused(tmp_path):
    file = write_unrolled(tmp_path, {}, run_of(0), {"sink_nodes": None}, {**run_of(2)})
    lines = file.read_text().splitlines()
    assert lines[1] == lines[2]
    file.write_text("\n".join([*lines[:4], lines[3], lines[1]]) + "\n")
    table = released.unrolled(file)
    assert list(table["pruning"]) == ["snip", "synflow"]

    file = write_unrolled(tmp_path, {}, {}, {**run_of(0), "spectral_gap": 0.25})
    message = refused(released.unrolled, file)
    assert message.startswith(f"{file}, line 4: the run of line 2 again (model Resnet-20, ")
    file = write_unrolled(tmp_path, {}, {**run_of(0), "accuracy": 0.75})
    assert f"{file}, line 3: the run of line 2 again" in refused(released.unrolled, file)


@pytest.mark.parametrize("header", [LONG_HEADER, SHORT_HEADER])
def test_both_column_sets_give_the_same_raw_values(tmp_path, header):
    table = released.bipartite(write_bipartite(tmp_path, {}, {"layer_id": 1}, header=header))
    found = table.loc[0].to_dict()
    expected = {
        "pruning": "snip",
        "accuracy": 0.5,
        "layer_density": 0.25,
        "nodes": 100,
        "edges": 400,
        "motifs": 5000,
        "1-hop": 4.5,
        "strength": 1.5,
        "k-core": 2.5,
        "cut-edges": 3,
        "cut-nodes": 2,
        "connected_components": 5,
        "avg_connected_components": 20,
        "spectral-gap": 0.5,
        "spectral-radius": 7.5,
    }
    assert {name: found[name] for name in expected} == expected
    assert not {"sink_nodes", "source_nodes", "removable_out", "removable_in", "2-hop"} & set(table)
    assert list(table["layer_id"]) == [0, 1]


def test_spectra_of_a_layer_without_edges_are_0(tmp_path):
    gap, radius = [name for name in LONG_HEADER if name.startswith("spectral_")]
    gone = {gap: None, radius: None}
    file = write_bipartite(tmp_path, gone | {"edges": 0}, gone | {"edges": 1}, {"edges": 0})
    table = released.bipartite(file)
    np.testing.assert_array_equal(table["spectral-gap"], [0, np.nan, 0])
    np.testing.assert_array_equal(table["spectral-radius"], [0, np.nan, 0])


def test_layer_that_stands_twice_is_refused(tmp_path):
    file = write_bipartite(tmp_path, {}, run_of(0))
    assert f"{file}, line 3: the run of line 2 again" in refused(released.bipartite, file)


def test_ramanujan_rows_get_the_pruner_of_the_rolled_file(tmp_path):
    layers = [run_of(i) | {"layer_id": k, "layer_name": f"c{k}"} for i in (4, 1) for k in (0, 1)]
    partner = write_bipartite(tmp_path, *layers)
    file = write_ramanujan(tmp_path, *layers)
    table = released.ramanujan(file, partner)
    assert list(table["pruning"]) == ["uniform", "uniform", "grasp", "grasp"]
    assert table.loc[0, ["delta_r", "imdb", "iterative_spectral_gap"]].tolist() == [
        -1.25,
        -0.5,
        0.75,
    ]
    assert table.loc[0, ["layer_density", "no_weights", "no_params"]].tolist() == [0.25, 216, 864]


def test_minus_infinity_and_empty_cells_are_undefined(tmp_path):
    changes = (
        {"degree_bound": "-inf"},
        {"iterative_degree_bound": "-inf", "iterative_spectral_gap": None},
        {"degree_bound": None},
    )
    partner = write_bipartite(tmp_path, {}, {}, {})
    table = released.ramanujan(write_ramanujan(tmp_path, *changes), partner)
    np.testing.assert_array_equal(table["delta_r"], [np.nan, -1.25, np.nan])
    np.testing.assert_array_equal(table["imdb"], [-0.5, np.nan, -0.5])
    np.testing.assert_array_equal(table["iterative_spectral_gap"], [0.75, np.nan, 0.75])


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": 0.56},
        {"seed": 1},
        {"sparsity": 0.8},
        {"dataset": "CIFAR-100"},
        {"model": "Resnet-32"},
        {"layer_id": 1},
        {"layer_name": "conv2"},
    ],
)
def test_files_that_do_not_go_together_are_refused(tmp_path, change):
    partner = write_bipartite(tmp_path, {}, {}, {})
    file = write_ramanujan(tmp_path, {}, change, {})
    message = refused(released.ramanujan, file, partner)
    assert message == f"{file}, line 3: another run or layer than in {partner}"


def test_files_of_different_lengths_are_refused(tmp_path):
    partner = write_bipartite(tmp_path, {}, {})
    file = write_ramanujan(tmp_path, {}, {}, {})
    assert refused(released.ramanujan, file, partner) == f"{file}: 3 rows where {partner} has 2"


@pytest.mark.parametrize("part", ["graph_metrics/rolled", "ramanunjan_results"])
def test_folder_without_files_names_the_command(tmp_path, part):
    write_released(tmp_path)
    for file in (tmp_path / part).rglob("*.csv"):
        file.unlink()
    message = refused(released.read_all, tmp_path)
    assert part in message
    if part == "ramanunjan_results":
        assert "python -m graph_data.fetch" in message


def test_normalised_values_come_out_of_the_study_as_they_were(tmp_path):
    """Undone on reading and done again for the study: the released values themselves."""
    from graph_data.study import networks

    write_released(tmp_path)
    study = networks.load(tmp_path)
    assert study.wiring == "published"
    found = study.features["unrolled"].loc[0]
    names = {ours: name for name, (ours, _) in released.UNROLLED.items()}
    for name in folders.TOPOMETRICS:
        assert found[name] == pytest.approx(UNROLLED_ROW[names[name]], rel=1e-9), name
