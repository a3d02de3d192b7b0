"""The one error that says a dataset cannot be had."""


class DataUnavailable(Exception):
    """A dataset cannot be read; the message is one line: why, and what can be done about it."""
