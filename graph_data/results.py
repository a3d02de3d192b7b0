"""Result files: one CSV for each encoding, dataset and model.

A row is one run (unrolled graph) or one layer of a run (bipartite graphs). Numbers are written in
the shortest form that reads back to the same number, undefined values as empty cells. A run is
identified by its `IDENTITY` columns.

Every change of a file happens under a file lock. Rows are appended by a single write to a
descriptor opened for appending, and replaced by renaming a finished file over the old one, so that
a process killed at any moment leaves a readable file.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import numbers
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import filelock

CONFIGURATION = (
    "model",
    "dataset",
    "pruning",
    "sparsity",
    "achieved_sparsity",
    "seed",
    "encoding",
    "wiring",
    "training",
    "accuracy",
)
IDENTITY = tuple(name for name in CONFIGURATION if name not in ("achieved_sparsity", "accuracy"))
LAYER = ("layer_id", "layer_name", "layer_density")
TEXT = frozenset({"model", "dataset", "pruning", "encoding", "wiring", "layer_name"})

LOCK_SECONDS = 60.0

Value = str | bool | int | float | None


class ResultFileError(ValueError):
    """A result file that cannot be read or must not be written; one line that says why."""


def columns(encoding: str, metric_names: Iterable[str]) -> tuple[str, ...]:
    """Columns of a result file, in order.

    Parameters
    ----------
    encoding : str
        Bipartite encodings have one row a layer and so the layer columns.
    metric_names : iterable of str
        Names of the metrics; those that are layer columns already are not repeated.

    Returns
    -------
    tuple of str
    """
    head = CONFIGURATION if encoding == "unrolled" else CONFIGURATION + LAYER
    return head + tuple(name for name in metric_names if name not in head)


def path(output_dir: str | Path, kind: str, encoding: str, dataset: str, model: str) -> Path:
    """Path of the file that holds a run's rows.

    Parameters
    ----------
    output_dir : str or Path
    kind : {"topometrics", "ramanujan"}
    encoding, dataset, model : str

    Returns
    -------
    Path
    """
    name = f"{encoding}-{dataset}-{model}.csv"
    if kind == "ramanujan":
        return Path(output_dir) / "ramanujan_results" / model / name
    return Path(output_dir) / "graph_metrics" / encoding / name


def format_cell(value: object) -> str:
    """Text of a value: exact, the same on every machine, empty for ``None``.

    Parameters
    ----------
    value : str, bool, int, float or None
        NumPy scalars count as the Python numbers that they are.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If the value is anything else.
    ValueError
        If a text holds a line break.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        if "\n" in value or "\r" in value:
            raise ValueError(f"a cell cannot hold a line break: {value!r}")
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return repr(float(value))
    raise TypeError(f"a cell cannot hold a {type(value).__name__}: {value!r}")


def parse_cell(column: str, text: str) -> Value:
    """Value of a cell; the inverse of `format_cell`.

    Parameters
    ----------
    column : str
    text : str

    Returns
    -------
    str, bool, int, float or None

    Raises
    ------
    ValueError
        If the cell of a numeric column is not a number, or that of ``training`` not a boolean.
    """
    if column in TEXT:
        return text
    if column == "training":
        if text not in ("True", "False"):
            raise ValueError(f"training is {text!r}, not True or False")
        return text == "True"
    if text == "":
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


def identity(row: Mapping[str, object]) -> tuple[str, ...]:
    """What tells one run from another, as text.

    Parameters
    ----------
    row : mapping
        A row, or any mapping with the `IDENTITY` columns.

    Returns
    -------
    tuple of str
    """
    return tuple(format_cell(row[name]) for name in IDENTITY)


def read(file: str | Path) -> list[dict[str, Value]]:
    """Read all rows of a result file.

    A last line that lacks its line break is what a killed process leaves; it is not read.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    list of dict
        Empty if the file does not exist.

    Raises
    ------
    ResultFileError
        If the file is not UTF-8, or a row does not fit the header.
    """
    header, table = _parse(Path(file))
    return [row for _, row in table] if header else []


def find(file: str | Path, run: Mapping[str, object]) -> list[dict[str, Value]]:
    """Rows of one run.

    Parameters
    ----------
    file : str or Path
    run : mapping
        Holds the `IDENTITY` columns.

    Returns
    -------
    list of dict
        Empty if the run is not in the file or the file does not exist.

    Raises
    ------
    ResultFileError
        As `read`, and if the file lacks an identity column.
    """
    wanted = identity(run)
    header, table = _parse(Path(file))
    _require_identity(Path(file), header)
    return [row for _, row in table if identity(row) == wanted]


