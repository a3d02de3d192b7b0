"""Result files: one CSV for each encoding, dataset and model.

A row is one run (unrolled graph) or one layer of a run (bipartite graphs). Numbers are written in
the shortest form that reads back to the same number, undefined values as empty cells. A run is
identified by its `IDENTITY` columns, in which numbers are compared as numbers.

Other programs may have written a file again: any line ends, a byte order mark, a last row without a
line break, and ``4.0`` for ``4`` are read as what they are. Pandas does the last to a column of
whole numbers that has an empty cell, and so rounds counts above 2^53.

Every change of a file happens under a file lock, and a process killed at any moment leaves all rows
of a run or none. An append first notes in a journal, a hidden file beside it, from which length to
which the file grows, and removes the journal when the rows are on disk. As long as there is a
journal readers stop at the first length, and whoever next changes the file cuts it there. Nothing
else is ever cut: a last line that is no whole row, without a journal, is none of our appends and is
refused. Rows are replaced by renaming a finished file over the old one.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import numbers
import operator
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import filelock

from system.files import replacing

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
    "epochs",
    "batch_size",
    "lr",
    "accuracy",
)
IDENTITY = tuple(name for name in CONFIGURATION if name not in ("achieved_sparsity", "accuracy"))
LAYER = ("layer_id", "layer_name", "layer_density")
TEXT = frozenset({"model", "dataset", "pruning", "encoding", "wiring", "layer_name"})

LOCK_SECONDS = 60.0
POLL_SECONDS = 0.01
BLOCK = 65536
LINE_END = re.compile("\r\n?|\n")

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
    if column == "training":  # in capital letters from spreadsheets
        if text.lower() not in ("true", "false"):
            raise ValueError(f"training is {text!r}, not True or False")
        return text.lower() == "true"
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
        Equal numbers give equal texts, ``4`` and ``4.0`` too.
    """
    return tuple(format_cell(_as_whole(row[name])) for name in IDENTITY)


def _as_whole(value: object) -> object:
    """A whole number as int, whatever its type; anything else as it is."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return int(value) if is_number and value % 1 == 0 else value


def read(file: str | Path) -> list[dict[str, Value]]:
    """Read all rows of a result file.

    An append that is under way or was cut off is not read; what it has written is none of the rows.

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
        If the file is not UTF-8, or a row, such as a last one that was cut, is not as long as the
        header.
    """
    _, table = _parse(Path(file))
    return [row for _, row in table]


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


def identities(file: str | Path) -> dict[tuple[str, ...], int]:
    """Which runs a file has; many times faster than to `find` each.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    dict of tuple of str to int
        The number of rows of each run, by `identity`; empty if the file does not exist.

    Raises
    ------
    ResultFileError
        As `find`, but only the identity columns must hold what they should.
    """
    file = Path(file)
    header, table = _table(file)
    _require_identity(file, header)
    if not header:
        return {}
    pick = operator.itemgetter(*map(header.index, IDENTITY))
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for number, (_, cells) in enumerate(table, start=2):
        texts = pick(cells)
        if texts not in known:
            known[texts] = identity(_values(file, number, IDENTITY, texts))
        run = known[texts]
        counts[run] = counts.get(run, 0) + 1
    return counts


def columns_of(file: str | Path) -> tuple[str, ...]:
    """Names of a file's columns.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    tuple of str
        Empty if the file is, or does not exist.

    Raises
    ------
    ResultFileError
        If the first line cannot be read.
    """
    file = Path(file)
    try:
        data = content(file, first_line=True)
    except FileNotFoundError:
        data = b""
    # Of a blank line csv makes no column, which would be an empty file.
    return tuple(_cells(file, 1, _decode(file, _first_line(data)))) or ("",) * bool(data)


def content(file: str | Path, first_line: bool = False) -> bytes:
    """Bytes of a file without those of an append that is under way or was cut off; takes no lock.

    Parameters
    ----------
    file : str or Path
    first_line : bool
        Whether to read no more than up to the first ``\\n``.

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        If the file cannot be read or does not exist.
    """
    file = Path(file)
    while True:
        with open(file, "rb") as opened:
            before = _state(opened.fileno())
            data = opened.readline() if first_line else opened.read()
        start = _start(file, before[-1])
        # An unchanged file means that what the journal says now is true of what was read before.
        with open(file, "rb") as opened:  # opened again: network file systems refresh it then
            if _state(opened.fileno()) == before:
                return data[:start]


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


def check_file(file: str | Path) -> None:
    """Make sure that a file can be written or replaced, creating its folder if need be.

    Parameters
    ----------
    file : str or Path

    Raises
    ------
    OSError
        If it cannot; the message names the file or the folder.
    """
    file = Path(file)
    check_folder(file.parent)
    if file.exists():
        with open(file, "r+b"):
            pass


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
        If the file exists with other columns, or its last row was cut.
    OSError
        If the folder or the file cannot be written.
    """
    file = Path(file)
    check_file(file)
    _check_header(file, names)
    if file.exists():
        data = content(file)
        tail = data[_end_of_lines(data) :]
        if len(tail) < len(data):
            _require_whole_row(file, tail, columns_of(file))


