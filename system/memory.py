"""Memory: the peak of this process, and how much the machine has left."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
CGROUP = Path("/sys/fs/cgroup")


def reset_peak() -> bool:
    """Start measuring the peak anew, where the system can (Linux).

    Returns
    -------
    bool
        Whether it could; otherwise `peak` is that of the whole process so far.
    """
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True


def peak() -> float:
    """Peak resident memory in MB (10^6 bytes) since `reset_peak`, or of the process."""
    return peak_kib() * 1024 / 1e6


def peak_kib() -> float:
    """The same in KiB, as the system counts it."""
    try:
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    except OSError:
        pass
    import resource

    unit = 1 / 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def available() -> float:
    """Memory in MB that new processes can take: of the machine, or of the container's limit."""
    free = psutil.virtual_memory().available
    try:
        limit = int((CGROUP / "memory.max").read_text())
        free = min(free, limit - int((CGROUP / "memory.current").read_text()))
    except (OSError, ValueError):  # no container, or no limit ("max")
        pass
    return max(free, 0) / 1e6
