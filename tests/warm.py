"""Programs in processes of their own that have torch and the compiled code loaded already.

They behave as those that start from nothing (see `zygote`) and take a tenth of the time.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import warm_client

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
SOCKET, ALIVE = "socket", "alive"
PROGRAM = ("main", "distributed.cli.dask_scheduler", "distributed.cli.dask_worker")

STAND_IN = """#!/bin/sh
exec "{python}" -ISc '
import sys
sys.path.insert(0, "{here}")
import warm_client
warm_client.stand_in("{path}", sys.argv[1:])
' "$@"
"""


class Process:
    """A program that runs, as a `subprocess.Popen` of Python with text streams."""

    def __init__(
        self,
        path: str,
        arguments: Sequence[object],
        folder: Path,
        environment: Mapping[str, str],
        session: bool = False,
        passed: Sequence[int] = (),
    ) -> None:
        # Files: whatever the program has started and left behind would keep a pipe open.
        self.stdout, self.stderr = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115
        self.returncode = None
        with open(os.devnull) as nothing:
            open_files = enumerate((nothing, self.stdout, self.stderr))
            streams = {number: file.fileno() for number, file in open_files}
            streams |= {descriptor: descriptor for descriptor in passed}
            self._connection, self.pid = warm_client.ask(
                path, list(map(str, arguments)), streams, str(folder), dict(environment), session
            )

    def poll(self) -> int | None:
        """Exit status, if it has ended."""
        with contextlib.suppress(BlockingIOError):
            return self._ended(0.0)
        return None

    def wait(self, timeout: float = 600) -> int:
        """Exit status."""
        return self._ended(timeout)

    def communicate(self, timeout: float = 600) -> tuple[str, str]:
        """What it has written, when it has ended."""
        self.wait(timeout)
        found = []
        for stream in (self.stdout, self.stderr):
            stream.seek(0)
            found.append(stream.read())
            stream.close()
        return found[0], found[1]

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(self.pid, signal.SIGKILL)

    def _ended(self, timeout: float) -> int:
        if self.returncode is None:
            self._connection.settimeout(timeout)
            self.returncode = int(warm_client.line(self._connection))
            self._connection.close()
        return self.returncode


class Python:
    """A process that has imported the program of a folder, and forks: begun with `_begin`."""

    def __init__(self, folder: str, process: subprocess.Popen | None = None) -> None:
        self._folder, self._path = folder, f"{folder}/{SOCKET}"
        self._process = process

    def start(
        self,
        *arguments: object,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        session: bool = False,
    ) -> Process:
        """Start Python with arguments; gives its process."""
        environment = os.environ if env is None else env
        return Process(self._path, arguments, cwd, environment, session)

    def run(
        self, *arguments: object, cwd: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with arguments."""
        process = self.start(*arguments, cwd=cwd, env=env)
        try:
            out, err = process.communicate()
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def popen(self, command: Sequence[str], *, pass_fds: Sequence[int], stdin: int) -> Process:
        """As `subprocess.Popen` starts a worker: for `system.workers` in this process."""
        assert (command[0], stdin) == (sys.executable, subprocess.DEVNULL)
        return Process(self._path, command[1:], Path.cwd(), os.environ, passed=pass_fds)

    @functools.cached_property
    def executable(self) -> str:
        """A file that stands for Python in scripts."""
        file = Path(self._folder, f"python-{os.getpid()}")
        file.write_text(STAND_IN.format(python=sys.executable, here=HERE, path=self._path))
        file.chmod(0o755)
        return str(file)


def _begin(folder: str, stdin: Any, root: Path = ROOT, modules: Sequence[str] = PROGRAM) -> Python:
    """Start one, which ends and takes its folder away when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, HERE / "zygote.py", root, f"{folder}/{SOCKET}", *modules],
        stdin=stdin,
        stdout=subprocess.PIPE,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": ""},
    )
    assert process.stdout.readline() == b"ready\n"
    return Python(folder, process)


@contextlib.contextmanager
def python(root: Path = ROOT, modules: Sequence[str] = PROGRAM) -> Iterator[Python]:
    """Have a `Python` for a while; what it has started goes on.

    Without `main` among its modules it does not know the program, and starts at once.
    """
    warm = _begin(tempfile.mkdtemp(prefix="warm-"), subprocess.PIPE, root, modules)
    process = warm._process
    try:
        yield warm
    finally:
        process.stdin.close()
        process.wait(timeout=600)
        process.stdout.close()


@contextlib.contextmanager
def place() -> Iterator[str]:
    """A folder for a `Python` that several processes share while this context lasts."""
    with tempfile.TemporaryDirectory(prefix="warm-", ignore_cleanup_errors=True) as folder:
        os.mkfifo(f"{folder}/{ALIVE}")
        held = os.open(f"{folder}/{ALIVE}", os.O_RDWR)  # it ends with the last who can write there
        try:
            yield folder
        finally:
            os.close(held)


def shared(folder: str) -> Python:
    """The `Python` of a `place`; the first process that asks for it starts it."""
    with filelock.FileLock(f"{folder}/lock"):
        if os.path.exists(f"{folder}/{SOCKET}"):
            return Python(folder)
        with open(f"{folder}/{ALIVE}") as alive:
            return _begin(folder, alive)
