"""How the sections of the report put numbers into words."""

from __future__ import annotations

import pandas as pd

DIGITS = ".3f"

Tables = dict[str, pd.DataFrame]
"""The tables of a section by name."""

BOTH = (
    "Intervals are of 95 %: first that which takes configurations for independent, then, after "
    "`clustered`, that of resampled clusters (the networks of one model and data set), which "
    "decides."
)


def with_interval(value: float, low: float, high: float) -> str:
    """A value and its interval, if it has one; empty where undefined."""
    if value != value:
        return ""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]" if low == low else f"{value:.3f}"


def with_intervals(table: pd.DataFrame, value: str, low: str, high: str) -> list[str]:
    """A column's values, each with its interval."""
    return [with_interval(*row) for row in table[[value, low, high]].to_numpy()]


def with_both(value: float, low: float, high: float, least: float, most: float) -> str:
    """A value, its interval and the clustered one; empty where undefined."""
    said = with_interval(value, low, high)
    if not said or low != low:
        return said
    clustered = f"{least:.3f}, {most:.3f}" if least == least else "too few"
    return f"{said[:-1]}; clustered {clustered}]"


def with_both_intervals(table: pd.DataFrame, value: str, prefix: str = "") -> list[str]:
    """A column's values, each with its interval and the clustered one."""
    ends = ("low", "high", "cluster_low", "cluster_high")
    columns = [value, *(f"{prefix}{end}" for end in ends)]
    return [with_both(*row) for row in table[columns].to_numpy(dtype=float)]


def signs(part: pd.DataFrame) -> str:
    """How many of these differences are on either side of 0 with each of their intervals."""
    above, below = int((part["low"] > 0).sum()), int((part["high"] < 0).sum())
    said = f"above 0 in {above} and below in {below} of {len(part)} comparisons"
    if "cluster_low" not in part or part["cluster_low"].isna().all():
        return said
    above, below = int((part["cluster_low"] > 0).sum()), int((part["cluster_high"] < 0).sum())
    return f"{said} (clustered: {above} and {below})"
