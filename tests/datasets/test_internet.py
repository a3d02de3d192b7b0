"""Asking a web address, with a deadline."""

import socket
import threading

import pytest

from datasets.internet import why_unreachable


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def test_an_address_that_answers(serve, tmp_path):
    (tmp_path / "file").write_text("here")
    assert why_unreachable(f"{serve(tmp_path)}/file", 600) is None


def test_an_address_that_refuses(serve, tmp_path):
    assert why_unreachable(f"{serve(tmp_path)}/file", 600) == "127.0.0.1 answered 404"


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        reason = why_unreachable(f"http://127.0.0.1:{port}/", 600)
    assert reason.startswith("127.0.0.1 cannot be reached: ")
    assert "\n" not in reason


def test_a_server_that_is_silent():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reason = why_unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.3)
    assert reason.startswith("127.0.0.1 ")


def test_a_name_server_that_never_answers(monkeypatch):
    release = threading.Event()

    def hang(*_args, **_kwargs):
        release.wait(600)
        raise socket.gaierror("released")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    reason = why_unreachable("https://somewhere.invalid/", 0.3)
    release.set()  # asked only now
    assert reason == "somewhere.invalid did not answer within 0.3 s"
