"""The download script, on a tiny archive of the same layout."""

import contextlib
import hashlib
import http.server
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tinyimagenet" / "load_tiny_imagenet.sh"
CLASSES = ["n02", "n01", "n03"]
VALIDATION = {f"val_{number}.JPEG": CLASSES[number % 3] for number in range(7)}


def make_archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        top = "tiny-imagenet-200"
        archive.writestr(f"{top}/wnids.txt", "\n".join(CLASSES) + "\n")
        for name in CLASSES:
            archive.writestr(f"{top}/train/{name}/images/{name}_0.JPEG", f"train {name}")
        for image in VALIDATION:
            archive.writestr(f"{top}/val/images/{image}", f"pixels of {image}" * 50)
        lines = [f"{image}\t{name}\t0\t32\t44\t62\n" for image, name in VALIDATION.items()]
        archive.writestr(f"{top}/val/val_annotations.txt", "".join(lines))
    return buffer.getvalue()


ARCHIVE = make_archive()


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """Serves one file, from any byte on, and notes where each request began."""

    def do_GET(self):
        data, start = self.server.data, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.server.resumable:
            start = int(asked[1])
        self.server.starts.append(start)
        if start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if self.server.tells_length:
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # whoever has read enough hangs up
            self.wfile.write(data[start:])

    def log_message(self, *_args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeHandler) as listening:
        listening.data, listening.resumable, listening.starts = ARCHIVE, True, []
        listening.tells_length = True
        listening.url = f"http://127.0.0.1:{listening.server_port}/tiny-imagenet-200.zip"
        threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        with contextlib.ExitStack() as stack:
            stack.callback(listening.shutdown)
            yield listening


