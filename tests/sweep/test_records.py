"""The log of runs: what it says of the machine, and that old files go on as they are."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import main
from graph_data import results
from pruning import Gaps
from sweep import plan, records

OURS = Path(main.__file__).parent / "graph_data/digits/runs.csv"
NETWORK = plan.Network("Resnet-20", "CIFAR-10", "erk", 0.98, 0, False)
NOTHING = Gaps((), 22, (), 10)
MEASUREMENT = plan.Measurement("unrolled", "exact", "topometrics")


@pytest.fixture
def record(tmp_path):
    """Add a line to a log; gives all its lines."""

    def run(gaps=NOTHING):
        records.record_run(tmp_path, NETWORK, MEASUREMENT, {"prune": (1.5, 200.0)}, "cpu", 3, gaps)
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


@pytest.mark.parametrize("start", ["", "model,dataset", ",".join(records.RUNS)])
def test_a_file_without_a_whole_line_begins_anew(record, tmp_path, start):
    (tmp_path / "runs.csv").write_text(start)
    (row,) = record()
    assert list(row) == list(records.RUNS)


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
    code = "import sys, sweep.records; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(main.__file__).parent).returncode == 0
    )
