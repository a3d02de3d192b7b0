"""What pruners raise."""

from system.errors import UserError


class PruningError(UserError, ValueError):
    """A network or images that cannot be pruned with; one line that says why."""
