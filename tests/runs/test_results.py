"""Result files: exact numbers, whole rows, one header, the identity of a run."""

import codecs
import collections
import csv
import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import filelock
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs import cells, results, table
from runs.columns import CONFIGURATION, IDENTITY, LAYER, columns
from runs.measures import MEASURES
from system import appending, files

ROOT = Path(results.__file__).parents[1]
METRICS = ("nodes", "motifs", "2-hop", "spectral-gap")
COLUMNS = CONFIGURATION + METRICS
LAYER_COLUMNS = CONFIGURATION + LAYER + METRICS


def make_row(seed=0, **values):
    row = {
        "model": "Resnet-20",
        "dataset": "digits",
        "pruning": "erk",
        "sparsity": 0.98,
        "achieved_sparsity": 0.97999,
        "seed": seed,
        "as_released": "",
        "rounds": None,
        "encoding": "unrolled",
        "wiring": "exact",
        "training": False,
        "epochs": None,
        "batch_size": None,
        "lr": None,
        "epoch": None,
        "accuracy": None,
        "moved": None,
        "nodes": 191894,
        "motifs": 2**70 + 1,
        "2-hop": 1 / 3,
        "spectral-gap": None,
    }
    return row | values


def test_file_is_this_text(tmp_path):
    file = tmp_path / "new" / "folder" / "a.csv"
    results.append(file, COLUMNS, [make_row()])
    assert file.read_text() == (
        "model,dataset,pruning,sparsity,achieved_sparsity,seed,as_released,rounds,encoding,wiring,"
        "training,epochs,batch_size,lr,epoch,accuracy,moved,nodes,motifs,2-hop,spectral-gap\n"
        "Resnet-20,digits,erk,0.98,0.97999,0,,,unrolled,exact,False,,,,,,,"
        "191894,1180591620717411303425,0.3333333333333333,\n"
    )


def test_rows_come_back_as_written(tmp_path):
    rows = [make_row(seed, nodes=seed * 10) for seed in range(3)]
    for row in rows:
        results.append(tmp_path / "a.csv", COLUMNS, [row])
    back = results.read(tmp_path / "a.csv")
    assert back == rows
    assert [type(value) for value in back[0].values()] == [type(v) for v in rows[0].values()]


@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.none()))
def test_numbers_survive(value):
    back = cells.parse_cell("motifs", cells.format_cell(value))
    assert back == value
    assert type(back) is type(value)


def test_numpy_numbers_are_written_as_python_numbers():
    assert cells.format_cell(np.int64(7)) == "7"
    assert cells.format_cell(np.float64(0.1)) == "0.1"
    assert cells.format_cell(np.float32(0.1)) == repr(float(np.float32(0.1)))
    with pytest.raises(TypeError):
        cells.format_cell(np.zeros(2))
    with pytest.raises(ValueError, match="line break"):
        cells.format_cell("a\nb")


def test_layer_columns_and_no_doubles():
    found = columns("rolled", "ramanujan")
    assert found[len(CONFIGURATION) :][:4] == (*LAYER, "delta_r")
    assert found.count("layer_density") == 1
    assert columns("unrolled", "topometrics")[: len(CONFIGURATION) + 1] == (*CONFIGURATION, "nodes")


def test_paths_are_the_papers():
    where = MEASURES["topometrics"].file("r", "rolled", "CIFAR-10", "CONV-6")
    assert where.as_posix() == "r/graph_metrics/rolled/rolled-CIFAR-10-CONV-6.csv"
    where = MEASURES["ramanujan"].file("r", "rolled", "CIFAR-10", "CONV-6")
    assert where.as_posix() == "r/ramanujan_results/CONV-6/rolled-CIFAR-10-CONV-6.csv"


OTHER = {"sparsity": 0.9, "seed": 1, "training": True, "epochs": 4, "batch_size": 32, "lr": 0.1}


@pytest.mark.parametrize("name", IDENTITY)
def test_every_identity_column_tells_runs_apart(tmp_path, name):
    row = make_row()
    other = row | {name: OTHER.get(name, "other")}
    results.append(tmp_path / "a.csv", COLUMNS, [row])
    assert results.find(tmp_path / "a.csv", row) == [row]
    assert results.find(tmp_path / "a.csv", other) == []


