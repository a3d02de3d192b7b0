"""Asks a process that forks (see `zygote`) for a program; imports little, to start at once."""

from __future__ import annotations

import json
import os
import signal
import socket


def ask(
    path: str,
    arguments: list[str],
    streams: dict[int, int],
    folder: str,
    environment: dict[str, str],
    session: bool,
) -> tuple[socket.socket, int]:
    """Start a program; gives where its exit status comes from, and its process's number.

    What is open here as a value of `streams` is open there as its key.
    """
    request = {
        "descriptors": list(streams),
        "arguments": arguments,
        "folder": folder,
        "environment": environment,
        "session": session,
    }
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    data = json.dumps(request).encode()
    sent = socket.send_fds(connection, [data], list(streams.values()))
    connection.sendall(data[sent:])
    connection.shutdown(socket.SHUT_WR)
    return connection, int(line(connection))


def line(connection: socket.socket) -> bytes:
    """The next line that comes."""
    found = b""
    while not found.endswith(b"\n"):
        more = connection.recv(1)
        if not more:
            raise EOFError("the process that forks has ended")
        found += more
    return found


def stand_in(path: str, arguments: list[str]) -> None:
    """Be the program, for a script that starts Python: its streams, its signals, its end."""
    connection, pid = ask(path, arguments, {0: 0, 1: 1, 2: 2}, os.getcwd(), dict(os.environ), False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    status = int(line(connection))
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)
