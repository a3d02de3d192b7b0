"""Strict reading of CSVs: what is read is exact, and whatever is wrong gives one clear line."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_data import normalisation
from graph_data.tables import Number, TableError, Text, header, read, refuse_duplicates

COLUMNS = {
    "name": Text(),
    "share": Number(0, 1),
    "count": Number(0, whole=True),
    "value": Number(empty=True, undefined=("-inf",)),
}
GOOD = "name,unread,share,count,value\na,x,0.25,3,1.5\nb,,1,0,\nc,y,0,7,-inf\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(GOOD)
    return path


def refused(file, columns=COLUMNS):
    with pytest.raises(TableError) as caught:
        read(file, columns)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert "\n" not in message
    return message[len(str(file)) :]


def test_columns_asked_for_are_read_by_line_number(file):
    table = read(file, COLUMNS)
    assert list(table) == ["name", "share", "count", "value"]
    assert list(table.index) == [2, 3, 4]
    assert list(table["name"]) == ["a", "b", "c"]
    assert [str(kind) for kind in table.dtypes] == ["object", "float64", "float64", "float64"]
    np.testing.assert_array_equal(table["value"], [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(table["count"], [3, 0, 7])


@pytest.mark.parametrize("change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_byte_order_mark_and_windows_line_ends(file, change):
    expected = read(file, COLUMNS)
    file.write_bytes(change(GOOD).encode())
    assert read(file, COLUMNS).equals(expected)


def test_quoted_cells_and_names_that_look_undefined(file):
    file.write_text('name,share,count,value\n"a, b",0,0,"1"\nNaN,0,0,2\nNone,0,0,3\n')
    assert list(read(file, COLUMNS)["name"]) == ["a, b", "NaN", "None"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_are_those_that_python_reads(tmp_path_factory, values):
    file = tmp_path_factory.mktemp("numbers") / "numbers.csv"
    file.write_text("value\n" + "".join(f"{value!r}\n" for value in values))
    found = read(file, {"value": Number()})["value"]
    np.testing.assert_allclose(found, values, rtol=5e-16, atol=0)


def test_integers_beyond_64_bits(file):
    texts = [str(2**64 + 5), str(2**64 - 1), "-1", "", str(2**70 + 1)]
    file.write_text("a,value\n" + "".join(f"x,{text}\n" for text in texts))
    found = read(file, {"value": Number(empty=True)})["value"]
    expected = [float(text) if text else math.nan for text in texts]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.25", "x", r", line 2, column 'share': 'x' is not a number"),
        ("0.25", "nan", r", line 2, column 'share': 'nan' is not a number"),
        ("0.25", "inf", r", line 2, column 'share': 'inf' is not a number"),
        ("1.5", "inf", r", line 2, column 'value': 'inf' is not a number"),
        ("1.5", "NaN", r", line 2, column 'value': 'NaN' is not a number"),
        ("1.5", "1e400", r", line 2, column 'value': '1e400' is not a number"),
        ("1.5", "True", r", line 2, column 'value': 'True' is not a number"),
        ("1.5", "0x10", r", line 2, column 'value': '0x10' is not a number"),
        ("1.5", "NULL", r", line 2, column 'value': 'NULL' is not a number"),
        ("0.25", "", r", line 2, column 'share': '' is empty"),
        ("0.25", "1.01", r", line 2, column 'share': '1.01' is outside 0 to 1"),
        ("0.25", "-1e-9", r", line 2, column 'share': '-1e-9' is outside 0 to 1"),
        (",7,", ",7.5,", r", line 4, column 'count': '7.5' is not a whole number"),
        (",7,", ",-7,", r", line 4, column 'count': '-7' is outside 0 to inf"),
        (",7,", ",-inf,", r", line 4, column 'count': '-inf' is not a number"),
        ("\nb,", "\n ,", r", line 3, column 'name': ' ' is empty"),
        ("\nb,", "\n,", r", line 3, column 'name': '' is empty"),
        ("\nb,", "\n\nb,", r", line 3"),
        (",1,0,\n", ",1,0,,\n", r": not a table \(.*line 3"),
        ("1.5\n", "1.5,\n", r", line 2: more cells than the header"),
        ("share", "sharing", r", line 1: no column 'share'; it has name, unread, sharing, count"),
        ("unread", "share", r", line 1: two columns 'share'"),
        ("unread", "x,x", r", line 1: two columns 'x'"),
        (GOOD, "", r": empty, without even a header"),
        (GOOD, "\n", r": empty, without even a header"),
        (GOOD, GOOD.splitlines()[0], r": no row after the header"),
        (GOOD, GOOD.splitlines()[0] + "\n", r": no row after the header"),
    ],
)
def test_one_clear_line(file, old, new, message):
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1))
    assert re.match(message, refused(file))


def test_too_few_cells(file):
    file.write_text(GOOD.replace("b,,1,0,", "b,,1"))
    assert re.match(", line 3: 3 cells where the header has 5", refused(file))


def test_row_that_lacks_its_last_cells_is_not_undefined(file):
    file.write_text(GOOD.replace("b,,1,0,", "b,,1,0"))
    assert re.match(r".*line 3", refused(file))


@pytest.mark.parametrize("place", ["header", "row", "far row"])
def test_not_utf_8(file, place):
    data = GOOD.encode() + b"d,x,0,0,0\n" * (30000 if place == "far row" else 0)
    data += b"last,x,0,0,0\n"
    old = b"unread" if place == "header" else b"last"
    file.write_bytes(data.replace(old, b"caf\xe9"))
    assert re.match(r": not a UTF-8 text file", refused(file))


def test_no_file_and_a_folder(tmp_path):
    assert refused(tmp_path / "none.csv") == ": no such file"
    with pytest.raises(OSError) as caught:  # the study says its name and why
        read(tmp_path, COLUMNS)
    assert str(caught.value.filename) == str(tmp_path)


def test_unclosed_quote(file):
    file.write_text(GOOD.replace("b,", '"b,'))
    assert re.match(r": not a table", refused(file))


def test_null_byte(file):
    file.write_text(GOOD.replace("0.25", "0\x005"))
    assert "line 2" in refused(file)


def test_duplicates_name_both_lines(file):
    file.write_text("name,share,unread\na,0.5,1\nb,0.5,1\na,0.25,1\na,0.5,2\na,0.5,3\n")
    table = read(file, {"name": Text(), "share": Number()})
    with pytest.raises(TableError) as caught:
        refuse_duplicates(file, table, ["name", "share"])
    assert str(caught.value) == f"{file}, line 5: the run of line 2 again (name a, share 0.5)"
    refuse_duplicates(file, table.drop_duplicates(), ["name", "share"])


def test_columns_that_a_file_may_lack(file):
    wanted = {"name": Text(), "later": Number(0, 1), "kind": Text(), "share": Number(0, 1)}
    table = read(file, wanted, {"later": math.nan, "kind": "old", "share": 0.5})
    assert list(table) == list(wanted)
    assert table["later"].isna().all() and table["later"].dtype == float
    assert table["kind"].tolist() == ["old"] * 3
    assert table["share"].tolist() == [0.25, 1, 0]  # it has this one
    assert "no column 'later'" in refused(file, wanted)


def test_duplicates_with_undefined_cells(file):
    file.write_text("name,share\na,\nb,0.5\nb,\nc,1\nb,\n")
    table = read(file, {"name": Text(), "share": Number(empty=True)})
    with pytest.raises(TableError) as caught:
        refuse_duplicates(file, table, ["name", "share"])
    assert str(caught.value) == f"{file}, line 6: the run of line 4 again (name b)"


def test_header(file):
    assert header(file) == ["name", "unread", "share", "count", "value"]


def test_normalisation_is_by_the_graphs_size():
    import pandas as pd
    from study_folders import BY_EDGES, BY_NODES

    # k-core's divisor is edges too: the authors' file has 6e-7 for graphs of 9e6 edges
    assert {n for n, by in normalisation.DIVISORS.items() if by == "nodes"} == set(BY_NODES)
    assert {n for n, by in normalisation.DIVISORS.items() if by == "edges"} == set(BY_EDGES)
    table = pd.DataFrame(
        {"nodes": [10, 4], "edges": [40, 0], "motifs": [80.0, 0], "sink_nodes": [5.0, 4], "x": 7}
    )
    unknown = normalisation.normalise(table.assign(edges=[40, math.nan]))
    assert unknown["motifs"][0] == 2 and math.isnan(unknown["motifs"][1])
    found = normalisation.normalise(table)
    assert found["motifs"].tolist() == [2, 0]
    assert found["sink_nodes"].tolist() == [0.5, 1]
    assert found["x"].tolist() == [7, 7]
    assert list(found) == list(table)
    assert normalisation.undo(found).equals(table)
