"""Where a training stands after an epoch: a file that a killed run goes on from."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from atomic import replacing


def save(file: str | Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    file : str or Path
        Its folder is created if need be.
    state : mapping
        Tensors, numbers, text, and lists and dictionaries of them.
    """
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as opened:
        torch.save(dict(state), opened)


def load(file: str | Path, purpose: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a checkpoint, if there is one of the same training.

    Parameters
    ----------
    file : str or Path
    purpose : mapping
        Entries that the checkpoint must have with equal values: what the training is of.

    Returns
    -------
    dict or None
        On the CPU. None if there is no file, it cannot be read, or it is of another training: then
        the training has to begin anew, which gives what going on would have given.
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (FileNotFoundError, EOFError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile):
        return None
    if not isinstance(state, dict):
        return None
    return state if all(_equal(state.get(k), v) for k, v in purpose.items()) else None


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other.cpu())
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    return type(one) is type(other) and one == other
