"""The one error that says a data set cannot be had."""

from system.errors import UserError


class DataUnavailable(UserError):
    """A data set cannot be read; the message is one line: why, and what can be done about it."""
