"""The log of runs: what it says of the machine, and that old files go on as they are."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import main
from pruning import Gaps
from runs import records, results
from runs.run import Measurement, Network, configuration

OURS = Path(main.__file__).parent / "graph_data/digits/runs.csv"
NETWORK = Network("Resnet-20", "CIFAR-10", "erk", 0.98, 0, False)
NOTHING = Gaps((), 22, (), 10)
MEASUREMENT = Measurement("unrolled", "exact", "topometrics")


@pytest.fixture
def record(tmp_path):
    """Add a line to a log; gives all its lines."""

    def run(gaps=NOTHING, rows=1):
        took = {"prune": (1.5, 200.0, None)}
        records.record_run(tmp_path, NETWORK, MEASUREMENT, took, "cpu", 3, gaps, rows)
        with open(tmp_path / "runs.csv", newline="") as stream:
            return list(csv.DictReader(stream, strict=True))

    return run


@pytest.fixture
def cpu(monkeypatch):
    """The processor, asked for anew."""
    records.cpu.cache_clear()
    yield records.cpu
    records.cpu.cache_clear()


def test_the_processor_is_recorded(record):
    first, second = record(), record()
    assert list(first[0]) == list(records.RUNS)
    assert [row["cpu"] for row in second] == [records.cpu()] * 2
    assert (second[1]["threads"], second[1]["prune_seconds"]) == ("3", "1.5")


def test_an_empty_file_begins_anew(record, tmp_path):
    (tmp_path / "runs.csv").touch()
    (row,) = record()
    assert list(row) == list(records.RUNS)


@pytest.mark.parametrize("ends", ["", "\n", "\r", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_an_edited_file_is_written_to(record, tmp_path, ends, mark):
    text = mark + ",".join(records.RUNS) + ends
    (tmp_path / "runs.csv").write_text(text, newline="")
    records.check(tmp_path)
    record()
    with open(tmp_path / "runs.csv", newline="", encoding="utf-8-sig") as stream:
        (row,) = csv.DictReader(stream, strict=True)
    assert (tmp_path / "runs.csv").read_bytes().startswith(text.encode())
    assert tuple(row) == records.RUNS
    assert (row["threads"], row["prune_seconds"]) == ("3", "1.5")


@pytest.mark.parametrize("name", ["runs", "training", "failures"])
@pytest.mark.parametrize("text", ["host,cpu\n", "model,colour"])
def test_logs_that_cannot_be_written_are_noticed_before_the_work(tmp_path, name, text):
    records.check(tmp_path)
    (tmp_path / f"{name}.csv").write_text(text)
    with pytest.raises(results.ResultFileError, match=rf"{name}\.csv: its columns are not"):
        records.check(tmp_path)


def test_a_reason_with_a_name_that_is_no_text(tmp_path):
    records.record_failure(tmp_path, NETWORK, [MEASUREMENT], "load", "OSError", "no file \udcff.pt")
    (row,) = csv.DictReader((tmp_path / "failures.csv").read_text().splitlines())
    assert row["reason"] == "no file \\udcff.pt"


def test_a_reason_of_any_length_can_be_read_again(tmp_path):
    for letters in (10, 200_000):
        records.record_failure(tmp_path, NETWORK, [MEASUREMENT], "load", "E", 'a"\n' * letters)
    first, second = csv.DictReader((tmp_path / "failures.csv").read_text().splitlines())
    assert first["reason"] == 'a" ' * 9 + 'a"'
    assert second["reason"] == 'a" ' * 3333 + "a..."


def test_the_rows_of_each_run_are_recorded(record, tmp_path):
    run = results.identity(configuration(NETWORK, MEASUREMENT))
    assert records.row_counts(tmp_path) == {}
    record(rows=4)
    record(rows=22)
    assert records.row_counts(tmp_path) == {(*run, "topometrics"): 22}
    file = tmp_path / "runs.csv"
    file.write_text(file.read_text().replace(",22\n", ",\n"))
    assert records.row_counts(tmp_path) == {(*run, "topometrics"): 4}
    file.write_bytes(OURS.read_bytes())  # of an earlier version
    assert records.row_counts(tmp_path) == {}


@pytest.fixture
def git(monkeypatch):
    """Run git in a folder; gives what it prints."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(folder, *arguments):
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    return run


