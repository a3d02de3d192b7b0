"""What saving and loading networks raise."""

from __future__ import annotations


class SavedNetworkError(ValueError):
    """A network that cannot be saved or read; one line: which, why, and what can be done."""