def test_a_file_from_before_the_flag_has_runs_that_are_not_as_released(tmp_path):
    file = tmp_path / "a.csv"
    before = [name for name in COLUMNS if name != "as_released"]
    results.append(file, before, [make_row(seed) for seed in range(2)])
    run, other = make_row(1), make_row(1, as_released="pruner")
    assert [row["seed"] for row in results.find(file, run)] == [1]
    assert results.find(file, other) == []
    assert list(results.identities(file)) == [results.identity(make_row(s)) for s in (0, 1)]
    results.check(file, COLUMNS)
    results.append(file, COLUMNS, [other])
    results.replace(file, COLUMNS, [run | {"nodes": 5}])
    assert results.read(file) == [make_row(0), run | {"nodes": 5}, other]
    assert results.find(file, other) == [other]


TRAINED = {"training": True, "epochs": 4, "batch_size": 32, "lr": 0.1, "accuracy": 0.5}


def test_a_trained_run_of_a_file_from_before_moments_is_that_of_its_last_epoch(tmp_path):
    file = tmp_path / "a.csv"
    before = [name for name in COLUMNS if name not in ("epoch", "moved")]
    old, untrained = make_row(1, **TRAINED), make_row(1)
    results.append(file, before, [old, untrained])
    last, second = old | {"epoch": 4, "moved": 0.0}, old | {"epoch": 2, "moved": 0.25}
    for _ in range(2):  # the second time the file has the columns, empty in the old row
        assert len(results.find(file, last)) == len(results.find(file, untrained)) == 1
        assert results.find(file, untrained | {"epoch": 4}) == []
        results.append(file, COLUMNS, [second])
        assert results.find(file, second)[-1] == second
    results.replace(file, COLUMNS, [last])
    assert results.read(file) == [last, untrained, second, second]


def test_a_file_from_before_has_runs_in_one_round(tmp_path):
    file = tmp_path / "a.csv"
    results.append(file, [name for name in COLUMNS if name != "rounds"], [make_row()])
    assert [row["seed"] for row in results.find(file, make_row())] == [0]
    other = make_row(rounds=3)
    assert results.find(file, other) == []
    results.append(file, COLUMNS, [other])
    assert results.read(file) == [make_row(), other]
    assert results.find(file, make_row(rounds=3.0)) == [other]


def test_outcomes_are_no_part_of_the_identity(tmp_path):
    results.append(tmp_path / "a.csv", COLUMNS, [make_row()])
    assert results.find(
        tmp_path / "a.csv", make_row(achieved_sparsity=None, accuracy=0.5, moved=0.5)
    )


def test_no_file_has_no_rows(tmp_path):
    assert results.read(tmp_path / "none.csv") == []
    assert results.find(tmp_path / "none.csv", make_row()) == []
    (tmp_path / "empty.csv").touch()
    assert results.read(tmp_path / "empty.csv") == []
    results.append(tmp_path / "empty.csv", COLUMNS, [make_row()])
    assert results.read(tmp_path / "empty.csv") == [make_row()]


CUT = {
    "within a letter": lambda whole: whole + "é".encode()[:1],
    "within a text": lambda whole: whole + b'"Resnet',
    "within a row": lambda whole: whole[:-9],
    "long": lambda whole: whole + b"x" * (3 * appending.BLOCK + 7),
    "as long as is read": lambda whole: whole + b"x" * appending.BLOCK,
    "zeros of a lost disk": lambda whole: whole + bytes(100),
}


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("cut", CUT)
def test_a_cut_last_row_is_refused_and_kept(tmp_path, cut, ends):
    """Nothing of ours leaves one without its journal, so it may be all that there is of a row."""
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row(0), make_row(1)])
    file.write_bytes(CUT[cut](file.read_bytes().replace(b"\n", ends.encode())))
    before = file.read_bytes()
    line = 3 if cut == "within a row" else 4
    message = f"{file}, line {line}: the last row was cut; complete it, or delete the line"
    for attempt in (
        lambda: results.read(file),
        lambda: results.identities(file),
        lambda: results.check(file, COLUMNS),
        lambda: results.append(file, COLUMNS, [make_row(2)]),
        lambda: results.replace(file, COLUMNS, [make_row(0)]),
    ):
        with pytest.raises(results.ResultFileError) as caught:
            attempt()
        assert str(caught.value) == message
        assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p != file] == [".a.csv.lock"]

    lines = before.splitlines(keepends=True)
    file.write_bytes(b"".join(lines[: line - 1]))  # what the message says
    results.append(file, COLUMNS, [make_row(2)])
    kept = [make_row(seed) for seed in range(line - 2)]
    assert results.read(file) == [*kept, make_row(2)]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("write", [results.append, results.replace])
