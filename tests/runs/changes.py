"""Changes of a result file that tests attack, and what must be true after them.

A change begins with what `BEFORE` has made. Whatever hits it, `check` holds: rows that were there
are there, the run that was to be written is there as a whole or not at all, and the same change
again makes all right.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from runs import results
from runs.columns import CONFIGURATION, LAYER

COLUMNS = (*CONFIGURATION, *LAYER, "nodes", "motifs")
FORMER = COLUMNS[:-1]
"""Of an earlier version."""

NAME = "new/folder/a.csv"

Row = dict[str, object]


def run(seed: int, layers: int, nodes: int = 5) -> list[Row]:
    """Rows of a run."""
    made = {
        "model": "Resnet-20",
        "dataset": "digits",
        "pruning": "erk",
        "sparsity": 0.98,
        "achieved_sparsity": 0.97999,
        "seed": seed,
        "as_released": "",
        "rounds": None,
        "encoding": "rolled",
        "wiring": "exact",
        "training": False,
        "epochs": None,
        "batch_size": None,
        "lr": None,
        "epoch": None,
        "accuracy": None,
        "moved": None,
    }
    return [
        made
        | {
            "layer_id": layer,
            "layer_name": f"conv, {layer}",
            "layer_density": 1 / (1 + layer),
            "nodes": nodes,
            "motifs": 2**70,
        }
        for layer in range(layers)
    ]


def _nothing(_: Path) -> list[Row]:
    return []


def _two_runs(file: Path) -> list[Row]:
    for seed in (1, 2):
        results.append(file, COLUMNS, run(seed, 4))
    return run(1, 4) + run(2, 4)


def _no_last_line_break(file: Path) -> list[Row]:
    rows = _two_runs(file)
    file.write_bytes(file.read_bytes()[:-1])
    return rows


def _former_columns(file: Path) -> list[Row]:
    for seed in (1, 2):
        results.append(file, FORMER, run(seed, 4))
    return [row | {"motifs": None} for row in run(1, 4) + run(2, 4)]


def _torn(file: Path) -> list[Row]:
    """A killed append of another run, of which a part is there."""
    rows = _two_runs(file)
    killed = os.fork()
    if not killed:
        write = os.write

        def die(descriptor: int, data: bytes) -> int:
            if b"append" in data:
                return write(descriptor, data)
            write(descriptor, data[: len(data) // 2])
            os._exit(9)

        os.write = die
        try:
            results.append(file, COLUMNS, run(8, 5))
        finally:  # nothing of the tests goes on here
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(killed, 0)[1]) == 9
    return rows


BEFORE: dict[str, Callable[[Path], list[Row]]] = {
    "nothing": _nothing,
    "two runs": _two_runs,
    "no last line break": _no_last_line_break,
    "former columns": _former_columns,
    "torn": _torn,
}

NEW = {"append": run(3, 5), "replace": run(1, 3, nodes=6)}
"""What each function of `results` is to write."""

CASES = [(before, what) for before in BEFORE for what in NEW]


def change(file: Path, what: str) -> None:
    """Make a change."""
    getattr(results, what)(file, COLUMNS, NEW[what])


def after(rows: list[Row], what: str) -> list[Row]:
    """Rows after a change."""
    new, there = NEW[what], [row["seed"] for row in rows]
    if new[0]["seed"] not in there:
        return rows + new
    at = there.index(new[0]["seed"])
    kept = [row for row in rows if row["seed"] != new[0]["seed"]]
    return kept[:at] + new + kept[at:]


def _padded(rows: list[Row]) -> list[Row]:
    """As they are read of a file of an earlier version."""
    return [dict.fromkeys(COLUMNS) | row for row in rows]


def check(file: Path, rows: list[Row], what: str, done: bool) -> None:
    """Look whether all is there after a change was hit, and there again after it is repeated.

    Parameters
    ----------
    file : Path
    rows : list of dict
        What was there before.
    what : str
    done : bool
        Whether the change had come to its end.
    """
    found, changed = _padded(results.read(file)), after(rows, what)
    assert found == changed if done else found in (rows, changed)
    counts = results.identities(file)
    assert sum(counts.values()) == len(found)
    if found != changed:
        change(file, what)
    results.append(file, COLUMNS, run(9, 1))
    assert results.read(file) == changed + run(9, 1)
    names = {path.name for path in file.parent.iterdir()}
    assert names == {file.name, f".{file.name}.lock"}
