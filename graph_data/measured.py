"""The result CSVs that main.py writes, as tables for the study.

A file is read by the columns that it has: one of an older version, or of other metrics, serves as
far as it goes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from graph_encoding import ENCODINGS, EXACT
from runs.columns import IDENTITY
from runs.measures import MEASURES

from .tables import Column, Number, TableError, Text, read, refuse_duplicates

RUN: dict[str, Column] = {
    "model": Text(),
    "dataset": Text(),
    "pruning": Text(),
    "sparsity": Number(0, 1),
    "seed": Number(0, whole=True),
}
ACHIEVED = "achieved_sparsity"
LAYERS: dict[str, Column] = {"layer_id": Number(0, whole=True), "layer_name": Text()}
CONFIGURATION: dict[str, Column] = RUN | {
    "as_released": Text(empty=True),
    "rounds": Number(1, whole=True, empty=True),
    ACHIEVED: Number(0, 1, empty=True),
    "encoding": Text(),
    "wiring": Text(),
    "training": Text(),
    "epochs": Number(1, whole=True, empty=True),
    "batch_size": Number(1, whole=True, empty=True),
    "lr": Number(0, empty=True),
    "epoch": Number(0, whole=True, empty=True),
    "accuracy": Number(0, 1, empty=True),
    "moved": Number(0, 1, empty=True),
}
TOPOMETRICS, RAMANUJAN = "topometrics", "ramanujan"
"""Of `MEASURES`, those that the paper compares."""

BIPARTITE = "rolled"
"""Whose Ramanujan metrics the study takes: those that the authors released are of this encoding."""

SIZE = ("nodes", "edges")  # what topometrics are divided by
ABSENT = {
    "as_released": "",
    "rounds": math.nan,
    ACHIEVED: math.nan,
    "encoding": "",
    "wiring": EXACT,
    "training": "",
    "epochs": math.nan,
    "batch_size": math.nan,
    "lr": math.nan,
    "epoch": math.nan,
    "moved": math.nan,
    "layer_name": "",
}
"""What stands in the columns that a file may lack."""


def table_name(measure: str, encoding: str) -> str:
    """What the table of a measure and an encoding is called."""
    if measure == TOPOMETRICS:
        return encoding
    return RAMANUJAN if measure == RAMANUJAN else f"{encoding} + {measure}"


def further() -> dict[str, tuple[str, str]]:
    """Measure and encoding of every table that holds other metrics than the paper's, by name."""
    return {
        table_name(name, encoding): (name, encoding)
        for name, measure in MEASURES.items()
        if name not in (TOPOMETRICS, RAMANUJAN)
        for encoding, kind in ENCODINGS.items()
        if kind.bipartite or not measure.bipartite_only
    }


def read_all(
    folder: str | Path, wiring: str = EXACT, moments: bool = False
) -> dict[str, pd.DataFrame]:
    """All tables of a results folder.

    Parameters
    ----------
    folder : str or Path
        An ``--output-dir`` of main.py.
    wiring : {"exact", "published"}
        Which unrolled graphs to take.
    moments : bool
        Whether to take the rows of each moment of a training (``--measure-every``), which their
        ``epoch`` tells apart. By default only those of its end.

    Returns
    -------
    dict of str to pandas.DataFrame
        Topometrics by the name of their encoding, multipartite ones first, ``ramanujan`` (of the
        encoding `BIPARTITE`), and what `further` names, as far as they are there; raw values, rows
        with an accuracy only.
        A file must have the columns that name a run (and its layers), its accuracy, and the
        graphs' `SIZE`. A metric that it lacks is undefined (NaN); graphs without a wiring are
        exact ones.

    Raises
    ------
    TableError
        If a file is malformed, no file is found, no row is left, or rows made ``--as-released``
        stand beside others: the study takes one kind.
    """
    return _tables(Path(folder), wiring, _files(Path(folder), wiring), moments)


