"""Checks of single values; `where` and `what` say in the message which value it is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from system.errors import Fault


def require_int(value: Any, low: int, high: int, what: str) -> None:
    """A whole number from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise Fault(f"{what} is not a whole number from {int(low)} to {high}")


def require_text(value: Any, where: str) -> None:
    """Text of letters that can be shown."""
    if type(value) is not str or not value.isprintable():
        raise Fault(f"{where}: a name is not text that can be printed")


def require_fields(value: Any, names: Collection[str], where: str) -> None:
    """A dictionary of just these keys."""
    if type(value) is not dict or value.keys() != set(names):
        raise Fault(f"{where} does not hold just {', '.join(names)}")


def require_list(value: Any, where: str) -> list[Any]:
    """A list, which is returned."""
    if type(value) is not list:
        raise Fault(f"{where}: a list is missing")
    return value


def require_range(values: np.ndarray, limit: int, what: str) -> None:
    """Numbers from 0 to below `limit`."""
    if len(values) and not 0 <= values.min() <= values.max() < limit:
        raise Fault(f"{what}: a value is not within 0 to {limit - 1}")
