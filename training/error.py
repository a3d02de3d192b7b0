"""The one error that says a network cannot be trained."""

from system.errors import UserError


class TrainingError(UserError, ValueError):
    """A training that cannot be, or that has come to nothing; one line that says why."""