def test_rows_that_an_editor_wrote_again_are_kept(tmp_path, ends, last, mark, rows, write):
    file = tmp_path / "a.csv"
    before = [make_row(seed, model='say "é, è"') for seed in range(rows)]
    results.append(file, COLUMNS, before)
    text = file.read_bytes()[: None if last else -1].replace(b"\n", ends.encode())
    file.write_bytes(mark + text)
    results.check(file, COLUMNS)
    assert results.columns_of(file) == COLUMNS
    assert results.read(file) == before
    assert results.identities(file) == {results.identity(row): 1 for row in before}
    write(file, COLUMNS, [make_row(7), make_row(7)])
    assert results.read(file) == [*before, make_row(7), make_row(7)]
    assert file.read_bytes().startswith(mark + text)
    with open(file, newline="", encoding="utf-8-sig") as opened:
        assert [len(cells) for cells in csv.reader(opened)] == [len(COLUMNS)] * (rows + 3)
    if rows:
        results.replace(file, COLUMNS, [before[0] | {"nodes": 1}])
        assert results.read(file)[: rows + 2] == [
            before[0] | {"nodes": 1},
            *before[1:],
            *[make_row(7)] * 2,
        ]


@pytest.mark.parametrize("text", ["model,data", "\n", "model,data\n", "\ufeff", "\r"])
def test_what_is_no_header_is_refused_and_kept(tmp_path, text):
    file = tmp_path / "a.csv"
    file.write_text(text, newline="")
    before = file.read_bytes()
    for attempt in (
        lambda: results.check(file, COLUMNS),
        lambda: results.append(file, COLUMNS, [make_row(0)]),
        lambda: results.replace(file, COLUMNS, [make_row(0)]),
    ):
        with pytest.raises(results.ResultFileError, match=r"a\.csv: its columns are not"):
            attempt()
    assert file.read_bytes() == before


def test_pandas_and_spreadsheets_leave_a_run_what_it_is(tmp_path):
    """The first writes whole numbers beside an empty cell as floats, the others TRUE and 0,980."""
    file = tmp_path / "a.csv"
    trained = {"training": True, "epochs": 4, "batch_size": 32, "lr": 1.0, "accuracy": 0.5}
    rows = [
        make_row(0, sparsity=0.0, motifs=3),
        make_row(2**32 - 1, motifs=2**53 - 1) | trained,
        make_row(1, nodes=None, motifs=None) | trained,
    ]
    results.append(file, COLUMNS, rows)
    pd.read_csv(file).to_csv(file, index=False)
    text = file.read_text()
    assert ",4.0,32.0,1.0," in text
    assert ",9007199254740991.0," in text
    assert results.read(file) == rows  # equal as numbers
    assert results.identities(file) == {results.identity(row): 1 for row in rows}
    assert results.find(file, rows[1]) == [rows[1]]
    results.replace(file, COLUMNS, [rows[1] | {"nodes": 5}])
    assert results.read(file) == [rows[0], rows[1] | {"nodes": 5}, rows[2]]

    file.write_text(
        text.replace("True", "TRUE")
        .replace("False", "false")
        .replace(",0.98,", ",.980,")
        .replace(",0.0,", ",0,")
        .replace(",4294967295,", ",4294967295.0,")
        .replace(",32.0,", ",3.2e1,")
    )
    assert results.identities(file) == {results.identity(row): 1 for row in rows}


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block", [1, 2, 3, 64, 65536])
def test_lines_are_those_of_the_whole_text(tmp_path, monkeypatch, ends, block):
    """Wherever a block of what is read ends."""
    monkeypatch.setattr(appending, "BLOCK", block)
    file = tmp_path / "a"
    for lines in ([], ["a"], ["", ""], ["a", "", "é\u2028\x0b\x85b", "c" * 70, "last"]):
        for text in (ends.join(lines), ends.join([*lines, ""])):
            file.write_bytes(text.encode())
            with open(file, newline="") as opened:
                assert [line.decode() for line in appending.lines(file)] == list(opened)
            assert appending.content(file) == text.encode()


