"""Pruned networks as files: weights, masks and what made them, as torch writes them.

``torch.load(weights_only=True)`` runs nothing that a file holds, but it trusts what the file says:
it unpacks compressed records to any size, ignores their checksums, and lets a small record pass for
a huge tensor. So the archive and the pickle in it are read and checked first, without running them,
against the network that the configuration names; torch then gets the checked records only.
"""

from __future__ import annotations

from .error import SavedNetworkError
from .loading import Saved, load
from .saving import save

__all__ = ["Saved", "SavedNetworkError", "load", "save"]