def check_folder(folder: str | Path) -> None:
    """Make sure that a folder can be written, creating it if need be.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    OSError
        If it cannot; the message names the folder.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def check(file: str | Path, names: Sequence[str]) -> None:
    """Make sure, before long work, that rows can be added to a file.

    Parameters
    ----------
    file : str or Path
        Its folder is created if need be.
    names : sequence of str
        The columns to be written.

    Raises
    ------
    ResultFileError
        If the file exists with other columns.
    OSError
        If the folder or the file cannot be written.
    """
    file = Path(file)
    check_folder(file.parent)
    if file.exists():
        with open(file, "r+b"):
            pass
        _check_header(file, names)


def append(file: str | Path, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Add the rows of a run, all of them or none.

    Parameters
    ----------
    file : str or Path
        Created with its header, and its folder with it, if it does not exist.
    names : sequence of str
        The columns, from `columns`.
    rows : sequence of mapping

    Raises
    ------
    ResultFileError
        If the file has other columns, or another process holds its lock for too long.
    OSError
        If it cannot be written; the file is then as before.
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file):
        _check_header(file, names)
        _append(file, _line(names), [_line(row[name] for name in names) for row in rows])


def replace(file: str | Path, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Put the rows of one run in the place of its earlier rows; append them if there are none.

    Parameters
    ----------
    file : str or Path
    names : sequence of str
    rows : sequence of mapping
        At least one, all of one run.

    Raises
    ------
    ResultFileError, OSError
        As `append`.
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    new = [_line(row[name] for name in names) for row in rows]
    with _locked(file):
        _check_header(file, names)
        _, table = _parse(file)
        old = [i for i, (_, row) in enumerate(table) if identity(row) == identity(rows[0])]
        if not old:
            _append(file, _line(names), new)
            return
        before = [line for line, _ in table[: old[0]]]
        after = [line for i, (line, _) in enumerate(table) if i > old[0] and i not in old]
        _rewrite(file, "".join([_line(names), *before, *new, *after]))


def _line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(format_cell, values))
    return text.getvalue()


def _parse(file: Path) -> tuple[list[str], list[tuple[str, dict[str, Value]]]]:
    """Header, and every row as its line and its values; both empty without a file."""
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        return [], []
    except UnicodeDecodeError as error:
        raise ResultFileError(f"{file}: not a UTF-8 text file ({error.reason})") from None
    lines = text.split("\n")[:-1]  # what follows the last line break is empty or torn
    if not lines:
        return [], []
    header = _cells(file, 1, lines[0])
    table = []
    for number, line in enumerate(lines[1:], start=2):
        cells = _cells(file, number, line)
        if len(cells) != len(header):
            raise ResultFileError(
                f"{file}, line {number}: {len(cells)} cells where the header has {len(header)}"
            )
        try:
            row = {name: parse_cell(name, cell) for name, cell in zip(header, cells, strict=True)}
        except ValueError as error:
            raise ResultFileError(f"{file}, line {number}: {error}") from None
        table.append((line + "\n", row))
    return header, table


def _cells(file: Path, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise ResultFileError(f"{file}, line {number}: {error}") from None


def _require_identity(file: Path, header: Sequence[str]) -> None:
    missing = [name for name in IDENTITY if name not in header]
    if header and missing:
        raise ResultFileError(f"{file}: not a result file: it has no column {missing[0]}")


def _check_header(file: Path, names: Sequence[str]) -> None:
    header, _ = _parse(file)
    if header and tuple(header) != tuple(names):
        raise ResultFileError(
            f"{file}: its columns are not those written now; move the file away, or give another "
            "output folder"
        )


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    try:
        with filelock.FileLock(file.with_name(f".{file.name}.lock"), timeout=LOCK_SECONDS):
            yield
    except filelock.Timeout:
        raise ResultFileError(
            f"{file}: another process has held its lock for {LOCK_SECONDS:g} s; try again later"
        ) from None


def _append(file: Path, header: str, lines: Sequence[str]) -> None:
    """Add lines with a single write; on failure the file keeps its length."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        kept = file.read_bytes().rfind(b"\n") + 1
        os.ftruncate(descriptor, kept)  # drops the torn last line that a killed process left
        data = "".join(lines if kept else [header, *lines]).encode()
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            os.fsync(descriptor)
        except BaseException:
            os.ftruncate(descriptor, kept)
            raise
    finally:
        os.close(descriptor)


def _rewrite(file: Path, text: str) -> None:
    """Put a finished file in the place of the old one, in one step."""
    target = file.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "wb") as new:
            new.write(text.encode())
            new.flush()
            os.fsync(new.fileno())
        shutil.copymode(target, name)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
