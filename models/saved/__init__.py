"""Pruned networks as files: weights, masks and what made them, as torch writes them.

``torch.load(weights_only=True)`` runs nothing that a file holds, but it trusts what the file says:
it unpacks compressed records to any size, ignores their checksums, makes arrays of any size and
hashes any key. So Python's zipfile and unpickler read the file here, cut down to what a saved
network needs. Importing this package imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.later import later

if TYPE_CHECKING:
    from .content import SavedNetworkError
    from .files import Saved, load, save

__all__ = ["Saved", "SavedNetworkError", "load", "save"]

__getattr__ = later(
    __name__,
    {
        "Saved": "models.saved.files",
        "SavedNetworkError": "models.saved.content",
        "load": "models.saved.files",
        "save": "models.saved.files",
    },
)