def test_a_file_that_is_cut_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(appending, "BLOCK", 100)
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row(seed) for seed in range(300)])
    lines = appending.lines(file)
    next(lines)
    os.truncate(file, 20_000)
    with pytest.raises(appending.FileError, match=r"a\.csv: it was cut while it was read"):
        list(lines)


@pytest.mark.parametrize("change", ["append", "replace"])
def test_a_reader_gets_to_the_end_however_much_is_written_meanwhile(tmp_path, monkeypatch, change):
    """It reads what was there when it began: the same bytes once, whatever comes after them."""
    monkeypatch.setattr(appending, "BLOCK", 100)
    file = tmp_path / "a.csv"
    rows = [make_row(seed) for seed in range(30)]
    results.append(file, COLUMNS, rows)
    found = []
    for row in table.identified(file):
        found.append(row[-1])
        seed = 30 + len(found) if change == "append" else len(found) % 30
        getattr(results, change)(file, COLUMNS, [make_row(seed, nodes=len(found))])
    assert found == list(map(results.identity, rows))
    assert len(results.read(file)) == (60 if change == "append" else 30)


def test_append_reads_only_the_ends_of_the_file(tmp_path, monkeypatch):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row(seed) for seed in range(20_000)])

    def refuse(*_):
        raise AssertionError("the whole file was read")

    monkeypatch.setattr(table, "read", refuse)
    asked = []
    read = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: asked.append(size) or read(fd, size, at))
    results.append(file, COLUMNS, [make_row(20_000)])
    assert sum(asked) == appending.BLOCK
    monkeypatch.undo()
    runs = results.identities(file)
    assert list(runs) == [results.identity(make_row(seed)) for seed in range(20_001)]
    assert set(runs.values()) == {1}


def test_replace_keeps_the_place_and_the_neighbours(tmp_path):
    file = tmp_path / "a.csv"
    for seed in range(3):
        rows = [
            make_row(seed, layer_id=i, layer_name=f"conv{i}", layer_density=0.5) for i in range(2)
        ]
        results.append(file, LAYER_COLUMNS, rows)
    file.chmod(0o640)
    before = file.read_text().splitlines()
    new = [make_row(1, layer_id=0, layer_name="conv0", layer_density=0.25)]
    results.replace(file, LAYER_COLUMNS, new)
    after = file.read_text().splitlines()
    assert after[:3] == before[:3]
    assert after[4:] == before[5:]
    assert results.find(file, make_row(1)) == new
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == ["a.csv"]


def test_replace_without_earlier_rows_appends(tmp_path):
    file = tmp_path / "folder" / "a.csv"
    results.replace(file, COLUMNS, [make_row(0)])
    results.replace(file, COLUMNS, [make_row(1)])
    assert results.read(file) == [make_row(0), make_row(1)]


