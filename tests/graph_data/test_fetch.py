"""Fetching the released CSVs: pinned content, whole files only, one line for whatever is wrong."""

import contextlib
import functools
import hashlib
import http.server
import re
import shutil
import socket
import subprocess
import threading
from dataclasses import replace
from urllib.parse import unquote

import filelock
import pytest

from graph_data import fetch as module
from graph_data.fetch import Entry, FetchError, blob_hash, fetch, main, manifest

FILES = {
    "graph_metrics/rolled/a.csv": b"model,seed\nResnet-20,0\n" * 9000,  # several chunks
    "graph_metrics/unrolled/unrolled.csv": b"model,seed\n",
    "ramanunjan_results/CONV-6/b.csv": b"x" * 70000,
}
ENTRIES = [
    Entry(path, len(content), hashlib.sha256(content).hexdigest(), blob_hash(content))
    for path, content in FILES.items()
]
FIRST = ENTRIES[0]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from `answers`: the content, or a status, or a function of the handler."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers))
        answer = self.server.answers.get(unquote(self.path), 404)
        if callable(answer):
            return answer(self)
        self.send_response(200 if isinstance(answer, bytes) else answer)
        self.end_headers()
        if isinstance(answer, bytes):
            with contextlib.suppress(ConnectionError):  # whoever has read enough hangs up
                self.wfile.write(answer)

    def log_message(self, *_args):
        pass


@pytest.fixture
def server(monkeypatch):
    """Has every file on its branch and, by its blob hash, in its store."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.requests = []
        listening.answers = {f"/raw/{path}": content for path, content in FILES.items()}
        listening.answers |= {f"/blob/{blob_hash(content)}": content for content in FILES.values()}
        listening.url = f"http://127.0.0.1:{listening.server_port}"
        threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        yield listening
        listening.shutdown()


def addresses(url):
    return {"entries": ENTRIES, "raw": url + "/raw/{path}", "blob": url + "/blob/{blob}"}


def asked(server):
    """Paths that were asked for since the last look."""
    paths = [path for path, _ in server.requests]
    server.requests.clear()
    return paths


def written(folder):
    """Every file there and its content, but for the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".fetch.lock"
    }


def lay_out(folder, files=FILES):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_manifest():
    entries = manifest()
    paths = [entry.path for entry in entries]
    assert len(entries) == len(set(paths)) == 37
    assert paths == sorted(paths)
    assert len({entry.blob for entry in entries}) == len({entry.sha256 for entry in entries}) == 37
    folder = r"graph_metrics/(rolled|rolled_channel|unrolled)|ramanunjan_results/[\w-]+"
    assert all(re.fullmatch(rf"({folder})/[\w-]+\.csv", path) for path in paths)
    assert sum(entry.size for entry in entries) == 54_552_015


@pytest.mark.parametrize(
    "line",
    [
        "word",
        f"{'0' * 64}  {'0' * 40}  3  ../a.csv",
        f"{'0' * 64}  {'0' * 40}  3  /a.csv",
        f"{'0' * 63}  {'0' * 40}  3  a.csv",
    ],
)
def test_a_broken_manifest_is_refused(tmp_path, line):
    (tmp_path / "m").write_text(f"# head\n{line}\n")
    with pytest.raises(FetchError, match=r"line 2.*git checkout"):
        manifest(tmp_path / "m")


