"""Pruned networks as files: weights, masks and what made them, as torch writes them.

``torch.load(weights_only=True)`` runs nothing that a file holds, but it trusts what the file says:
it unpacks compressed records to any size, ignores their checksums, makes arrays of any size and
hashes any key. So Python's zipfile and unpickler read the file here, cut down to what a saved
network needs. Importing this package imports no torch.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .content import SavedNetworkError
    from .files import Saved, load, save

__all__ = ["Saved", "SavedNetworkError", "load", "save"]

_LATER = {
    "Saved": "models.saved.files",
    "SavedNetworkError": "models.saved.content",
    "load": "models.saved.files",
    "save": "models.saved.files",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(f"{_LATER[name]}:{name}")
