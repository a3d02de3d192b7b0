"""Memory that is left, by files as the system writes them."""

import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from system import memory

GB = 10**9
NO_LIMIT = 9223372036854771712  # of version 1


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with 64 GB free, 1 GB of which this process has taken."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GB))
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=GB, peak_wset=3 * 2**20))
    monkeypatch.setattr(psutil, "Process", lambda: process)


def left(root, files, environment=None):
    """What is available, in GB, with files by their path."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return memory.available(root, environment or {}) / 1000


def two(path, limit, used, stat=0):
    folder = f"sys/fs/cgroup{path}/memory."
    return {
        f"{folder}max": limit,
        f"{folder}current": used,
        f"{folder}stat": f"anon {used - stat}\nfile {stat}\ninactive_file {stat}",
    }


def one(path, limit, used, stat=0):
    folder = f"sys/fs/cgroup/memory{path}/memory."
    return {
        f"{folder}limit_in_bytes": limit,
        f"{folder}usage_in_bytes": used,
        f"{folder}stat": f"cache {stat}\ntotal_inactive_file {stat}",
    }


OF_TWO = {"proc/self/cgroup": "0::/user.slice/job"}
OF_ONE = {"proc/self/cgroup": "9:name=systemd:/x\n4:cpu,memory:/docker/abc\n0::/"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "0::/"} | two("", 8 * GB, 2 * GB), 6),  # in a container
        (OF_TWO | two("/user.slice/job", 8 * GB, 2 * GB), 6),
        (OF_TWO | two("/user.slice/job", "max", 2 * GB), 64),
        # Groups are nested: the tightest counts, wherever it is.
        (OF_TWO | two("/user.slice/job", "max", GB) | two("/user.slice", 4 * GB, 3 * GB), 1),
        (OF_TWO | two("/user.slice/job", 2 * GB, GB // 2) | two("/user.slice", 9 * GB, GB), 1.5),
        (OF_TWO | two("/user.slice/other", 2 * GB, GB), 64),
        # Files that were read fill the limit and give way.
        (OF_TWO | two("/user.slice/job", 8 * GB, 7 * GB, 3 * GB), 4),
        (OF_TWO | two("/user.slice/job", 2 * GB, 3 * GB), 0),
        (OF_ONE | one("/docker/abc", 8 * GB, 7 * GB, 3 * GB), 4),
        (OF_ONE | one("/docker/abc", NO_LIMIT, GB) | one("/docker", 5 * GB, GB), 4),
        # The path is the host's, and the container sees its own group only.
        (OF_ONE | one("", 3 * GB, GB), 2),
        # Version 2 beside version 1.
        (OF_ONE | two("/unified", 3 * GB, GB) | one("", NO_LIMIT, GB), 2),
    ],
)
def test_of_control_groups(tmp_path, files, expected):
    assert left(tmp_path, files) == expected


@pytest.mark.parametrize(
    ("environment", "mib"),
    [
        ({"SLURM_MEM_PER_NODE": "4000"}, 4000),
        ({"SLURM_MEM_PER_CPU": "1500", "SLURM_CPUS_ON_NODE": "4"}, 6000),
        ({"SLURM_MEM_PER_GPU": "5000", "SLURM_GPUS_ON_NODE": "1"}, 5000),
        ({"SLURM_MEM_PER_NODE": "0"}, None),  # all there is
        ({"SLURM_MEM_PER_CPU": "1500"}, None),
        ({"SLURM_MEM_PER_NODE": "much"}, None),
    ],
)
def test_of_a_slurm_job(tmp_path, environment, mib):
    expected = 64 if mib is None else mib * 2**20 / GB - 1
    assert left(tmp_path, {}, environment) == pytest.approx(expected)


def test_the_tightest_of_all_limits(tmp_path):
    environment = {"SLURM_MEM_PER_NODE": "4000"}
    assert left(tmp_path, OF_TWO | two("/user.slice/job", 2 * GB, GB), environment) == 1
    assert left(
        tmp_path, OF_TWO | two("/user.slice/job", 32 * GB, GB), environment
    ) == pytest.approx(3.194304)


def test_the_peak_without_proc(monkeypatch):
    """As on Windows, where psutil knows it, in bytes."""
    monkeypatch.setattr(memory, "STATUS", Path("/no/such/file"))
    monkeypatch.setitem(sys.modules, "resource", None)
    assert memory.peak_kib() == 3 * 1024