@pytest.fixture(params=["curl", "wget"])
def tool(request):
    """Either of the two download programs, where it is installed."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


def run(root, url, *, md5=None, tool=None, unzip=True, arguments=None, **more):
    """Run the script, with only the download program `tool` and perhaps without unzip."""
    environment = os.environ | {
        "TINY_IMAGENET_URL": url,
        "TINY_IMAGENET_MD5": md5 or hashlib.md5(ARCHIVE).hexdigest(),
        "no_proxy": "*",
        **more,
    }
    if tool is not None:
        programs = [tool, "unzip"] if unzip else [tool, "python3"]
        environment["PATH"] = str(folder_of(root.parent / "bin", programs))
    return subprocess.run(
        ["bash", str(SCRIPT), *(arguments or [str(root)])],
        env=environment,
        cwd=root.parent,
        capture_output=True,
        text=True,
        timeout=600,
    )


PROGRAMS = ["bash", "md5sum", "cut", "mkdir", "mv", "rm", "rmdir", "sort", "flock"]


def folder_of(folder, programs):
    """A folder of links to what the script always needs, and to `programs`."""
    folder.mkdir(exist_ok=True)
    for program in [*PROGRAMS, *programs]:
        found = sys.executable if program == "python3" else shutil.which(program)
        if found:
            (folder / program).symlink_to(found)
    return folder


def check_layout(root):
    top = root / "tiny-imagenet-200"
    expected = {f"val/{name}/images/{image}" for image, name in VALIDATION.items()}
    found = {str(path.relative_to(top)) for path in top.glob("val/**/*.JPEG")}
    assert found == expected
    for path in top.glob("val/**/*.JPEG"):
        assert path.read_text() == f"pixels of {path.name}" * 50
    assert not (top / "val" / "images").exists()
    assert {path.name for path in top.glob("train/*/images/*.JPEG")} == {
        f"{name}_0.JPEG" for name in CLASSES
    }
    leftovers = {path.name for path in root.iterdir()}
    assert leftovers <= {"tiny-imagenet-200", "tiny-imagenet-200.zip", ".tiny-imagenet-200.lock"}


def state(root):
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in root.glob("**/*")
        if path.name != ".tiny-imagenet-200.lock"
    }


def test_from_a_file_into_a_folder_with_spaces_and_run_twice(tmp_path):
    source = tmp_path / "source.zip"
    source.write_bytes(ARCHIVE)
    root = tmp_path / "my data" / "sets"
    root.parent.mkdir()
    done = run(root, source.as_uri())
    assert done.returncode == 0, done.stderr
    assert "ready in" in done.stdout
    check_layout(root)
    before = state(root)
    source.unlink()
    again = run(root, source.as_uri())
    assert again.returncode == 0, again.stderr
    assert state(root) == before


def test_download(tmp_path, server, tool):
    done = run(tmp_path / "data", server.url, tool=tool)
    assert done.returncode == 0, done.stderr
    check_layout(tmp_path / "data")
    assert server.starts == [0]


def test_interrupted_download_goes_on(tmp_path, server, tool):
    root = tmp_path / "data"
    root.mkdir()
    (root / "tiny-imagenet-200.zip.part").write_bytes(ARCHIVE[:1000])
    done = run(root, server.url, tool=tool)
    assert done.returncode == 0, done.stderr
    check_layout(root)
    assert server.starts == [1000]


def test_wrong_beginning_is_downloaded_again(tmp_path, server, tool):
    root = tmp_path / "data"
    root.mkdir()
    (root / "tiny-imagenet-200.zip.part").write_bytes(b"x" * 1000)
    done = run(root, server.url, tool=tool)
    assert done.returncode == 0, done.stderr
    check_layout(root)
    assert server.starts == [1000, 0]


@pytest.mark.parametrize("extra", [0, 10])
def test_corrupt_archive_is_downloaded_again(tmp_path, server, tool, extra):
    root = tmp_path / "data"
    root.mkdir()
    (root / "tiny-imagenet-200.zip").write_bytes(b"x" * (len(ARCHIVE) + extra))
    done = run(root, server.url, tool=tool)
    assert done.returncode == 0, done.stderr
    check_layout(root)


def test_server_that_cannot_resume(tmp_path, server, tool):
    root = tmp_path / "data"
    root.mkdir()
    server.resumable = False
    (root / "tiny-imagenet-200.zip.part").write_bytes(ARCHIVE[:1000])
    done = run(root, server.url, tool=tool)
    assert done.returncode == 0, done.stderr
    check_layout(root)


def test_wrong_checksum_is_refused(tmp_path, server, tool):
    root = tmp_path / "data"
    done = run(root, server.url, md5="0" * 32, tool=tool)
    assert done.returncode == 1
    assert "has not the checksum" in done.stderr
    assert {path.name for path in root.iterdir()} <= {".tiny-imagenet-200.lock"}


@pytest.mark.parametrize("tells_length", [True, False])
def test_more_than_the_archive_is_not_kept(tmp_path, server, tool, tells_length):
    root = tmp_path / "data"
    server.data, server.tells_length = bytes(1 << 20), tells_length
    done = run(root, server.url, tool=tool, TINY_IMAGENET_BYTES="5000")
    assert done.returncode == 1
    assert "is larger than 5000 bytes" in done.stderr
    assert {path.name for path in root.iterdir()} <= {".tiny-imagenet-200.lock"}


FAKE = """#!/bin/bash
url=${@: -1}
echo "$url" >> "$ASKED"
case "$url" in https:*) exit %d;; esac
while [[ $1 != --output && $1 != --output-document ]]; do shift; done
cp "$ARCHIVE" "$2"
"""


@pytest.mark.parametrize(("name", "code"), [("curl", 60), ("curl", 7), ("wget", 5)])
def test_the_published_host_is_asked_by_https_first(tmp_path, name, code):
    archive, asked, programs = (tmp_path / part for part in ("archive", "asked", "bin"))
    archive.write_bytes(ARCHIVE)
    folder_of(programs, ["unzip", "cp", "python3"])
    (programs / name).write_text(FAKE % code)
    (programs / name).chmod(0o755)
    environment = {"PATH": str(programs), "ARCHIVE": str(archive), "ASKED": str(asked)}
    done = subprocess.run(
        ["bash", str(SCRIPT), str(tmp_path / "data")],
        env=environment | {"TINY_IMAGENET_MD5": hashlib.md5(ARCHIVE).hexdigest()},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    check_layout(tmp_path / "data")
    host = "cs231n.stanford.edu/tiny-imagenet-200.zip"
    assert asked.read_text().split() == [f"https://{host}", f"http://{host}"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("val/val_annotations.txt", "val_0.JPEG\t../../../outside\t0\n"),
        ("val/val_annotations.txt", "../../../victim\tn01\t0\n"),
        ("val/val_annotations.txt", "val_0.JPEG\tn01 -t /tmp\t0\n"),
        ("wnids.txt", "../../victims\n"),
        ("wnids.txt", "*\n"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, server, file, line):
    root = tmp_path / "data"
    root.mkdir()
    with zipfile.ZipFile(io.BytesIO(ARCHIVE)) as archive:
        archive.extractall(root)
    (tmp_path / "victim").write_text("whole")
    with open(root / "tiny-imagenet-200" / file, "a") as lines:
        lines.write(line)
    done = run(root, server.url)
    assert done.returncode == 1
    assert "names" in done.stderr.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "victim"]
    assert (tmp_path / "victim").read_text() == "whole"


def test_broken_connection_keeps_what_has_come(tmp_path, tool):
    root = tmp_path / "data"
    root.mkdir()
    part = root / "tiny-imagenet-200.zip.part"
    part.write_bytes(ARCHIVE[:1000])
    with http.server.HTTPServer(("127.0.0.1", 0), RangeHandler) as closed:
        port = closed.server_port
    done = run(root, f"http://127.0.0.1:{port}/", tool=tool)
    assert done.returncode == 1
    assert "run again to go on" in done.stderr
    assert part.read_bytes() == ARCHIVE[:1000]


def test_killed_while_unpacking(tmp_path, server):
    root = tmp_path / "data"
    half = root / ".tiny-imagenet-200.unpacking" / "tiny-imagenet-200" / "val" / "images"
    half.mkdir(parents=True)
    (half / "val_0.JPEG").write_text("half")
    (root / "tiny-imagenet-200.zip").write_bytes(ARCHIVE)
    done = run(root, server.url)
    assert done.returncode == 0, done.stderr
    check_layout(root)
    assert server.starts == []


def test_unpacked_by_hand_and_half_sorted(tmp_path, server):
    root = tmp_path / "data"
    root.mkdir()
    with zipfile.ZipFile(io.BytesIO(ARCHIVE)) as archive:
        archive.extractall(root)
    val = root / "tiny-imagenet-200" / "val"
    (val / "n02" / "images").mkdir(parents=True)
    (val / "images" / "val_0.JPEG").rename(val / "n02" / "images" / "val_0.JPEG")
    done = run(root, server.url)
    assert done.returncode == 0, done.stderr
    check_layout(root)
    assert server.starts == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: folder.rename(folder / ".." / "inner"), "another tiny-imagenet-200: move"),
        (lambda folder: (folder / "wnids.txt").unlink(), "has no wnids.txt: remove"),
        (lambda folder: shutil.rmtree(folder / "train"), "train/n02/images has no images: remove"),
        (lambda folder: (folder / "val/n03/images/val_2.JPEG").unlink(), None),
        (
            lambda folder: shutil.rmtree(folder / "val/n03/images"),
            "val/n03/images has no images: remove",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_not_said_to_be_ready(tmp_path, server, spoil, said):
    folder = tmp_path / "tiny-imagenet-200"
    with zipfile.ZipFile(io.BytesIO(ARCHIVE)) as archive:
        archive.extractall(tmp_path)
    assert run(tmp_path, server.url).returncode == 0
    spoil(folder)
    if not folder.exists():  # unpacked into a folder of the same name
        folder.mkdir()
        (tmp_path / "inner").rename(folder / "tiny-imagenet-200")
    done = run(tmp_path, server.url)
    assert (done.returncode == 0) == (said is None)
    assert ("is ready" in done.stdout) == (said is None)
    if said:
        assert said in done.stderr
    assert server.starts == []


def test_missing_validation_image_is_noticed(tmp_path, server):
    root = tmp_path / "data"
    root.mkdir()
    with zipfile.ZipFile(io.BytesIO(ARCHIVE)) as archive:
        archive.extractall(root)
    (root / "tiny-imagenet-200" / "val" / "images" / "val_4.JPEG").unlink()
    done = run(root, server.url)
    assert done.returncode == 1
    assert "validation image val_4.JPEG is missing" in done.stderr


def test_without_unzip(tmp_path, server, tool):
    done = run(tmp_path / "data", server.url, tool=tool, unzip=False)
    assert done.returncode == 0, done.stderr
    check_layout(tmp_path / "data")


@pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")
def test_two_at_a_time_are_refused(tmp_path, server):
    root = tmp_path / "data"
    root.mkdir()
    lock = root / ".tiny-imagenet-200.lock"
    holder = subprocess.Popen(
        ["flock", str(lock), "bash", "-c", "echo held; read"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        done = run(root, server.url)
    finally:
        holder.communicate("\n", timeout=600)
    assert done.returncode == 1
    assert "another run is at work" in done.stderr


@pytest.mark.parametrize(("arguments", "status"), [(["a", "b"], 2), (["--no"], 2), (["--help"], 0)])
def test_usage(tmp_path, arguments, status):
    done = run(tmp_path / "data", "http://127.0.0.1:9/", arguments=arguments)
    assert done.returncode == status
    assert "usage:" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_published_address_and_checksum():
    text = SCRIPT.read_text()
    assert "cs231n.stanford.edu/tiny-imagenet-200.zip" in text
    assert "90528d7ca1a48142e341f4ef8d21d0de" in text
    assert os.access(SCRIPT, os.X_OK)
