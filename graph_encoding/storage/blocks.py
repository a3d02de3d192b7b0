"""Blocks from their plans and their arrays, every number checked."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from system.errors import Fault

from ..axis import Axis
from ..block import Block
from .checks import require_range
from .header import BlockPlan
from .layout import ENTRIES
from .stream import Check


def build(plan: BlockPlan, arrays: dict[str, np.ndarray]) -> Block:
    """The block of a plan; `arrays` has just those that the plan tells of."""
    check = checks(plan)
    for name, array in arrays.items():
        check[name](array, 0)
    entries = {name: arrays[name] for name in ENTRIES}
    block = Block(
        name=plan.name,
        source=plan.source,
        target=plan.target,
        rows=_with_windows(plan.rows, arrays.get("row_windows"), plan.where),
        columns=_with_windows(plan.columns, arrays.get("column_windows"), plan.where),
        kept_weights=plan.kept_weights,
        total_weights=plan.total_weights,
        **entries,
    )
    _require_order(block, plan.where)
    return block


def checks(plan: BlockPlan) -> dict[str, Check]:
    """What is checked of each array of a block by itself, a part of it at a time."""
    limits = {
        "target_channel": plan.target.channels,
        "source_channel": plan.source.channels,
        "tap_y": plan.rows.taps,
        "tap_x": plan.columns.taps,
        "row_windows": plan.rows.source_size + 1,
        "column_windows": plan.columns.source_size + 1,
    }
    most = plan.source.channels * plan.rows.taps * plan.columns.taps  # entries a target channel

    def within(name: str, values: np.ndarray, _: int) -> None:
        require_range(values, limits[name], f"{plan.where}: {name}")

    def rising(values: np.ndarray, start: int) -> None:
        within("target_channel", values, start)
        if (np.diff(values) < 0).any():
            raise Fault(f"{plan.where}: its entries are not sorted by target channel")
        if (values < np.arange(start, start + len(values)) // most).any():
            raise Fault(f"{plan.where}: an entry stands twice")

    named = {name: partial(within, name) for name in limits}
    positive = {"weight": lambda values, _: require_weights(values, plan.where)}
    return named | {"target_channel": rising} | positive


def require_weights(weight: np.ndarray, where: str) -> None:
    """Positive and finite numbers."""
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise Fault(f"{where}: a weight is not positive and finite")


def _with_windows(axis: Axis, flat: np.ndarray | None, where: str) -> Axis:
    if flat is None:
        return axis
    axis = dataclasses.replace(axis, windows=flat.reshape(-1, 2))
    low, high = axis.windows.T
    if (low > high).any():
        raise Fault(f"{where}: its windows run backwards")
    if axis.repeats_edges:
        raise Fault(f"{where}: its windows join nodes twice")
    if axis.has_gaps:
        raise Fault(f"{where}: its windows leave gaps")
    return axis


def _require_order(block: Block, where: str) -> None:
    """No entry stands twice."""
    pair = block.target_channel * np.int64(block.source.channels) + block.source_channel
    tap = block.tap
    if not _increasing(pair, tap):  # the encoders' order; any other takes a sort
        order = np.lexsort((tap, pair))
        if not _increasing(pair[order], tap[order]):
            raise Fault(f"{where}: an entry stands twice")


def _increasing(pair: np.ndarray, tap: np.ndarray) -> bool:
    step = np.diff(pair)
    return bool(((step > 0) | ((step == 0) & (np.diff(tap) > 0))).all())
