"""Fetch the result CSVs that the paper's authors released, or check that they are there.

    python -m graph_data.fetch                # download into graph_data/published
    python -m graph_data.fetch --from DIR     # or copy from a folder on disk

The files are data of another repository (eliacunegatti/mge-snn on GitHub, Apache-2.0) and no part
of this one; git ignores them. `published.sha256` pins their content, and nothing else is accepted.
A file is taken from the branch's head and, where that no longer has it, from git's object store,
which knows it by the hash of its content. A killed run leaves whole files only; the next goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import filelock

from system import errors
from system.arguments import Parser, path
from system.bars import tqdm
from system.errors import UserError
from system.files import replacing
from system.program import program, run_program

REPOSITORY = "eliacunegatti/mge-snn"
RAW = f"https://raw.githubusercontent.com/{REPOSITORY}/HEAD/graph_data/{{path}}"
BLOB = f"https://api.github.com/repos/{REPOSITORY}/git/blobs/{{blob}}"
MANIFEST = Path(__file__).with_name("published.sha256")
PUBLISHED = Path(__file__).with_name("published")

TIMEOUT = 30.0  # seconds without a byte
LEAST_RATE = 1000  # bytes a second after that, in the mean
CHUNK = 2**16
BAR = "{desc} |{bar}| {n_fmt}/{total_fmt}B [{elapsed}<{remaining}]"


class FetchError(UserError):
    """A file cannot be had; the message is one line: which, why, and what can be done about it."""


@dataclass(frozen=True)
class Entry:
    """One file of the manifest.

    Attributes
    ----------
    path : str
        Relative to the folder, with slashes.
    size : int
        In bytes.
    sha256 : str
        Of the content.
    blob : str
        Git's name for the content, see `blob_hash`.
    """

    path: str
    size: int
    sha256: str
    blob: str


def blob_hash(content: bytes) -> str:
    """Git's name for a file's content (what ``git hash-object`` prints).

    Parameters
    ----------
    content : bytes

    Returns
    -------
    str
    """
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def manifest(file: str | Path = MANIFEST) -> list[Entry]:
    """Read the manifest: which files were released, and their content.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    list of Entry

    Raises
    ------
    FetchError
        If a line is not one of a manifest, or a path leads out of the folder.
    OSError
        If it cannot be read.
    """
    entries = []
    for number, line in enumerate(Path(file).read_text("utf-8", "replace").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        found = re.fullmatch(r"([0-9a-f]{64})  ([0-9a-f]{40})  (\d+)  ([\w./-]+)", line, re.ASCII)
        if not found or not {"", ".", ".."}.isdisjoint(found[4].split("/")):
            raise FetchError(
                f"{file}, line {number}: not a line of a manifest; restore it with git checkout"
            )
        entries.append(Entry(found[4], int(found[3]), found[1], found[2]))
    return entries


def fetch(
    target: str | Path = PUBLISHED,
    source: str | Path | None = None,
    *,
    entries: Sequence[Entry] | None = None,
    raw: str = RAW,
    blob: str = BLOB,
) -> tuple[int, int]:
    """Put the released files into a folder; those that are there and right are left alone.

    Parameters
    ----------
    target : str or Path
        Created if need be.
    source : str or Path, optional
        Folder to copy from: the one that holds ``graph_metrics``, or a checkout of the authors'
        repository. Downloads by default.
    entries : sequence of Entry, optional
        The files; those of `manifest` by default.
    raw, blob : str
        Addresses with ``{path}`` and ``{blob}``. ``GITHUB_TOKEN`` is sent to the second, if set.

    Returns
    -------
    fetched, there : int
        How many files were fetched, and how many were there already.

    Raises
    ------
    FetchError
        If a file cannot be had. Those fetched before it are kept.
    OSError
        If the folder cannot be read or written.
    """
    target = Path(target).expanduser()
    entries = manifest() if entries is None else entries
    folder = None if source is None else _released(Path(source).expanduser())
    missing = [entry for entry in entries if not _is_there(target / entry.path, entry)]
    if not missing:
        return 0, len(entries)
    target.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(filelock.FileLock(target / ".fetch.lock", timeout=0))
        except filelock.Timeout:
            raise FetchError(f"{target}: another run is at work here; wait for its end") from None
        for entry in entries:
            _temporary(target / entry.path).unlink(missing_ok=True)  # a killed run leaves it
        bar = stack.enter_context(
            tqdm(
                total=sum(entry.size for entry in missing),
                unit_scale=True,
                disable=not sys.stderr.isatty(),
                leave=False,
                bar_format=BAR,
            )
        )
        for entry in missing:
            bar.set_description_str(Path(entry.path).name)
            if folder is None:
                content = _download(entry, raw, blob, bar)
            else:
                content = _copy(folder / entry.path, entry, bar)
            file = target / entry.path
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file, _temporary(file)) as new:
                new.write(content)
    return len(missing), len(entries) - len(missing)


@program("graph_data.fetch", interrupted="interrupted; run again to go on")
def main(argv: Sequence[str]) -> None:
    """Run the program.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        Exit status: 0; 2 after one line about what the user can mend; 130 when interrupted.
    """
    options = _parser().parse_args(argv)
    try:
        fetched, there = fetch(options.to, options.source)
    except OSError as error:  # a full disk, a folder without permission
        remedy = "mend that, or give another folder with --to"
        raise FetchError(f"{errors.of_system(error)}; {remedy}") from error
    done = f"{fetched} files fetched, {there}" if fetched else f"{there} files"
    print(f"{done} already there: {options.to} (github.com/{REPOSITORY}, licence Apache-2.0)")


def _parser() -> Parser:
    p = Parser(
        prog="python -m graph_data.fetch",
        description="Fetch the result CSVs that the paper's authors released (55 MB, Apache-2.0).",
        allow_abbrev=False,
    )
    p.add_argument(
        "--from",
        dest="source",
        type=path,
        metavar="DIR",
        help="copy from the folder that holds graph_metrics, or from a checkout of the authors' "
        "repository (default: download from GitHub)",
    )
    p.add_argument(
        "--to",
        type=path,
        default=PUBLISHED,
        metavar="DIR",
        help="where to put them (default: graph_data/published)",
    )
    return p


def _released(source: Path) -> Path:
    """The folder that holds ``graph_metrics``, in either layout."""
    for folder in (source, source / "graph_data"):
        if (folder / "graph_metrics").is_dir():
            return folder
    raise FetchError(
        f"{source}: there is no folder graph_metrics in it nor in its graph_data; give --from the "
        "folder that holds graph_metrics, or a checkout of the authors' repository"
    )


def _copy(file: Path, entry: Entry, bar: tqdm) -> bytes:
    remedy = f"give --from an unchanged copy of github.com/{REPOSITORY}, or leave it out"
    try:
        with open(file, "rb") as stream:
            content = _read(stream, entry, bar)
    except OSError as error:
        raise FetchError(f"{file}: {error.strerror or error}; {remedy}") from None
    if fault := _fault(content, entry):
        raise FetchError(f"{file}: {fault}; {remedy}")
    return content


def _download(entry: Entry, raw: str, blob: str, bar: tqdm) -> bytes:
    """From the branch's head or, if what is there is not the file, by its blob hash."""
    start = bar.n
    with contextlib.suppress(urllib.error.HTTPError):
        content = _get(entry, raw.format(path=urllib.parse.quote(entry.path)), {}, bar)
        if not _fault(content, entry):
            return content
    bar.update(start - bar.n)
    headers = {"Accept": "application/vnd.github.raw+json"}
    token = os.environ.get("GITHUB_TOKEN", "").strip()
    if re.fullmatch("[!-~]+", token):  # anything else cannot be sent in a header
        headers["Authorization"] = f"Bearer {token}"
    try:
        content = _get(entry, blob.format(blob=entry.blob), headers, bar)
        fault = _fault(content, entry)
    except urllib.error.HTTPError as error:
        if error.code in (403, 429):
            raise FetchError(
                f"{entry.path}: GitHub's limit of requests was reached ({error.code}); run again "
                "later or set GITHUB_TOKEN; what was fetched is kept"
            ) from None
        if error.code == 401:
            raise FetchError(
                f"{entry.path}: GitHub refuses GITHUB_TOKEN (401); set a valid one or none"
            ) from None
        fault = f"not to be had (GitHub answered {error.code})"
    if fault:
        raise FetchError(
            f"{entry.path}: {fault}, neither from the branch nor from git's store; run again "
            "later, or take a copy on disk with --from DIR"
        )
    return content


