"""Result files under kill -9: every run is there as a whole or not at all, at every moment."""

import collections
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from runs import results
from runs.columns import CONFIGURATION, LAYER
from system import appending

ROOT = Path(results.__file__).parents[1]
COLUMNS = (*CONFIGURATION, *LAYER, "nodes", "motifs")

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")

COMMON = """
import os, signal, sys, time
from pathlib import Path
from runs import results
from runs.columns import CONFIGURATION, LAYER
from system import appending
COLUMNS = (*CONFIGURATION, *LAYER, "nodes", "motifs")
def run(seed, layers):
    return [
        dict(
            model="Resnet-20", dataset="digits", pruning="erk", sparsity=0.98,
            achieved_sparsity=0.97999, seed=seed, as_released="", rounds=None,
            encoding="rolled", wiring="exact", training=True, epochs=4, batch_size=32, lr=0.1,
            epoch=4, accuracy=None, moved=None, layer_id=layer, layer_name=f"conv, {layer}",
            layer_density=1 / (1 + layer), nodes=seed + layer, motifs=2 ** 70,
        )
        for layer in range(layers)
    ]
"""
exec(COMMON, definitions := {})
run = definitions["run"]

WORKER = (
    COMMON
    + """
file, first, runs, layers, slow = sys.argv[1], *map(int, sys.argv[2:])
write = os.write
def write_slowly(descriptor, data):
    for start in range(0, len(data), 150):
        write(descriptor, data[start : start + 150])
        time.sleep(0.0002)
    return len(data)
if slow:
    os.write = write_slowly
else:  # what a killed process has written stays without it, and a busy disk would take minutes
    os.fsync = lambda descriptor: None
done = results.identities(file)
for seed in range(first, first + runs):
    rows = run(seed, layers)
    if results.identity(rows[0]) not in done:
        results.append(file, COLUMNS, rows)
"""
)

# Kills itself at the n-th call of a function, after a part of what was to be written.
SUICIDE = (
    COMMON
    + """
what, file, seed, layers, name, call, part = sys.argv[1:]
module = os if hasattr(os, name) else appending.shutil
function = getattr(module, name)
left = int(call)
def replacement(*arguments, **options):
    global left
    left -= 1
    if left:
        return function(*arguments, **options)
    if name == "write":
        descriptor, data = arguments
        function(descriptor, data[: int(float(part) * len(data))])
    elif part == "1":
        function(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, replacement)
getattr(results, what)(file, COLUMNS, run(int(seed), int(layers)))
"""
)


@pytest.fixture
def start(small_python):
    """Start Python with some code."""
    return lambda code, *arguments: small_python.start("-c", code, *arguments, cwd=ROOT)


@pytest.fixture
def kill_within(start):
    """Run one change of a file that is killed in the midst."""

    def run(what, file, seed, layers, name, call, part):
        process = start(SUICIDE, what, file, seed, layers, name, call, part)
        assert process.wait() == -signal.SIGKILL, process.communicate()

    return run


def hidden(file):
    return sorted(p.name for p in file.parent.iterdir() if p != file and p.suffix != ".lock")


BEFORE = {
    "no file": None,
    "an empty file": "",
    "a header": ",".join(COLUMNS) + "\n",
    "a header without a line break": ",".join(COLUMNS),
    "a run": "run",
    "a run without a line break": "run",
}
# During an append: os.write is called for the journal, then for the rows; os.fsync for the journal,
# its folder, the rows and, when the journal is removed, for its folder again.
MOMENTS = {
    "journal begun": ("write", 1, 0),
    "journal torn": ("write", 1, 0.5),
    "journal written": ("write", 1, 1),
    "journal on disk": ("fsync", 1, 1),
    "its name on disk": ("fsync", 2, 1),
    "rows not begun": ("write", 2, 0),
    "rows torn early": ("write", 2, 0.1),
    "rows torn": ("write", 2, 0.5),
    "rows torn late": ("write", 2, 0.95),
    "rows written": ("write", 2, 1),
    "rows on disk": ("fsync", 3, 1),
    "journal not removed": ("unlink", 1, 0),
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_append_leaves_nothing_of_its_run(tmp_path, before, moment, kill_within):
    file = tmp_path / "a.csv"
    rows = []
    if BEFORE[before] == "run":
        rows = run(1, 4)
        results.append(file, COLUMNS, rows)
        if before != "a run":
            file.write_bytes(file.read_bytes()[:-1])
    elif before != "no file":
        file.write_text(BEFORE[before])

    kill_within("append", file, 2, 5, *MOMENTS[moment])
    for _ in range(2):  # reading does not change what is read
        assert results.read(file) == rows
        assert results.find(file, run(2, 1)[0]) == []
        assert results.identities(file) == count(rows)
    results.check(file, COLUMNS)

    results.append(file, COLUMNS, run(3, 2))
    assert results.read(file) == rows + run(3, 2)
    results.append(file, COLUMNS, run(2, 5))
    assert results.read(file) == rows + run(3, 2) + run(2, 5)
    assert file.read_bytes().count(b"model,") == 1
    assert hidden(file) == []


def count(rows):
    return collections.Counter(map(results.identity, rows))


def test_append_killed_after_the_journal_is_gone_keeps_its_run(tmp_path, kill_within):
    file = tmp_path / "a.csv"
    kill_within("append", file, 2, 5, "unlink", 1, 1)
    assert results.read(file) == run(2, 5)
    assert hidden(file) == []


@pytest.mark.parametrize("moment", [("ftruncate", 1, 0), ("fsync", 1, 0), ("unlink", 1, 0)])
@pytest.mark.parametrize("what", ["append", "replace"])
def test_killed_while_mending(tmp_path, moment, what, kill_within):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, 4))
    kill_within("append", file, 2, 5, "write", 2, 0.5)
    assert file.read_bytes().count(b"\n") > 5
    kill_within(what, file, 1, 3, *moment)
    assert results.read(file) == run(1, 4)
    results.append(file, COLUMNS, run(2, 5))
    assert results.read(file) == run(1, 4) + run(2, 5)
    assert hidden(file) == []


