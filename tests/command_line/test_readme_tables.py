"""The tables of the README files: as the command writes them, and with all that is registered."""

import re

import pytest

import datasets
import graph_encoding
import metrics
import metrics.extended
import models
import pruning
import ramanujan
from command_line import flags, tables

COMMAND = "python -m command_line.tables"
REGISTERED = {
    "topometrics": metrics.COLUMNS,
    "ramanujan": ramanujan.COLUMNS,
    "extended": metrics.extended.COLUMNS,
    "pruners": pruning.PRUNERS,
    "datasets": datasets.DATASETS,
    "models": models.MODELS,
    "encodings": graph_encoding.ENCODINGS,
}


def empty(name):
    return f"before\n<!-- table: {name} -->\nold\n<!-- /table -->\nafter\n"


def cells(name):
    """A table as Markdown has it: rows of cells, without the head."""
    lines = tables.filled(empty(name)).splitlines()[4:-2]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("name", tables.readmes(), ids=str)
def test_readme_files_have_the_tables_of_the_code(name):
    text = (tables.ROOT / name).read_text()
    assert text == tables.filled(text), f"{name}: run {COMMAND}"


@pytest.mark.parametrize("name", tables.TABLES)
def test_every_table_is_in_one_readme_file(name):
    texts = [(tables.ROOT / file).read_text() for file in tables.readmes()]
    block = f"<!-- table: {name} -->\n{tables.table(name)}<!-- /table -->\n"
    assert [text.count(block) for text in texts if f"table: {name} " in text] == [1], COMMAND


@pytest.mark.parametrize("name", REGISTERED)
def test_a_table_has_a_row_for_all_that_is_registered(name):
    found = [row[0].strip("`") for row in cells(name) if not row[0].startswith("**")]
    assert found == list(REGISTERED[name])


def test_the_table_of_flags_has_every_flag():
    usage = flags.parser().format_usage()
    found = [row[0].strip("`") for row in cells("flags") if not row[0].startswith("**")]
    assert found == re.findall(r"\[(--[\w-]+)", usage)


@pytest.mark.parametrize("name", tables.TABLES)
def test_tables_are_whole(name):
    """Every row has a cell for each heading, and what stands around the table stays."""
    text = tables.filled(empty(name))
    assert text.startswith(f"before\n<!-- table: {name} -->\n| ")
    assert text.endswith(" |\n<!-- /table -->\nafter\n")
    widths = {len(row) for row in cells(name)}
    assert widths == {text.splitlines()[3].count("---")}


def test_a_newcomer_is_in_the_table_with_its_signs_escaped(monkeypatch):
    newcomer = pruning.Pruner("pruning.mine", chooses="keeps |w| | nothing else", source="me")
    monkeypatch.setitem(pruning.PRUNERS, "mine", newcomer)
    assert cells("pruners")[-1] == ["`mine`", r"keeps \|w\| \| nothing else", "no", "me"]


def test_models_that_are_trained_otherwise_stand_beside_the_data_set():
    (row,) = [row for row in cells("datasets") if row[0] == "`tinyimagenet`"]
    plain = datasets.DATASETS["tinyimagenet"].schedule.milestones
    other = models.MODELS["CONV-6"].milestones["tinyimagenet"]
    assert row[6] == f"{str(plain)[1:-1]} (CONV-6: {str(other)[1:-1]})"


def test_the_command_writes_what_is_out_of_date(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "README.md").write_text("no table\n")
    (tmp_path / "room" / "README.md").write_text(empty("models"))
    assert tables.main([]) == 0
    assert capsys.readouterr().out == "room/README.md\n"
    assert (tmp_path / "room" / "README.md").read_text() == tables.filled(empty("models"))
    assert tables.main([]) == 0
    assert capsys.readouterr().out == ""


def test_an_unknown_table_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text(empty("metricks"))
    assert tables.main([]) == 2
    assert "no table 'metricks': choose from flags, topometrics" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == empty("metricks")