def _get(entry: Entry, url: str, headers: dict[str, str], bar: tqdm) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "topometrics"})
    for name, value in headers.items():
        request.add_unredirected_header(name, value)  # a token goes to no other address
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return _read(answer, entry, bar)
    except urllib.error.HTTPError as error:
        error.close()
        raise
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", None) or error) or type(error).__name__
        raise FetchError(
            f"{entry.path}: GitHub cannot be reached ({urllib.parse.urlsplit(url).hostname}: "
            f"{reason}); run again later, or take a copy on disk with --from DIR"
        ) from None


def _read(stream: BinaryIO, entry: Entry, bar: tqdm) -> bytes:
    """At most one byte more than there should be."""
    content, start = bytearray(), time.monotonic()
    with contextlib.suppress(http.client.IncompleteRead):  # too short is found by the checksum
        while chunk := stream.read1(min(CHUNK, entry.size + 1 - len(content))):
            content += chunk
            bar.update(len(chunk))
            if time.monotonic() - start > TIMEOUT + len(content) / LEAST_RATE:
                raise TimeoutError(f"it sends less than {LEAST_RATE} bytes a second")
    return bytes(content)


def _fault(content: bytes, entry: Entry) -> str:
    """What is wrong with a content; empty if nothing is."""
    if len(content) != entry.size:
        count = f"only {len(content)}" if len(content) < entry.size else "more"
        return f"{count} bytes where the manifest has {entry.size}"
    right = hashlib.sha256(content).hexdigest() == entry.sha256
    return "" if right else "its sha256 is not that of the manifest"


def _is_there(file: Path, entry: Entry) -> bool:
    return (
        file.is_file()
        and file.stat().st_size == entry.size
        and not _fault(file.read_bytes(), entry)
    )


def _temporary(file: Path) -> Path:
    return file.with_name(f".{file.name}.fetch")


if __name__ == "__main__":
    run_program("graph_data.fetch:main")
