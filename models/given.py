"""Weights where a user has them: a file, or a folder as of Hugging Face, perhaps of shards."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from system.errors import Fault
from system.reading import regular
from system.text import one_line

if TYPE_CHECKING:
    from torch import Tensor

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEX = ".index.json"
"""What the names of `WHOLE` end with in a folder of shards; it says which of them holds what."""

GIVE = f"give a file that torch.save wrote, .safetensors, or a folder with {' or '.join(WHOLE)}"
MOST_INDEX = 64 << 20


def digest_of(place: str | Path) -> str:
    """SHA-256 of weights, which tells them from all others.

    Of a file, that of what it holds; of a folder, that of the digests of its files.
    """
    found = hashlib.sha256()
    files = _files_of(Path(place))
    for file in files:
        with regular(file, GIVE) as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        if len(files) == 1:
            return digest
        found.update(digest.encode())
    return found.hexdigest()


def read(place: str | Path, trust: bool = False) -> tuple[dict[str, Tensor], str]:
    """The tensors of weights by their names, and the digest of what was read.

    Parameters
    ----------
    place : str or Path
        A file, or a folder with `WHOLE` or their shards.
    trust : bool
        Whether files that are not of safetensors are opened by pickle, which runs code in them.

    Returns
    -------
    state : dict of str to torch.Tensor
    digest : str
        As of `digest_of`.

    Raises
    ------
    Fault, OSError
        If there are none, or they are damaged, or need trust.
    """
    files = _files_of(Path(place))
    state: dict[str, Tensor] = {}
    digests = []
    for file, data in _contents(files):
        digests.append(hashlib.sha256(data).hexdigest())
        try:
            part = _state_of(file, data, trust)
        except Fault as fault:
            where = f"{file.name}: " if len(files) > 1 else ""
            raise Fault(where + fault.what, fault.remedy) from None
        if twice := state.keys() & part.keys():
            raise Fault(f"{one_line(min(twice), 60)} is in two of its files")
        state |= part
    whole = hashlib.sha256("".join(digests).encode()).hexdigest()
    return state, digests[0] if len(files) == 1 else whole


def _contents(files: list[Path]) -> Iterator[tuple[Path, bytes]]:
    for file in files:
        with regular(file, GIVE) as opened:
            yield file, opened.read()


def _files_of(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    for name in WHOLE:
        if (place / name).exists():
            return [place / name]
        if (place / (name + INDEX)).exists():
            return [place / shard for shard in _shards(place / (name + INDEX))]
    raise Fault("not a file", GIVE)


def _shards(index: Path) -> list[str]:
    """Names of the files that an index tells of, in their order."""
    with regular(index, GIVE) as opened:
        data = opened.read(MOST_INDEX + 1)
    try:
        if len(data) > MOST_INDEX:
            raise ValueError
        names = json.loads(data)["weight_map"].values()
        shards = sorted(set(names))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Fault(f"{index.name} tells no files of weights") from None
    if not shards or not all(type(name) is str and Path(name).name == name for name in shards):
        raise Fault(f"{index.name} tells of files that are not beside it")
    return shards


def _state_of(file: Path, data: bytes, trust: bool) -> dict[str, Tensor]:
    from . import safe_tensors, weights_file

    if file.suffix == safe_tensors.SUFFIX:
        return safe_tensors.state_of(data)
    return _trusted(data) if trust else weights_file.state_of(data)


def _trusted(data: bytes) -> dict[str, Tensor]:
    """The tensors of what pickle makes of a file: a whole network, or a state."""
    import torch

    from . import weights_file
    from .dense import plain

    try:
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)
        inside = [found.get(key) for key in weights_file.WRAPPERS if isinstance(found, dict)]
        for network in (found, *inside):
            if isinstance(network, torch.nn.Module):
                return plain(getattr(network, "_orig_mod", network)).state_dict()
    except Exception as error:  # of the code that it runs
        line = one_line(f"{type(error).__name__}: {error}", 160)
        raise Fault(f"it cannot be unpickled ({line})", "let its modules be importable") from None
    return weights_file.within(found)