def test_unfinished_run_does_not_survive_a_replacement(tmp_path, kill_within):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, 4))
    kill_within("append", file, 2, 5, "write", 2, 1)
    results.replace(file, COLUMNS, run(1, 3))
    assert results.read(file) == run(1, 3)
    kill_within("append", file, 2, 5, "write", 2, 1)
    results.replace(file, COLUMNS, run(2, 2))
    assert results.read(file) == run(1, 3) + run(2, 2)
    assert hidden(file) == []


@pytest.mark.parametrize("moment", [("fsync", 1, 0), ("copymode", 1, 1), ("replace", 1, 0)])
@pytest.mark.parametrize("then", ["append", "replace"])
def test_killed_replacement_leaves_nothing(tmp_path, moment, then, kill_within):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, 4))
    results.append(file, COLUMNS, run(2, 4))
    others = [".a.csv.original", ".a.csv.abcdefgh", ".b.csv.abcdefgh.tmp", ".a.csv.x.tmp"]
    for name in others:
        (tmp_path / name).touch()
    kill_within("replace", file, 1, 3, *moment)
    (copy,) = set(hidden(file)) - set(others)
    assert re.fullmatch(r"\.a\.csv\.[a-z0-9_]{8}\.tmp", copy)
    assert results.read(file) == run(1, 4) + run(2, 4)
    getattr(results, then)(file, COLUMNS, run(3, 1))
    assert hidden(file) == sorted(others)
    assert results.read(file) == run(1, 4) + run(2, 4) + run(3, 1)


def test_replacement_killed_after_its_rename_is_done(tmp_path, kill_within):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, 4))
    kill_within("replace", file, 1, 3, "replace", 1, 1)
    assert results.read(file) == run(1, 3)
    assert hidden(file) == []


@pytest.mark.parametrize("rows", [0, 20])
def test_file_put_there_by_hand_is_not_cut(tmp_path, rows, kill_within):
    """A journal that was left behind is about another file."""
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, rows))
    kill_within("append", file, 2, 2, "write", 2, 0.5)
    file.unlink()
    results.append(tmp_path / "other" / "a.csv", COLUMNS, run(3, 40))
    (tmp_path / "other" / "a.csv").rename(file)
    assert results.read(file) == run(3, 40)
    results.append(file, COLUMNS, run(2, 2))
    assert results.read(file) == run(3, 40) + run(2, 2)


EDITS = {
    "other line ends": lambda whole, _: whole.replace(b"\n", b"\r\n"),
    "other line ends, half of the last row": lambda whole, torn: torn.replace(b"\n", b"\r\n")[:-9],
    "another row": lambda whole, _: whole + whole.splitlines(keepends=True)[1],
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_editor_wrote_after_a_kill_is_not_cut(tmp_path, edit, kill_within):
    """The journal of the killed append is still there, and the length fits it."""
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, 4))
    whole = file.read_bytes()
    kill_within("append", file, 2, 5, "write", 2, 0.7)
    torn = file.read_bytes()
    edited = EDITS[edit](whole, torn)
    assert len(whole) <= len(edited) <= len(whole) + len(torn) / 0.7
    file.write_bytes(edited)
    if "half" in edit:
        with pytest.raises(results.ResultFileError, match="the last row was cut"):
            results.append(file, COLUMNS, run(3, 1))
    else:
        results.append(file, COLUMNS, run(3, 1))
        assert len(results.read(file)) == edited.count(b"\n")
    assert file.read_bytes().startswith(edited)