def make_repository(git, folder):
    """A repository with a `main.py`; its commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    (folder / "main.py").write_text("1\n")
    git(folder, "add", "main.py")
    git(folder, "commit", "--quiet", "--message", "first")
    return git(folder, "rev-parse", "HEAD")


def test_the_commit_is_that_of_the_projects_own_repository(git, tmp_path, monkeypatch):
    folder = tmp_path / "a folder, é"
    first = make_repository(git, folder)
    (tmp_path / "link").symlink_to(folder)
    (folder / "results").mkdir()
    (folder / "results" / "untracked").touch()
    assert records.commit(folder) == records.commit(tmp_path / "link") == first
    make_repository(git, tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))  # as in a hook of another
    assert records.commit(folder) == first
    (folder / "main.py").write_text("2\n")
    assert records.commit(folder) == f"{first}-dirty"


@pytest.mark.parametrize("tracked", [False, True])
def test_an_unpacked_archive_has_no_commit_of_the_repository_around_it(git, tmp_path, tracked):
    make_repository(git, tmp_path / "home")
    folder = tmp_path / "home" / "project"
    folder.mkdir()
    (folder / "main.py").touch()
    if tracked:
        git(folder, "add", "main.py")
        git(folder, "commit", "--quiet", "--message", "second")
    assert records.commit(folder) == ""


def test_a_repository_without_the_projects_files_gives_no_commit(git, tmp_path):
    make_repository(git, tmp_path / "home")
    git(tmp_path / "home", "mv", "main.py", "notes.py")
    (tmp_path / "home" / "main.py").touch()
    assert records.commit(tmp_path / "home") == ""
    assert records.commit(tmp_path) == ""


def test_what_is_cut_off_is_recorded(record):
    names = ("empty_layers", "empty_layer_names", "unreached_classes", "unreached_class_numbers")
    record(Gaps(("conv1", "a,b"), 22, (0, 7), 10))
    record(Gaps((), 22))
    rows = [tuple(row[name] for name in names) for row in record()]
    assert rows == [("2", "conv1 a,b", "2", "0 7"), ("0", "", "", ""), ("0", "", "0", "")]


def test_a_file_from_before_is_given_the_new_columns(record, tmp_path):
    """That of the study on the digits is one."""
    file = tmp_path / "runs.csv"
    with open(OURS, newline="") as stream:
        before = list(csv.DictReader(stream))
    file.write_bytes(OURS.read_bytes())
    *rows, row = record()
    assert [dict.fromkeys(records.RUNS, "") | old for old in before] == rows
    assert (row["threads"], row["prune_seconds"], row["measure_megabytes"]) == ("3", "1.5", "")
    written = file.read_bytes()
    record()
    assert file.read_bytes().startswith(written)


@pytest.mark.parametrize("foreign", ["host,cpu,colour\n", "host,host\n1,2\n"])
def test_a_foreign_file_is_refused(record, tmp_path, foreign):
    (tmp_path / "runs.csv").write_text(foreign)
    with pytest.raises(results.ResultFileError, match="its columns are not those written now"):
        record()


@pytest.mark.parametrize(
    ("cpuinfo", "processor", "model"),
    [
        ("processor\t: 0\nmodel name\t: Fast, 9000\nmodel name\t: Other\n", "x86", "Fast, 9000"),
        ("processor\t: 0\nCPU part\t: 0xd0c\n", "aarch64", "aarch64"),
        (None, "arm", "arm"),
        (None, "", "m1"),
    ],
)
def test_model_of_the_processor(cpu, monkeypatch, cpuinfo, processor, model):
    def read(path, *_):
        assert str(path) == "/proc/cpuinfo"
        if cpuinfo is None:
            raise FileNotFoundError
        return cpuinfo

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(records.platform, "processor", lambda: processor)
    monkeypatch.setattr(records.platform, "machine", lambda: "m1")
    assert cpu() == f"{model} ({torch.backends.cpu.get_cpu_capability()})"


def test_records_import_no_torch():
    code = "import sys, runs.records; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(main.__file__).parent).returncode == 0
    )
