"""Where a training stands after an epoch: a file that a killed run goes on from.

A file is the SHA-256 of its content and then the content, as torch writes it. What is read was
written by this project, or it is not read: see `models.archives`.
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from models import archives
from models.weights_file import Contents
from system.bars import tqdm
from system.errors import Fault
from system.files import replacing
from system.reading import regular

DIGEST_BYTES = hashlib.sha256().digest_size


def save(file: str | Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    file : str or Path
        Its folder is created if need be.
    state : mapping
        Tensors, numbers, text, and lists and dictionaries of them.
    """
    written = io.BytesIO()
    torch.save(dict(state), written)
    content = written.getbuffer()
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as opened:
        opened.write(hashlib.sha256(content).digest())
        opened.write(content)


def load(
    file: str | Path, purpose: Mapping[str, Any], names: Iterable[str]
) -> dict[str, Any] | None:
    """Read a checkpoint, if there is one of the same training.

    A line on standard error names one that cannot be read.

    Parameters
    ----------
    file : str or Path
    purpose : mapping
        Entries that the checkpoint must have with equal values: what the training is of.
    names : iterable of str
        The other entries that it must have.

    Returns
    -------
    dict or None
        On the CPU. None if there is no file, it cannot be read, or it is of another training: then
        the training has to begin anew, which gives what going on would have given.
    """
    try:
        state = _read(file)
    except FileNotFoundError:
        return None
    except (OSError, Fault):
        line = f"main.py: warning: {file}: damaged; it is ignored, and training starts anew"
        tqdm.write(line, file=sys.stderr)  # above a bar, if there is one
        return None
    if state.keys() != purpose.keys() | set(names):
        return None
    return state if all(_equal(state[key], value) for key, value in purpose.items()) else None


def _read(file: str | Path) -> dict[str, Any]:
    with regular(file) as opened:
        digest, content = opened.read(DIGEST_BYTES), opened.read()
    if hashlib.sha256(content).digest() != digest:
        raise Fault("not what was written")
    state = archives.read(io.BytesIO(content), _State)
    if type(state) is not dict:
        raise Fault("not a dictionary")
    return state


class _State(Contents):
    """Also what a schedule counts its milestones with."""

    NAMES: ClassVar = {**Contents.NAMES, "collections.Counter": lambda counts: Counter(counts)}


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other.cpu())
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    return type(one) is type(other) and one == other