def read_both(
    folder: str | Path, wiring: str = EXACT
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """All tables of a results folder without the moments of trainings, and with them.

    Parameters
    ----------
    folder, wiring
        As for `read_all`, which reads all files for each.

    Returns
    -------
    ended, every : dict of str to pandas.DataFrame
        The same dictionary where no row is of a moment before the end.

    Raises
    ------
    TableError
        As `read_all` does.
    """
    files = _files(Path(folder), wiring)
    ended = _tables(Path(folder), wiring, files)
    if all(_at_end(table).all() for found in files.values() for table in found.values()):
        return ended, ended
    return ended, _tables(Path(folder), wiring, files, moments=True)


def _files(folder: Path, wiring: str) -> dict[str, dict[Path, pd.DataFrame]]:
    """The rows with an accuracy of every file, by the name of its table."""
    encodings = sorted(ENCODINGS, key=lambda name: ENCODINGS[name].bipartite)
    wanted = [(encoding, TOPOMETRICS, encoding, SIZE) for encoding in encodings]
    wanted += [(RAMANUJAN, RAMANUJAN, BIPARTITE, ())]
    wanted += [(name, *of, ()) for name, of in further().items()]
    found = {}
    for name, measured, encoding, needed in wanted:
        measure = MEASURES[measured]
        if files := measure.files(folder, encoding):
            found[name] = {
                file: _read(file, encoding, measure.columns, needed, wiring) for file in files
            }
    if not found:
        raise TableError(
            f"{folder}: no result CSV: run main.py with --output-dir {folder}, or give another "
            "--data; python -m graph_data.fetch gets the released ones"
        )
    return found


def _tables(
    folder: Path,
    wiring: str,
    found: dict[str, dict[Path, pd.DataFrame]],
    moments: bool = False,
) -> dict[str, pd.DataFrame]:
    tables = {name: _table(files, moments) for name, files in found.items()}
    for name, table in tables.items():
        if not len(table):
            raise TableError(
                f"{folder}: no {name} row with an accuracy (of --wiring {wiring}): run main.py "
                "with --training true"
            )
    _refuse_two_kinds(folder, tables.values())
    return tables


def _refuse_two_kinds(place: Path, tables: Iterable[pd.DataFrame]) -> None:
    """Refuse runs made as released beside others, whose masks or images differ."""
    if len({kind for table in tables for kind in table["as_released"]}) > 1:
        raise TableError(
            f"{place}: runs made --as-released stand beside others; the study takes one kind of "
            "runs: keep the others in another folder"
        )


def _refuse_two_schedules(file: Path, table: pd.DataFrame, key: list[str]) -> None:
    """Refuse one network trained in two ways: the study would not know which accuracy to take."""
    trained = table.drop_duplicates([*key, "rounds", "epochs", "batch_size", "lr"])
    again = trained[trained.duplicated(key)]
    if len(again):
        what = ", ".join(str(again.iloc[0][name]) for name in key)
        raise TableError(
            f"{file}: trained with several --epochs, --batch-size, --lr or --rounds: {what}; the "
            "study takes one training of a network: keep the others in another folder"
        )


def _refuse_in_two_files(files: dict[Path, pd.DataFrame], key: list[str]) -> None:
    """Refuse a run that is in two files, such as a file and its copy."""
    owners: dict[tuple, Path] = {}
    for file, table in files.items():
        for run in table[key].itertuples(index=False):
            other = owners.setdefault(tuple(run), file)
            if other != file:
                what = ", ".join(map(str, run))
                raise TableError(f"{file}: a run that is in {other.name} too ({what})")


def _read(
    file: Path, encoding: str, names: Sequence[str], needed: Sequence[str], wiring: str
) -> pd.DataFrame:
    """A file of an encoding; of the metrics `names` it must have those needed."""
    kind = ENCODINGS[encoding]
    wanted = wiring if wiring in kind.wirings else kind.wirings[0]
    layers = LAYERS if kind.bipartite else {}
    columns = CONFIGURATION | layers | {name: Number(empty=True) for name in names}
    absent = ABSENT | {name: math.nan for name in names if name not in needed}
    table = read(file, columns, absent)
    table["training"] = table["training"].str.capitalize()  # TRUE from spreadsheets
    table["epoch"] = table["epoch"].fillna(table["epochs"])  # as `columns.completed` says
    refuse_duplicates(file, table, [*IDENTITY, *_layer(table)])
    return table[(table["wiring"] == wanted) & table["accuracy"].notna()]


def _layer(table: pd.DataFrame) -> list[str]:
    """What tells a layer from the others of its network, where there are any."""
    return [name for name in LAYERS if name in table and name not in ABSENT]


def _at_end(table: pd.DataFrame) -> pd.Series:
    return table["epoch"].eq(table["epochs"]) | table["epochs"].isna()


def _table(files: dict[Path, pd.DataFrame], moments: bool) -> pd.DataFrame:
    """One table of all files of an encoding."""
    if not moments:
        files = {file: table[_at_end(table)] for file, table in files.items()}
    (run,) = {(*RUN, *_layer(table)) for table in files.values()}
    for file, table in files.items():
        _refuse_two_kinds(file, [table])
        _refuse_two_schedules(file, table, list(run))
    _refuse_in_two_files(files, list(run))
    return pd.concat(files.values(), ignore_index=True)
