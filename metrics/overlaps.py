"""Runs of node ids that overlap without being the same.

In most graphs blocks join whole node layers, and two runs of nodes are the same or have nothing in
common. The ``published`` wiring lays some blocks over other ids, so that what joins the same nodes
may count their positions in another way. What may meet is counted together, and only that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from graph_encoding import Graph, NodeLayer

Item = TypeVar("Item")
Ends = tuple[NodeLayer, NodeLayer]


def hull(layers: Iterable[NodeLayer]) -> tuple[int, int]:
    """First node id of some runs, and one past the last."""
    layers = list(layers)
    return min(layer.offset for layer in layers), max(layer.stop for layer in layers)


def meet(one: Ends, other: Ends) -> bool:
    """Whether some pair of a start and an end node belongs to both."""
    return one[0].meets(other[0]) and one[1].meets(other[1])


class Islands:
    """The node ids cut into the largest number of pieces that cut no run of a block in two.

    Parameters
    ----------
    graph : Graph
    """

    def __init__(self, graph: Graph) -> None:
        runs = {layer for block in graph.blocks for layer in (block.source, block.target)}
        self._starts: list[int] = []
        stop = 0
        for run in sorted(runs, key=lambda layer: layer.offset):
            if run.offset >= stop:
                self._starts.append(run.offset)
            stop = max(stop, run.stop)

    def of(self, ends: Ends) -> tuple[int, int]:
        """Numbers of the pieces in which a start and an end lie."""
        start, end = (bisect_right(self._starts, layer.offset) for layer in ends)
        return start, end

    def together(
        self, items: Iterable[Item], ends_of: Callable[[Item], Ends]
    ) -> list[Sequence[Item]]:
        """Sort items into sets, those in one set whose ends meet, directly or through others.

        Parameters
        ----------
        items : iterable
        ends_of : callable
            From an item to its start and its end.

        Returns
        -------
        list of list
            In the order of the first of each; where all runs are whole layers, a set for each two.
        """
        by_place: dict[tuple[int, int], list[dict[Ends, list[Item]]]] = {}
        for item in items:
            ends = ends_of(item)
            sets = by_place.setdefault(self.of(ends), [])
            linked = [known for known in sets if any(meet(ends, other) for other in known)]
            merged: dict[Ends, list[Item]] = {}
            for known in linked:
                merged |= known
            merged.setdefault(ends, []).append(item)
            if len(linked) == 1:
                linked[0].update(merged)
                continue
            sets[:] = [known for known in sets if known not in linked] + [merged]
        return [
            [item for group in found.values() for item in group]
            for sets in by_place.values()
            for found in sets
        ]