@pytest.mark.parametrize("write", [results.append, results.replace])
def test_other_columns_are_refused_and_kept(tmp_path, write):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row()])
    text = file.read_text()
    with pytest.raises(results.ResultFileError, match=r"a\.csv: its columns are not"):
        results.check(file, COLUMNS[:-1])
    with pytest.raises(results.ResultFileError, match=r"a\.csv: its columns are not"):
        write(file, COLUMNS[:-1], [make_row()])
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda b: b.replace(b",191894,", b",19x894,"), "line 2: could not convert"),
        (lambda b: b.replace(b",191894,", b","), "line 2: 20 cells where the header has 21"),
        (lambda b: b.replace(b"digits", b"\xff\xfe"), "line 2: no UTF-8 text"),
        (lambda b: b.replace(b"False", b"perhaps"), "line 2: training is 'perhaps'"),
        (lambda b: b.replace(b"digits", b'"dig"its'), "line 2: "),
    ],
)
def test_spoilt_files_give_one_clear_line(tmp_path, spoil, message):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row()])
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(results.ResultFileError, match=message) as caught:
        results.read(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_foreign_csv_is_not_searched(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("model,dataset\nResnet-20,digits\n")
    with pytest.raises(results.ResultFileError, match="no column pruning"):
        results.find(file, make_row())
    with pytest.raises(results.ResultFileError, match="no column pruning"):
        results.identities(file)


def test_identities_count_the_rows_of_each_run(tmp_path):
    file = tmp_path / "a.csv"
    assert results.identities(file) == {}
    for seed in range(3):
        rows = [
            make_row(seed, layer_id=i, layer_name=f"conv{i}", layer_density=0.5)
            for i in range(seed + 1)
        ]
        results.append(file, LAYER_COLUMNS, rows)
    assert results.identities(file) == {results.identity(make_row(n)): n + 1 for n in range(3)}


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "model": st.sampled_from(["a,b", 'say "x"', "", "é", " a"]),
                "sparsity": st.one_of(st.floats(0, 1), st.sampled_from([0, 1])),
                "seed": st.integers(0, 2),
                "training": st.booleans(),
            }
        )
    ),
    st.booleans(),
)
def test_identities_agree_with_read(tmp_path_factory, changes, torn):
    file = tmp_path_factory.mktemp("identities") / "a.csv"
    results.append(file, COLUMNS, [make_row() | change for change in changes])
    if torn:
        file.write_bytes(file.read_bytes()[:-1])
    counts = collections.Counter(map(results.identity, results.read(file)))
    assert results.identities(file) == counts


def test_numbers_written_by_hand_are_the_same_run(tmp_path):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row()])
    text = file.read_text().replace(",0.98,", ",.980,")
    file.write_text(text.replace("\n", "\r\n"), newline="")
    assert results.identities(file) == {results.identity(make_row()): 1}
    assert results.find(file, make_row())
    results.append(file, COLUMNS, [make_row(1)])
    assert len(results.identities(file)) == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda b: b.replace(b",191894,", b","), "line 3: 20 cells where the header has 21"),
        (lambda b: b.replace(b"digits", b"\xff\xfe"), "line 3: no UTF-8 text"),
        (lambda b: b.replace(b"False", b"perhaps"), "line 3: training is 'perhaps'"),
        (lambda b: b.replace(b"digits", b'"dig"its'), "line 3: "),
        (lambda b: b.replace(b"digits", b'"digits'), "line 3: "),
        (lambda b: b"\n" + b, "line 3: 0 cells where"),
    ],
)
def test_identities_of_a_spoilt_file(tmp_path, spoil, message):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row(0)])
    whole = file.read_bytes()
    results.append(file, COLUMNS, [make_row(1)])
    file.write_bytes(whole + spoil(file.read_bytes()[len(whole) :]))
    with pytest.raises(results.ResultFileError, match=message) as caught:
        results.identities(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_of_other_columns(tmp_path):
    file = tmp_path / "failures.csv"
    names = ("key", "seconds", "message")
    rows = [
        {"key": "a", "seconds": 0.5, "message": 'no "CIFAR-10", sorry'},
        {"key": "b", "seconds": None, "message": ""},
    ]
    for row in rows:
        results.append(file, names, [row])
    with open(file, newline="", encoding="utf-8") as opened:
        assert list(csv.reader(opened)) == [
            list(names),
            ["a", "0.5", 'no "CIFAR-10", sorry'],
            ["b", "", ""],
        ]
    before = file.read_bytes()
    with pytest.raises(results.ResultFileError, match="its columns are not"):
        results.append(file, ("key", "message"), rows)
    for text in ("two\nlines", "two\rlines"):
        with pytest.raises(ValueError, match="line break"):
            results.append(file, names, [rows[0], rows[0] | {"message": text}])
    assert file.read_bytes() == before


BAD = {
    "a text for a number": {"nodes": "many"},
    "no boolean": {"training": None},
    "a name that is no text": {"model": "a\udcff"},
    "a name that csv does not read": {"model": '"' + 140_000 * "x"},
    "a line break": {"model": "a\nb"},
    "too many digits": {"motifs": 10**5000},
}


@pytest.mark.parametrize("write", [results.append, results.replace])
@pytest.mark.parametrize("bad", BAD)
def test_a_row_that_could_not_be_read_again_is_not_written(tmp_path, write, bad):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row(0)])
    before = file.read_bytes()
    with pytest.raises(results.ResultFileError, match="not written: ") as caught:
        write(file, COLUMNS, [make_row(1), make_row(1, **BAD[bad])])
    assert file.read_bytes() == before
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_refused_rows_create_nothing(tmp_path):
    with pytest.raises(ValueError, match="line break"):
        results.append(tmp_path / "new" / "a.csv", COLUMNS, [make_row(model="a\nb")])
    assert list(tmp_path.iterdir()) == []


