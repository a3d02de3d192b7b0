"""What saving and loading graphs raise."""

from __future__ import annotations


class StorageError(ValueError):
    """A graph file that cannot be read or written; one line: which, why, and what can be done."""
