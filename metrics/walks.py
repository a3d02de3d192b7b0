"""Closed walks of four steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graph_encoding import Block, Graph, NodeLayer

from . import choice
from .choice import Cost
from .ways import Way, as_matrix, product
from .written import walk_product


class Term(NamedTuple):
    """A factor times a product of the numbers of ways between the same two layers.

    Attributes
    ----------
    factor : int
    ways : list of Way
    others : list of Way or None
        None for the squared norm.
    """

    factor: int
    ways: Sequence[Way]
    others: Sequence[Way] | None = None

    @property
    def costs(self) -> tuple[Cost, Cost]:
        """By algebra and written out."""
        by_hand = choice.written_cost([*self.ways, *(self.others or ())])
        return choice.algebra_cost(self.ways, self.others), by_hand

    @property
    def cost(self) -> Cost:
        """The smaller one."""
        by_algebra, by_hand = self.costs
        return by_algebra if choice.is_cheaper(by_algebra, by_hand) else by_hand

    def count(self) -> int:
        """Its value, exact, in the cheaper way."""
        count = product if choice.is_cheaper(*self.costs) else walk_product
        return self.factor * count(self.ways, self.others)


def closed_four_walks(graph: Graph) -> int:
    """Number of closed walks of length four in the undirected graph, ``tr A^4``.

    Parameters
    ----------
    graph : Graph
        A regular graph.

    Returns
    -------
    int
        Exact.
    """
    found, total = terms(graph), 0
    while found:  # and forget what a term has computed of its ways
        total += found.pop().count()
    return total


def cost(graph: Graph) -> Cost:
    """Estimate `closed_four_walks`, which takes most of the time of the motifs.

    Parameters
    ----------
    graph : Graph
        A regular graph.

    Returns
    -------
    Cost
    """
    return choice.joint([term.cost for term in terms(graph)])


def terms(graph: Graph) -> list[Term]:
    """What the closed 4-walks of a regular graph are the sum of.

    Notes
    -----
    With D the directed adjacency matrix of a graph without directed cycles,
    ``tr (D + D^T)^4 = 4 |D D|^2 + 2 |D D^T|^2 + 8 <D D, D D^T>`` (Frobenius norms and product; the
    last term needs a shortcut over three layers). ``|D D^T| = |D^T D|``, also within each set of
    blocks that share sources or targets, so the cheaper one is taken there.
    """
    along = _grouped(
        Way(first, second)
        for first in graph.blocks
        for second in graph.blocks
        if first.target == second.source
    )
    found = [Term(4, _by_matrix(ways)) for ways in along.values()]
    for blocks in _meeting(graph.blocks):
        sides = []
        if len(blocks) == 1:
            blocks = [as_matrix(blocks[0])]
        for forth in (True, False):
            groups = _grouped(
                Way(first, second, forth, not forth)
                for first in blocks
                for second in blocks
                if (first.target == second.target if forth else first.source == second.source)
            )
            sides.append(
                [
                    Term(2 if start == end else 4, ways)
                    for (start, end), ways in groups.items()
                    if start.offset <= end.offset
                ]
            )
            for ends, ways in groups.items():
                if forth and ends in along:
                    found.append(Term(8, along[ends], ways))
        costs = [choice.joint([term.cost for term in side]) for side in sides]
        found += sides[0] if choice.is_cheaper(*costs) else sides[1]
    return found


def _by_matrix(ways: list[Way]) -> list[Way]:
    """A way alone, its first step without positions if that is possible."""
    if len(ways) > 1:
        return ways
    return [Way(as_matrix(ways[0].first), ways[0].second)]


def _grouped(ways) -> dict[tuple[NodeLayer, NodeLayer], list[Way]]:
    """Ways by the layers that they join."""
    groups: dict[tuple[NodeLayer, NodeLayer], list[Way]] = {}
    for way in ways:
        groups.setdefault((way.start, way.end), []).append(way)
    return groups


def _meeting(blocks: Sequence[Block]) -> list[list[Block]]:
    """Sets of blocks that are linked by sources or by targets in common."""
    sets: list[list[Block]] = []
    for block in blocks:
        linked = [
            known
            for known in sets
            if any(block.source == b.source or block.target == b.target for b in known)
        ]
        merged = [b for known in linked for b in known] + [block]
        sets = [known for known in sets if known not in linked] + [merged]
    return sets