def test_link_and_target_share_their_lock_and_rows(tmp_path):
    (tmp_path / "real").mkdir()
    file = tmp_path / "real" / "a.csv"
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    results.append(link, COLUMNS, [make_row(0)])
    results.append(file, COLUMNS, [make_row(1)])
    results.replace(link, COLUMNS, [make_row(0, nodes=1)])
    assert results.read(file) == results.read(link) == [make_row(0, nodes=1), make_row(1)]
    assert [p.name for p in tmp_path.iterdir() if p.name != "real"] == ["link.csv"]
    assert link.is_symlink()


@pytest.mark.parametrize("full", ["the journal", "the rows"])
def test_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch, full):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row(0)])
    before = file.read_bytes()
    write = os.write
    room = {"the journal": 1, "the rows": 100}[full]
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:room]))
    with pytest.raises(OSError) as caught:
        results.append(file, COLUMNS, [make_row(1)])
    assert caught.value.errno == errno.ENOSPC
    assert file.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [".a.csv.lock", "a.csv"]


def test_failed_replacement_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, [make_row(0)])
    before = file.read_bytes()

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):
        results.replace(file, COLUMNS, [make_row(0, nodes=1)])
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".lock")] == ["a.csv"]


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught:
        files.check_folder(tmp_path / "file" / "folder")
    assert caught.value.filename == str(tmp_path / "file" / "folder")
    files.check_folder(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_lock_held_for_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(appending, "LOCK_SECONDS", 0.1)
    file = tmp_path / "a.csv"
    with (
        filelock.FileLock(tmp_path / ".a.csv.lock"),
        pytest.raises(appending.FileError, match="held its lock") as caught,
    ):
        results.append(file, COLUMNS, [make_row()])
    assert not file.exists()
    assert f"end the process that has {tmp_path / '.a.csv.lock'} open" in str(caught.value)
    results.append(file, COLUMNS, [make_row()])


APPENDING = """
import json, sys
from runs import results
file, columns, rows = json.load(sys.stdin)
for row in rows:
    results.append(file, columns, [row])
"""


def test_processes_append_together(tmp_path):
    file = tmp_path / "a.csv"
    start = [sys.executable, "-c", APPENDING]
    workers = [subprocess.Popen(start, cwd=ROOT, stdin=subprocess.PIPE) for _ in range(8)]
    for number, worker in enumerate(workers):
        rows = [make_row(seed) for seed in range(20 * number, 20 * (number + 1))]
        worker.stdin.write(json.dumps([str(file), COLUMNS, rows]).encode())
    for worker in workers:  # all are ready by now
        worker.stdin.close()
    assert [worker.wait() for worker in workers] == [0] * 8
    assert sorted(row["seed"] for row in results.read(file)) == list(range(160))