def append(file: str | Path, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Add rows, all of them or none, such as those of a run.

    Parameters
    ----------
    file : str or Path
        Created with its header, and its folder with it, if it does not exist.
    names : sequence of str
        The columns, from `columns`; any others make a table that is not a result file.
    rows : sequence of mapping
        No cell may hold a line break.

    Raises
    ------
    ResultFileError
        If the file has other columns, its last row was cut, or another process holds its lock for
        too long.
    OSError
        If it cannot be written; the file is then as before.
    """
    file = Path(file)
    lines = [_line(row[name] for name in names) for row in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file):
        _fit(file, names)
        _append(file, names, lines)


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
    new = [_line(row[name] for name in names) for row in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file):
        _fit(file, names)
        _, table = _parse(file)
        old = [i for i, (_, row) in enumerate(table) if identity(row) == identity(rows[0])]
        if not old:
            _append(file, names, new)
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
    header, table = _table(file)
    return header, [
        (line + "\n", _values(file, number, header, cells))
        for number, (line, cells) in enumerate(table, start=2)
    ]


def _table(file: Path) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Header, and every row as its line and its cells; both empty without a file."""
    try:
        data = content(file)
    except FileNotFoundError:
        return [], []
    if not data:
        return [], []
    first = _first_line(data)
    header = _cells(file, 1, _decode(file, first))
    tail = data[_end_of_lines(data) :]
    if tail != first:
        _require_whole_row(file, tail, header)
    lines = LINE_END.split(_decode(file, data))
    if not tail:
        lines.pop()
    table = []
    for number, line in enumerate(lines[1:], start=2):
        cells = _cells(file, number, line)
        if len(cells) != len(header):
            raise ResultFileError(
                f"{file}, line {number}: {len(cells)} cells where the header has {len(header)}"
            )
        table.append((line, cells))
    return header, table


def _first_line(data: bytes) -> bytes:
    return next(iter(data.splitlines()), b"")


def _end_of_lines(data: bytes) -> int:
    """Length of the lines that have their line breaks."""
    return 1 + max(data.rfind(b"\n"), data.rfind(b"\r"))


def _require_whole_row(file: Path, tail: bytes, header: Sequence[str]) -> None:
    """Refuse a last line without a line break, unless it is empty or a whole row."""
    try:
        cells = next(csv.reader([tail.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error):
        cells = []
    if tail and len(cells) != len(header):
        number = len(content(file).splitlines())
        raise ResultFileError(
            f"{file}, line {number}: the last row was cut; complete it, or delete the line"
        )


def _decode(file: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResultFileError(f"{file}: not a UTF-8 text file ({error.reason})") from None


def _values(
    file: Path, number: int, names: Sequence[str], cells: Sequence[str]
) -> dict[str, Value]:
    try:
        return {name: parse_cell(name, cell) for name, cell in zip(names, cells, strict=True)}
    except ValueError as error:
        raise ResultFileError(f"{file}, line {number}: {error}") from None


def _cells(file: Path, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise ResultFileError(f"{file}, line {number}: {error}") from None


def _require_identity(file: Path, header: Sequence[str]) -> None:
    missing = [name for name in IDENTITY if name not in header]
    if header and missing:
        raise ResultFileError(f"{file}: not a result file: it has no column {missing[0]}")


def _check_header(file: Path, names: Sequence[str]) -> bool:
    """Whether the file is of an earlier version, with fewer columns; it may have no others."""
    found = columns_of(file)
    if not found or found == tuple(names):
        return False
    if found[0] != names[0] or not set(found) < set(names) or len(set(found)) < len(found):
        raise ResultFileError(
            f"{file}: its columns are not those written now; move the file away, or give another "
            "output folder"
        )
    return True


def _fit(file: Path, names: Sequence[str]) -> None:
    """Give a file from before the columns that it lacks, empty: it is written anew, once."""
    if _check_header(file, names):
        header, table = _table(file)
        old = (dict(zip(header, cells, strict=True)) for _, cells in table)
        lines = [_line(row.get(name, "") for name in names) for row in old]
        _rewrite(file, "".join([_line(names), *lines]))


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file that has nothing of a killed process any more."""
    lock = _beside(file, "lock")
    try:
        with filelock.FileLock(lock, timeout=LOCK_SECONDS, poll_interval=POLL_SECONDS):
            _mend(file)
            yield
    except filelock.Timeout:
        raise ResultFileError(
            f"{file}: another process has held its lock for {LOCK_SECONDS:g} s; try again later, "
            f"or end the process that has {lock} open"
        ) from None


def _beside(file: Path, kind: str) -> Path:
    """A hidden file of ours beside the file, or beside what the file is a link to."""
    target = file.resolve()
    return target.with_name(f".{target.name}.{kind}")


def _mend(file: Path) -> None:
    """Undo the append of a killed process and remove its unfinished `_rewrite`."""
    with contextlib.suppress(FileNotFoundError):
        with open(file, "rb") as opened:
            start = _start(file, os.fstat(opened.fileno()).st_size)
        if start is not None:
            with open(file, "r+b") as opened:
                os.ftruncate(opened.fileno(), start)
                os.fsync(opened.fileno())
    journal = _beside(file, "journal")
    journal.unlink(missing_ok=True)
    copy = re.compile(re.escape(_beside(file, "").name) + r"[a-z0-9_]{8}\.tmp")
    for name in os.listdir(journal.parent):
        if copy.fullmatch(name):
            journal.with_name(name).unlink(missing_ok=True)


def _state(descriptor: int) -> tuple[int, ...]:
    """What differs once a file has been changed or another is in its place; the size is last."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _start(file: Path, size: int) -> int | None:
    """Where the unfinished append of a file of this size began; None if there is none."""
    journal = _beside(file, "journal")
    # Network file systems may remember that a name was not there, but list a folder afresh.
    if journal.name not in os.listdir(journal.parent):
        return None
    try:
        text = journal.read_bytes()
    except FileNotFoundError:
        return None
    lengths = re.fullmatch(rb"(\d+) (\d+)\n", text)
    if lengths is None:  # a torn journal: the append had not begun
        return None
    start, end = map(int, lengths.groups())
    return start if start <= size <= end else None  # else someone has put another file there


def _append(file: Path, names: Sequence[str], lines: Sequence[str]) -> None:
    """Add lines with a single write; on failure the file keeps its length."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        kept = os.fstat(descriptor).st_size
        tail = _last_line(descriptor)
        if len(tail) < kept:  # else it is the header
            _require_whole_row(file, tail, names)
        start = [] if kept else [_line(names)]
        data = "".join([*start, "\n" if tail else "", *lines]).encode()
        journal = _beside(file, "journal")
        try:
            _note(journal, kept, kept + len(data))
            _write(file, descriptor, data)
            journal.unlink()
        except BaseException:
            os.ftruncate(descriptor, kept)
            journal.unlink(missing_ok=True)
            raise
    finally:
        os.close(descriptor)


def _last_line(descriptor: int) -> bytes:
    """What follows the last line break of a file, which is read from its end."""
    end = os.fstat(descriptor).st_size
    tail = b""
    while end:
        start = max(0, end - BLOCK)
        os.lseek(descriptor, start, os.SEEK_SET)
        block = os.read(descriptor, end - start)
        lines = _end_of_lines(block)
        tail = block[lines:] + tail
        if lines:
            break
        end = start
    return tail


def _note(journal: Path, start: int, end: int) -> None:
    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        _write(journal, descriptor, f"{start} {end}\n".encode())
    finally:
        os.close(descriptor)
    # Its name has to be on disk, too, before the rows are: they are whole, or it says that not.
    folder = os.open(journal.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(file: Path, descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
    os.fsync(descriptor)


def _rewrite(file: Path, text: str) -> None:
    """Put a finished file in the place of the old one, in one step."""
    target = file.resolve()
    copy = _beside(file, f"{secrets.token_hex(4)}.tmp")
    with replacing(target, copy) as new:
        new.write(text.encode())
        shutil.copymode(target, copy)
