"""Memory: the peak of this process and on its GPU, and how much of the machine is left for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import psutil

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")

CGROUPS = {  # files with the limit and the use, and what of the latter can be freed, by version
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}

SLURM = {  # limits in MiB, and how often each counts
    "SLURM_MEM_PER_NODE": None,
    "SLURM_MEM_PER_CPU": "SLURM_CPUS_ON_NODE",
    "SLURM_MEM_PER_GPU": "SLURM_GPUS_ON_NODE",
}


def reset_peak() -> bool:
    """Start measuring the peaks anew: on a GPU, and where the system can (Linux) of the process.

    Returns
    -------
    bool
        Whether it could; otherwise `peak` is that of the whole process so far.
    """
    if cuda := _cuda():
        for device in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(device)
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True


def peak() -> float:
    """Peak resident memory in MB (10^6 bytes) since `reset_peak`, or of the process."""
    return peak_kib() * 1024 / 1e6


def gpu_peak() -> float | None:
    """Peak of the tensors on a GPU in MB (10^6 bytes) since `reset_peak`; None if none is used.

    What the driver and the libraries take for themselves, some 500 MB a process, is not in it.
    """
    cuda = _cuda()
    if cuda is None:
        return None
    return max(cuda.max_memory_allocated(device) for device in range(cuda.device_count())) / 1e6


def _cuda() -> ModuleType | None:
    """``torch.cuda``, if this process uses it already."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch and torch.cuda.is_initialized() else None


def peak_kib() -> float:
    """The same in KiB, as the system counts it."""
    try:
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    except OSError:
        pass
    taken = psutil.Process().memory_info()
    if hasattr(taken, "peak_wset"):  # Windows
        return taken.peak_wset / 1024
    import resource

    unit = 1 / 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def available(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> float:
    """Memory that new processes can take: of the machine, or of a limit of this process.

    Parameters
    ----------
    root : Path
        Where the system keeps ``proc`` and ``sys``.
    environment : mapping of str to str

    Returns
    -------
    float
        In MB (10^6 bytes). The least that is left of the machine, of the control groups of this
        process (version 1 or 2) with all those around them, and of what Slurm gives the job.
    """
    free = [psutil.virtual_memory().available, *_left_in_groups(root), *_left_of_job(environment)]
    return max(0, min(free)) / 1e6


def _left_in_groups(root: Path) -> Iterator[int]:
    """Bytes left in each control group that has a limit; see ``man 7 cgroups``."""
    for version, folder in _groups(root):
        limit_file, use_file, reclaimable = CGROUPS[version]
        try:
            limit = int((folder / limit_file).read_text())
            used = int((folder / use_file).read_text())
        except (OSError, ValueError):  # no such group here, or no limit ("max")
            continue
        yield limit - used + _counter(folder / "memory.stat", reclaimable)


def _groups(root: Path) -> Iterator[tuple[int, Path]]:
    """The version and folder of each control group that this process is in, innermost first."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            version, mounts = 1, ["memory"]
        elif not controllers:
            version, mounts = 2, ["", "unified"]  # alone, or beside version 1
        else:
            continue
        # In a container the path may be that of the host, and its own group the mount itself.
        inside = Path(path.strip("/"))
        for mount in mounts:
            for part in (inside, *inside.parents):
                yield version, root / "sys/fs/cgroup" / mount / part


def _counter(file: Path, name: str) -> int:
    try:
        return int(dict(line.split() for line in file.read_text().splitlines())[name])
    except (OSError, ValueError, KeyError):
        return 0


def _left_of_job(environment: Mapping[str, str]) -> Iterator[int]:
    """Bytes left of what Slurm gives the job on this machine, this process being all of it."""
    for name, factor in SLURM.items():
        try:
            given = int(environment[name]) * (int(environment[factor]) if factor else 1)
        except (KeyError, ValueError):
            continue
        if given:  # 0: all memory of the machine
            yield given * 2**20 - psutil.Process().memory_info().rss
