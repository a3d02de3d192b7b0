"""A disk that loses power: what a folder may look like afterwards, by the strictest reading.

By POSIX a name is on disk once its folder has been synchronised, and the content of a file once the
file has. Before that each may be there or not, whatever was done first: of a file any of its
contents since the last time, a part of what was written, or zeros in its place.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

EVENTS = ("write", "fsync", "ftruncate", "unlink", "replace", "mkdir")


@dataclass
class _Kept:
    """What is on disk of a name or of a file, and what has taken its place since then."""

    durable: object
    later: list = field(default_factory=list)

    def now(self) -> object:
        return self.later[-1] if self.later else self.durable


class Disk:
    """Follows what happens in a folder, call by call.

    Parameters
    ----------
    root : Path
    parts : int
        At how many places what is written may be cut.

    Attributes
    ----------
    states : list
        After each call, what each name and each file may be.
    """

    def __init__(self, root: Path, parts: int) -> None:
        self.root = root
        self.parts = parts
        self.states: list[tuple[dict, dict]] = []
        self._numbers: dict[int, object] = {}
        self._names: dict[Path, _Kept] = {}
        self._files: dict[object, _Kept] = {}
        self._look()
        for kept in (*self._names.values(), *self._files.values()):
            kept.durable, kept.later = kept.now(), []

    def follow(self, patch: pytest.MonkeyPatch) -> None:
        """Follow every call from now on."""
        for name in EVENTS:
            patch.setattr(os, name, self._followed(name, getattr(os, name)))

    def _followed(self, name: str, function):
        def call(*arguments, **options):
            self._look()  # what is written by other ways
            self._note()
            # Nothing waits for the disk of this machine.
            result = None if name == "fsync" else function(*arguments, **options)
            self._look()
            if name == "fsync":
                self._synchronise(os.fstat(arguments[0]).st_ino)
            self._note()
            return result

        return call

    def _look(self) -> None:
        """See what has changed."""
        found: dict[Path, object] = {}
        numbers: dict[int, object] = {}
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = Path(folder, name)
                number = path.stat().st_ino
                # A number may be given again when its file is gone.
                key = numbers[number] = self._numbers.get(number) or object()
                found[path] = key
                content = None if path.is_dir() else path.read_bytes()
                kept = self._files.setdefault(key, _Kept(None if path.is_dir() else b""))
                if kept.now() != content:
                    kept.later.append(content)
        self._numbers = numbers
        for path in self._names.keys() | found.keys():
            kept = self._names.setdefault(path, _Kept(None))
            if kept.now() is not found.get(path):
                kept.later.append(found.get(path))

    def _synchronise(self, number: int) -> None:
        folders = [self.root, *(path for path in self._names if path.is_dir())]
        for folder in folders:
            if folder.stat().st_ino == number:
                for path, kept in self._names.items():
                    if path.parent == folder:
                        kept.durable, kept.later = kept.now(), []
                return
        kept = self._files[self._numbers[number]]
        kept.durable, kept.later = kept.now(), []

    def _note(self) -> None:
        names = {path: (kept.durable, *kept.later) for path, kept in self._names.items()}
        files = {key: tuple(_contents(kept, self.parts)) for key, kept in self._files.items()}
        if not self.states or self.states[-1] != (names, files):
            self.states.append((names, files))


def _contents(kept: _Kept, parts: int) -> Iterator[object]:
    """What a file may hold."""
    yield kept.durable
    former = kept.durable
    for content in kept.later:
        yield content
        if content is not None and content.startswith(former):
            more = len(content) - len(former)
            for place in range(parts):
                part = content[: len(former) + more * place // parts]
                yield part
                yield part + bytes(len(content) - len(part))
        former = content


def losses(state: tuple[dict, dict], most: int, chance: random.Random) -> Iterator[dict]:
    """What may be left of a state, as content by path; folders hold None.

    Parameters
    ----------
    state : tuple
        Of `Disk.states`.
    most : int
        No more than so many, drawn by chance.
    chance : random.Random
    """
    names, files = state
    number = 1
    for choices in (*names.values(), *files.values()):
        number *= len(dict.fromkeys(choices))
    ways = itertools.product(*(dict.fromkeys(c) for c in (*names.values(), *files.values())))
    if number > most:
        ways = ([chance.choice(c) for c in (*names.values(), *files.values())] for _ in range(most))
    for way in ways:
        held = dict(zip(files, way[len(names) :], strict=True))
        left = {path: key for path, key in zip(names, way, strict=False) if key is not None}
        yield {
            path: held[key]
            for path, key in sorted(left.items())
            if all(parent not in names or parent in left for parent in path.parents)
        }


def restore(root: Path, new: Path, left: dict) -> None:
    """Write what is left of a folder into another one."""
    for path, content in left.items():
        place = new / path.relative_to(root)
        if content is None:
            place.mkdir()
        else:
            place.write_bytes(content)