def test_blob_hash_of_nothing():
    assert blob_hash(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_blob_hash_is_that_of_git():
    content = b"model,seed\nResnet-20,0\n"
    git = subprocess.run(
        ["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True
    )
    assert blob_hash(content) == git.stdout.decode().strip()


def test_addresses_are_those_of_the_repository():
    assert module.RAW.format(path="a/b.csv") == (
        "https://raw.githubusercontent.com/eliacunegatti/mge-snn/HEAD/graph_data/a/b.csv"
    )
    assert module.BLOB.format(blob="e69d") == (
        "https://api.github.com/repos/eliacunegatti/mge-snn/git/blobs/e69d"
    )


def test_download_then_nothing_to_do(tmp_path, server):
    assert fetch(tmp_path / "x", **addresses(server.url)) == (3, 0)
    assert written(tmp_path / "x") == FILES
    assert asked(server) == [f"/raw/{path}" for path in FILES]
    assert fetch(tmp_path / "x", **addresses(server.url)) == (0, 3)
    assert asked(server) == []


@pytest.mark.parametrize("wrong", [b"", b"y" * FIRST.size, FILES[FIRST.path] + b"more"])
def test_a_wrong_file_is_replaced(tmp_path, server, wrong):
    lay_out(tmp_path, FILES | {FIRST.path: wrong})
    assert fetch(tmp_path, **addresses(server.url)) == (1, 2)
    assert written(tmp_path) == FILES
    assert asked(server) == [f"/raw/{FIRST.path}"]


def cut_short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(FIRST.size))
    handler.end_headers()
    handler.wfile.write(FILES[FIRST.path][:1000])


BAD = {
    "missing": 404,
    "failing": 500,
    "other": b"y" * FIRST.size,
    "short": FILES[FIRST.path][:-1],
    "cut short": cut_short,
    "long": FILES[FIRST.path] + b"more" * 100_000,
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_the_store_has_what_the_branch_lacks(tmp_path, server, monkeypatch, answer):
    monkeypatch.setenv("GITHUB_TOKEN", "secret\n")
    server.answers[f"/raw/{FIRST.path}"] = answer
    assert fetch(tmp_path, **addresses(server.url)) == (3, 0)
    assert written(tmp_path) == FILES
    (blob,) = [headers for path, headers in server.requests if path == f"/blob/{FIRST.blob}"]
    assert blob["Accept"] == "application/vnd.github.raw+json"
    assert all(headers["User-Agent"] == "topometrics" for _, headers in server.requests)
    tokens = [headers["Authorization"] for _, headers in server.requests]
    assert tokens == [None, "Bearer secret", None, None]  # only where it is needed


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_wrong_content_is_never_written(tmp_path, server, answer):
    server.answers |= {f"/raw/{FIRST.path}": answer, f"/blob/{FIRST.blob}": answer}
    with pytest.raises(FetchError, match=rf"^{FIRST.path}: .*--from DIR$"):
        fetch(tmp_path, **addresses(server.url))
    assert written(tmp_path) == {}


def test_no_more_is_read_than_the_manifest_says():
    class Endless:
        sent = 0

        def read1(self, size):
            self.sent += size
            return b"y" * size

    stream = Endless()
    with module.tqdm(disable=True) as bar:
        assert len(module._read(stream, FIRST, bar)) == FIRST.size + 1
    assert stream.sent == FIRST.size + 1


@pytest.mark.parametrize("status", [403, 429])
def test_limit_of_requests(tmp_path, server, status):
    last = ENTRIES[-1]
    server.answers |= {f"/raw/{last.path}": 404, f"/blob/{last.blob}": status}
    with pytest.raises(FetchError, match=rf"^{last.path}: .*limit.*{status}.*GITHUB_TOKEN.*kept$"):
        fetch(tmp_path, **addresses(server.url))
    assert written(tmp_path).keys() == {entry.path for entry in ENTRIES[:-1]}
    server.answers[f"/blob/{last.blob}"] = FILES[last.path]
    assert fetch(tmp_path, **addresses(server.url)) == (1, 2)


def test_refused_token(tmp_path, server, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    server.answers |= {f"/raw/{FIRST.path}": 404, f"/blob/{FIRST.blob}": 401}
    with pytest.raises(FetchError, match="GITHUB_TOKEN") as error:
        fetch(tmp_path, **addresses(server.url))
    assert "secret" not in str(error.value)


def test_a_token_that_cannot_be_sent_is_not(tmp_path, server, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "two\nlines\u20ac")
    server.answers[f"/raw/{FIRST.path}"] = 404
    assert fetch(tmp_path, **addresses(server.url)) == (3, 0)


def test_the_token_does_not_follow_a_redirect(tmp_path, server, monkeypatch):
    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", "/elsewhere")
        handler.end_headers()

    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    server.answers |= {f"/raw/{FIRST.path}": 404, f"/blob/{FIRST.blob}": elsewhere}
    server.answers["/elsewhere"] = FILES[FIRST.path]
    assert fetch(tmp_path, **addresses(server.url)) == (3, 0)
    (headers,) = [headers for path, headers in server.requests if path == "/elsewhere"]
    assert headers["Authorization"] is None


def hang_up(handler):
    handler.close_connection = True


def test_unreachable(tmp_path, server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(FetchError, match=r"GitHub cannot be reached.*refused.*--from DIR$"):
            fetch(tmp_path, **addresses(url))
    server.answers[f"/raw/{FIRST.path}"] = hang_up
    with pytest.raises(FetchError, match=r"GitHub cannot be reached.*--from DIR$"):
        fetch(tmp_path, **addresses(server.url))
    assert written(tmp_path) == {}


def test_a_silent_server_is_given_up(tmp_path, server, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.1)
    done = threading.Event()
    server.answers[f"/raw/{FIRST.path}"] = lambda handler: done.wait(600)
    try:
        with pytest.raises(FetchError, match=r"GitHub cannot be reached.*timed out.*--from DIR$"):
            fetch(tmp_path, **addresses(server.url))
    finally:
        done.set()


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(tmp_path, server, monkeypatch):
    """No silence is as long as the limit."""
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    sent, done = [], threading.Event()

    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not done.wait(0.05):
                handler.wfile.write(b"x")
                sent.append(1)

    server.answers[f"/raw/{FIRST.path}"] = drip
    big = replace(FIRST, size=10**6)
    try:
        with pytest.raises(FetchError, match=r"less than 1000 bytes a second.*--from DIR$"):
            fetch(tmp_path, entries=[big], raw=f"{server.url}/raw/{{path}}")
    finally:
        done.set()
    assert len(sent) < 1000


@pytest.mark.parametrize("layout", ["", "graph_data"])
def test_copy(tmp_path, layout):
    lay_out(tmp_path / "source" / layout)
    assert fetch(tmp_path / "x", tmp_path / "source", entries=ENTRIES) == (3, 0)
    assert written(tmp_path / "x") == FILES
    assert fetch(tmp_path / "x", tmp_path / "source", entries=ENTRIES) == (0, 3)


@pytest.mark.parametrize("wrong", [None, b"", b"y" * FIRST.size, FILES[FIRST.path] + b"more"])
def test_copy_of_a_missing_or_wrong_file(tmp_path, wrong):
    source = lay_out(tmp_path / "source")
    if wrong is None:
        (source / FIRST.path).unlink()
    else:
        (source / FIRST.path).write_bytes(wrong)
    with pytest.raises(FetchError, match=rf"^{source / FIRST.path}: .*; give --from an unchanged"):
        fetch(tmp_path / "x", source, entries=ENTRIES)
    assert written(tmp_path / "x") == {}


def test_copy_from_another_folder(tmp_path):
    with pytest.raises(FetchError, match=f"^{tmp_path}: there is no folder graph_metrics"):
        fetch(tmp_path / "x", tmp_path, entries=ENTRIES)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_killed_while_writing(tmp_path, monkeypatch, call):
    source, calls = lay_out(tmp_path / "source"), []

    def interrupt(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    real = getattr(module.os, call)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module.os, call, interrupt)
        fetch(tmp_path / "x", source, entries=ENTRIES)
    assert written(tmp_path / "x") == {FIRST.path: FILES[FIRST.path]}
    assert fetch(tmp_path / "x", source, entries=ENTRIES) == (2, 1)
    assert written(tmp_path / "x") == FILES


def test_what_a_killed_run_left_is_removed(tmp_path):
    source, target = lay_out(tmp_path / "source"), lay_out(tmp_path / "x", {"notes.txt": b"mine"})
    stale = lay_out(target, {"graph_metrics/rolled/.a.csv.fetch": b"half"})
    assert fetch(stale, source, entries=ENTRIES) == (3, 0)
    assert written(target) == FILES | {"notes.txt": b"mine"}


def test_two_runs_at_once(tmp_path):
    source = lay_out(tmp_path / "source")
    (tmp_path / "x").mkdir()
    with (
        filelock.FileLock(tmp_path / "x" / ".fetch.lock"),
        pytest.raises(FetchError, match="another run"),
    ):
        fetch(tmp_path / "x", source, entries=ENTRIES)


@pytest.fixture
def run(monkeypatch, capsys):
    """Exit status, standard output and standard error of `main` with the small manifest."""

    def run(*arguments, **settings):
        settings = {"entries": ENTRIES} | settings
        monkeypatch.setattr(module, "fetch", functools.partial(fetch, **settings))
        status = main([str(argument) for argument in arguments])
        return (status, *capsys.readouterr())

    return run


def test_command(tmp_path, run, server):
    where = f": {tmp_path} (github.com/eliacunegatti/mge-snn, licence Apache-2.0)\n"
    lay_out(tmp_path, {FIRST.path: FILES[FIRST.path]})
    status, out, err = run("--to", tmp_path, **addresses(server.url))
    assert (status, out, err) == (0, "2 files fetched, 1 already there" + where, "")
    status, out, err = run("--to", tmp_path, **addresses(server.url))
    assert (status, out, err) == (0, "3 files already there" + where, "")


def test_mistakes_are_one_line(tmp_path, run):
    (tmp_path / "file").write_text("")
    source = lay_out(tmp_path / "source")
    for arguments, text in (
        (("--to", tmp_path, "--form", "x"), "--form.*--help"),
        (("--to", tmp_path, "--from", tmp_path / "none"), "none: there is no folder"),
        (("--to", tmp_path / "file", "--from", source), "file: File exists; .*--to"),
    ):
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert re.fullmatch(f"graph_data.fetch: error: .*{text}.*\n", err)


def test_interrupt(tmp_path, run, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_copy", interrupt)
    status, _, err = run("--to", tmp_path / "x", "--from", lay_out(tmp_path / "source"))
    assert (status, err) == (130, "graph_data.fetch: interrupted; run again to go on\n")
