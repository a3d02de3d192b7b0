"""How the sections of the report put numbers into words."""

from __future__ import annotations

import pandas as pd

DIGITS = ".3f"

Tables = dict[str, pd.DataFrame]
"""The tables of a section by name."""


def with_interval(value: float, low: float, high: float) -> str:
    """A value and its interval, if it has one; empty where undefined."""
    if value != value:
        return ""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]" if low == low else f"{value:.3f}"


def with_intervals(table: pd.DataFrame, value: str, low: str, high: str) -> list[str]:
    """A column's values, each with its interval."""
    return [with_interval(*row) for row in table[[value, low, high]].to_numpy()]


def signs(part: pd.DataFrame) -> str:
    """How many of these differences are on either side of 0 with their interval."""
    above, below = int((part["low"] > 0).sum()), int((part["high"] < 0).sum())
    return f"above 0 in {above} and below in {below} of {len(part)} comparisons"
