"""A process that has imported the program and loaded its compiled code, and forks on demand.

    python tests/zygote.py ROOT SOCKET main [MODULE ...]

Without `main` it has the modules alone: such a process is small, and forks in a millisecond.

Starting Python, torch and the compiled code anew takes seconds, which hundreds of tests would pay.
A process forked from this one is the program from there on: its own folder, environment, streams,
arguments, path of imports and session; its workers are forked from it as the program would start
them. What a start from nothing does is tested with processes that start so (`subprocess`).

It has one thread when it forks, so it forks safely. It ends when its standard input is closed, and
removes its socket with the folder.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import importlib.util
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import NoReturn

ABOVE = 500
"""No program here has a file open with a number like that."""

IMPORTS = ("sklearn.datasets", "sklearn.model_selection", "torch._dynamo")
"""What the program imports when it is asked for the digits or to train, which takes seconds."""

WARM_UP = (
    "--pruning=erk --sparsity=0.99 --threads=1 --encoding rolled-channel unrolled "
    "--graph-metrics topometrics ramanujan --output-dir"
)


def warm_up(modules: list[str]) -> None:
    """Import modules, and of `main` what it needs and its compiled code: it is run once."""
    for module in ("system.workers", *modules):
        if importlib.util.find_spec(module.partition(".")[0]):  # Dask may not be there
            importlib.import_module(module)
    if "main" in modules:
        run_once()
    assert threading.active_count() == 1
    tempfile.tempdir = None
    gc.collect()
    gc.freeze()  # pages of what there is stay shared


def run_once() -> None:
    """Run the program."""
    import main

    for module in IMPORTS:
        importlib.import_module(module)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        nowhere = stack.enter_context(open(os.devnull, "w"))
        for redirected in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            stack.enter_context(redirected(nowhere))
        assert main.main([*WARM_UP.split(), folder]) == 0
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))


def serve(root: Path, path: str) -> None:
    """Fork a process for each connection, which tells its number; tell it how the process ended."""
    own = [entry for entry in sys.path if entry != str(root)]
    before = set(sys.modules)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    # A child that ends writes into it.
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connections: dict[int, socket.socket] = {}
    print("ready", flush=True)
    while True:
        there, _, _ = select.select([listening, woken, sys.stdin], [], [])
        if sys.stdin in there:
            return
        if woken in there:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                connection = connections.pop(pid)
                with contextlib.suppress(OSError), connection:
                    connection.send(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        if listening in there:
            connection, _ = listening.accept()
            request, streams = receive(connection)
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                become(request, streams, connection, own, before)
            for stream in streams:
                os.close(stream)
            connections[pid] = connection


def receive(connection: socket.socket) -> tuple[dict, list[int]]:
    """What to run, and what it has open."""
    data, streams, _, _ = socket.recv_fds(connection, 1 << 16, 8)
    while more := connection.recv(1 << 16):
        data += more
    return json.loads(data), streams


def become(
    request: dict,
    streams: list[int],
    connection: socket.socket,
    path: list[str],
    before: set[str],
) -> NoReturn:
    """Be the program that is asked for; never comes back."""
    if request["session"]:
        os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    connection.send(f"{os.getpid()}\n".encode())  # now it has its session and takes signals
    away = [fcntl.fcntl(stream, fcntl.F_DUPFD, ABOVE) for stream in streams]
    os.closerange(3, ABOVE)
    for number, stream in zip(request["descriptors"], away, strict=True):
        os.dup2(stream, number)
    os.closerange(ABOVE, 1 << 16)
    os.environ.clear()
    os.environ.update(request["environment"])
    if any(name.startswith("DASK_") for name in os.environ):
        import dask  # which has read them when it was imported

        dask.config.refresh()
    os.chdir(request["folder"])
    more = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = [*more, *(entry for entry in path if entry not in more)]
    Forked.before = before
    from system import workers

    workers.subprocess = Subprocess
    run(request["arguments"])


def run(arguments: list[str]) -> NoReturn:
    """Do as Python does with its arguments."""
    sys.orig_argv[:] = [sys.executable, *arguments]
    is_safe = False
    while arguments[0] in ("-P", "-u"):
        is_safe |= arguments.pop(0) == "-P"
    kind = arguments[0]
    status: object = 0
    try:
        if any(Path(entry, "sitecustomize.py").exists() for entry in sys.path):
            sys.modules.pop("sitecustomize", None)
            importlib.import_module("sitecustomize")
        if kind == "-c":
            sys.argv[:] = ["-c", *arguments[2:]]
            sys.path[:0] = [] if is_safe else [""]
            exec(arguments[1], {"__name__": "__main__"})
        elif kind == "-m":
            sys.argv[:] = arguments[1:]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv[:] = arguments
            sys.path.insert(0, str(Path(kind).resolve().parent))
            runpy.run_path(os.path.abspath(kind), run_name="__main__")
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    leave(status)


def leave(status: object) -> NoReturn:
    """End as Python does, but without taking apart what is there."""
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    with contextlib.suppress(Exception):
        threading._shutdown()
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit((status or 0) & 0xFF)


class Forked:
    """A process of this one's, as `subprocess.Popen` of Python with ``-c`` would start it."""

    before: set[str] = frozenset()

    def __init__(self, command: list[str], *, pass_fds: list[int], stdin: int) -> None:
        assert command[0] == sys.executable and stdin == Subprocess.DEVNULL
        self.returncode = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid:
            return
        try:
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            first = 3
            for descriptor in sorted(pass_fds):
                os.closerange(first, descriptor)
                first = descriptor + 1
            os.closerange(first, 1 << 16)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            forget(self.before)
            run(command[1:])
        finally:
            os._exit(1)

    def poll(self) -> int | None:
        """How it ended, if it has."""
        return self._waited(os.WNOHANG)

    def wait(self) -> int:
        """How it ended."""
        return self._waited(0)

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _waited(self, flags: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, flags)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class Subprocess:
    """What `system.workers` takes of `subprocess`."""

    Popen = Forked
    DEVNULL = -3


def forget(before: set[str]) -> None:
    """Import anew what is neither the program's nor installed: modules of the user's own."""
    ours = (sys.prefix, sys.base_prefix, str(ROOT))
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file and not file.startswith(ours):
            del sys.modules[name]


if __name__ == "__main__":
    ROOT = Path(sys.argv[1]).resolve()
    sys.path[0] = str(ROOT)
    warm_up(sys.argv[3:])
    serve(ROOT, sys.argv[2])
    shutil.rmtree(Path(sys.argv[2]).parent, ignore_errors=True)
    os._exit(0)  # taking torch apart takes long