def test_a_journal_of_an_earlier_version(tmp_path, kill_within):
    """It says between which lengths the file grew, and no more."""
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, 4))
    kill_within("append", file, 2, 5, "write", 2, 0.5)
    journal = tmp_path / ".a.csv.journal"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0][len("append ") :])
    assert results.read(file) == run(1, 4)
    results.append(file, COLUMNS, run(2, 5))
    assert results.read(file) == run(1, 4) + run(2, 5)
    assert hidden(file) == []


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("change", ["append", "replace", "other file", "no file"])
def test_reader_overtaken_by_a_writer_reads_again(tmp_path, monkeypatch, torn, change, kill_within):
    """What is changed between a look at the file and one at its journal."""
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, 4))
    results.append(tmp_path / "b.csv", COLUMNS, run(7, 9))
    if torn:
        kill_within("append", file, 2, 5, "write", 2, 0.5)
    look, changes = appending._start, []

    def overtaken(*arguments):
        if not changes:
            changes.append(change)
            if change == "append":
                results.append(file, COLUMNS, run(3, 1))
            elif change == "replace":
                results.replace(file, COLUMNS, run(1, 1))
            elif change == "other file":
                os.replace(tmp_path / "b.csv", file)
            else:
                file.unlink()
        return look(*arguments)

    monkeypatch.setattr(appending, "_start", overtaken)
    after = {
        "append": run(1, 4) + run(3, 1),
        "replace": run(1, 1),
        "other file": run(7, 9),
        "no file": [],
    }
    assert results.read(file) == after[change]


def test_file_moved_away_by_hand(tmp_path, kill_within):
    file = tmp_path / "a.csv"
    results.append(file, COLUMNS, run(1, 4))
    kill_within("append", file, 2, 5, "write", 2, 0.5)
    file.rename(tmp_path / "away.csv")
    assert results.read(file) == []
    assert results.identities(file) == {}
    results.append(file, COLUMNS, run(3, 1))
    assert results.read(file) == run(3, 1)
    assert hidden(file) == ["away.csv"]


def test_lock_of_a_killed_process_is_free(tmp_path, monkeypatch, kill_within):
    monkeypatch.setattr(appending, "LOCK_SECONDS", 0.5)
    kill_within("append", tmp_path / "a.csv", 1, 2, "write", 2, 0.5)
    assert (tmp_path / ".a.csv.lock").exists()
    results.append(tmp_path / "a.csv", COLUMNS, run(1, 2))


@pytest.mark.parametrize(("runs", "layers"), [(40, 1), (12, 5)])
def test_processes_killed_at_random_moments(tmp_path, runs, layers, long, start):
    """Eight processes, many kills: started again they go on, and at the end all is there once.

    The runs of five rows are written slowly, so that kills and reads fall in the midst of them.
    """
    dice = random.Random(layers)
    slow = int(layers > 1)
    journals = 0
    for number in range(60 if long else 1):
        journals += killed_again_and_again(
            tmp_path / f"{number}.csv", runs, layers, slow, dice, start
        )
    assert journals or not slow  # reads did fall in the midst of appends


def killed_again_and_again(file, runs, layers, slow, dice, start):
    """Let them write a file; gives how often an append was seen under way."""
    workers = [start(WORKER, file, runs * i, runs, layers, slow) for i in range(8)]
    most = 20
    kills = journals = 0  # fewer where they are done before
    seen = set()
    try:
        while any(worker.poll() is None for worker in workers):
            journals += file.with_name(f".{file.name}.journal").exists()
            there = results.identities(file)
            assert set(there.values()) <= {layers}
            assert seen <= there.keys()  # what has been read once stays
            seen = set(there)
            time.sleep(dice.uniform(0, 0.02 if slow else 0.01))
            alive = [i for i in range(8) if workers[i].poll() is None]
            if kills == most or not alive:
                continue
            i = dice.choice(alive)
            workers[i].kill()
            status = workers[i].wait()
            assert status in (0, -signal.SIGKILL)  # 0: it had done all
            kills += status != 0
            workers[i] = start(WORKER, file, runs * i, runs, layers, slow)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert [worker.returncode for worker in workers] == [0] * 8
    assert kills > 5
    rows = sorted(results.read(file), key=lambda row: (row["seed"], row["layer_id"]))
    assert rows == [row for seed in range(8 * runs) for row in run(seed, layers)]
    results.append(file, COLUMNS, run(-1, 1))  # clears what the last kill may have left
    assert file.read_bytes().count(b"\n") == 1 + 8 * runs * layers + 1
    left = (f".{file.name}.journal", f".{file.name}.")
    assert not [name for name in hidden(file) if name.startswith(left)]
    return journals
