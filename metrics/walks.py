"""Closed walks of four steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from graph_encoding import Block, Graph

from . import choice, two_layouts
from .choice import Cost
from .overlaps import Ends, Islands, meet
from .two_layouts import layouts_product
from .ways import Way, are_alike, as_matrix, product


@dataclass(frozen=True, eq=False)
class Term:
    """A factor times a product of the numbers of ways between nodes.

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

    @cached_property
    def by_algebra(self) -> Cost | None:
        """Cost of kernel algebra; None where it cannot be used."""
        if are_alike([*self.ways, *(self.others or ())]):
            return choice.algebra_cost(self.ways, self.others)
        return two_layouts.cost(self.ways, self.others)

    @cached_property
    def written_out(self) -> Cost:
        """Cost of a visit of every path."""
        return choice.written_cost([*self.ways, *(self.others or ())])

    @property
    def cost(self) -> Cost:
        """The smaller one."""
        return self.by_algebra if self.is_algebra_cheaper else self.written_out

    @property
    def is_algebra_cheaper(self) -> bool:
        """Whether kernel algebra is the cheaper way."""
        found = self.by_algebra
        return found is not None and choice.is_cheaper(found, self.written_out)

    def count(self) -> int:
        """Its value, exact, in the cheaper way."""
        if not self.is_algebra_cheaper:
            from .written import walk_product  # compiled code, which an estimate does without

            return self.factor * walk_product(self.ways, self.others)
        if are_alike([*self.ways, *(self.others or ())]):
            return self.factor * product(self.ways, self.others)
        return self.factor * layouts_product(self.ways, self.others)


def closed_four_walks(graph: Graph) -> int:
    """Number of closed walks of length four in the undirected graph, ``tr A^4``.

    Parameters
    ----------
    graph : Graph

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

    Returns
    -------
    Cost
    """
    return choice.joint([term.cost for term in terms(graph)])


def terms(graph: Graph) -> list[Term]:
    """What the closed 4-walks of a graph are the sum of.

    Notes
    -----
    With D the directed adjacency matrix of a graph without directed cycles,
    ``tr (D + D^T)^4 = 4 |D D|^2 + 2 |D D^T|^2 + 8 <D D, D D^T>`` (Frobenius norms and product; the
    last term needs a shortcut over three layers). ``|D D^T| = |D^T D|``, also within each set of
    blocks that share sources or targets, so the cheaper one is taken there. A norm is that of the
    sum of all ways that may join the same nodes.
    """
    islands = Islands(graph)
    along = islands.together(
        (
            Way(first, second)
            for first in graph.blocks
            for second in graph.blocks
            if first.target.meets(second.source)
        ),
        _ends,
    )
    found = [Term(4, _by_matrix(ways)) for ways in along]
    along_by_place: dict[tuple[int, int], list[Sequence[Way]]] = {}
    for ways in along:
        along_by_place.setdefault(islands.of(_ends(ways[0])), []).append(ways)
    for blocks in _meeting(graph.blocks):
        sides = []
        if len(blocks) == 1:
            blocks = [as_matrix(blocks[0])]
        for forth in (True, False):
            groups = islands.together(
                (
                    Way(first, second, forth, not forth)
                    for first in blocks
                    for second in blocks
                    if (
                        first.target.meets(second.target)
                        if forth
                        else first.source.meets(second.source)
                    )
                ),
                _ends,
            )
            sides.append(_once(groups))
            for ways in groups if forth else ():
                for others in along_by_place.get(islands.of(_ends(ways[0])), ()):
                    if any(meet(_ends(one), _ends(other)) for one in ways for other in others):
                        found.append(Term(8, others, ways))
        costs = [choice.joint([term.cost for term in side]) for side in sides]
        found += sides[0] if choice.is_cheaper(*costs) else sides[1]
    return found


def _ends(way: Way) -> Ends:
    return way.start, way.end


def _once(groups: Sequence[Sequence[Way]]) -> list[Term]:
    """Of ways there and back, the one or the other, and those that are both."""
    found = []
    for ways in groups:
        here = {(start.offset, end.offset) for start, end in map(_ends, ways)}
        back = {(end, start) for start, end in here}
        if min(here) <= min(back):
            found.append(Term(2 if here == back else 4, ways))
    return found


def _by_matrix(ways: Sequence[Way]) -> Sequence[Way]:
    """A way alone, its first step without positions if that is possible."""
    if len(ways) > 1 or not ways[0].is_aligned:
        return ways
    return [Way(as_matrix(ways[0].first), ways[0].second)]


def _meeting(blocks: Sequence[Block]) -> list[list[Block]]:
    """Sets of blocks that are linked by sources or by targets in common."""
    sets: list[list[Block]] = []
    for block in blocks:
        linked = [
            known
            for known in sets
            if any(block.source.meets(b.source) or block.target.meets(b.target) for b in known)
        ]
        merged = [b for known in linked for b in known] + [block]
        sets = [known for known in sets if known not in linked] + [merged]
    return sets
