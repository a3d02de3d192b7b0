"""Pruned networks as files: weights, masks and what made them, as torch writes them.

They are read by `models.archives`, and all that they say is checked. Importing this package imports
no torch.
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
