"""A Dask cluster in processes of its own, as one starts it by hand."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import warm

ROOT = Path(__file__).resolve().parents[2]


def environment(*more: Path) -> dict[str, str]:
    """The environment with the repository, and other folders, on the path of imports."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [ROOT, *more]))}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def cluster(
    folder: Path,
    workers: int,
    python: warm.Python,
    *,
    cold: bool = False,
    nanny: bool = True,
    deaths: int = 3,
    path: Path | str = "",
) -> Iterator[tuple[str, list[warm.Process | subprocess.Popen]]]:
    """A scheduler and workers of one thread; gives its address, and the processes of them all.

    Where they are `cold` they start from nothing: they have not imported the project.

    They work in `folder`, and nothing but `path` is added to what they can import. Without a nanny
    a worker is one process, and stays dead when it is killed. Work that has killed more workers
    than `deaths` is given up.
    """
    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = ["dask_scheduler", "--host", address, "--no-dashboard", "--no-show"]
    worker = ["dask_worker", address, "--nthreads", "1", "--nworkers", "1", "--no-dashboard"]
    worker += ["--host", "127.0.0.1", "--local-directory", str(folder / "dask")]
    worker += [] if nanny else ["--no-nanny"]
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(deaths)}
    settings = os.environ | settings | {"PYTHONPATH": str(path)}

    def start(command: list[str]) -> warm.Process | subprocess.Popen:
        command = ["-m", f"distributed.cli.{command[0]}", *command[1:]]
        if not cold:
            return python.start(*command, cwd=folder, env=settings, session=True)
        with open(folder / "cluster.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    processes = [start(scheduler)]
    try:
        _wait_for(address)
        processes += [start(worker) for _ in range(workers)]
        yield address, processes
    finally:
        for process in reversed(processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(address: str) -> None:
    host, port = address.removeprefix("tcp://").split(":")
    end = time.monotonic() + 600
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
