"""The encodings: where each encoder lives and what it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name

EXACT, WITH_SHORTCUTS, PUBLISHED = "exact", "identity", "published"
"""Wirings: weights alone; identity shortcuts as edges of weight 1, too; that of the released code,
which is known for the paper's networks only."""

REFUSE, TOKENS = "refuse", "tokens"
ATTENTION = (REFUSE, TOKENS)
"""What becomes of softmax attention: it is refused, or every position reads the set of positions
that it attends to."""

WITH_TOKENS = "+tokens"
"""What the wiring of a graph ends with if attention in it is followed."""


@dataclass(frozen=True)
class Encoding:
    """A way from a network to graphs.

    Parameters
    ----------
    where : str
        ``module:function``, imported when it is used: torch takes its time. The encoder of a
        bipartite encoding takes a layer's name and weights, that of a multipartite one the model,
        an example input, the wiring and perhaps what becomes of attention. It returns a graph;
        `encode` names encoding and wiring.
    bipartite : bool
        Whether it makes a graph of every layer, and not one of the whole network.
    wirings : tuple of str
        Those that it knows; the first where there is no choice.
    attention : tuple of str
        What it can make of attention. Only an encoder that has a choice is told.
    colour, marker : str, optional
        In plots of the study, as of `pruning.Pruner`.
    """

    where: str
    bipartite: bool
    wirings: tuple[str, ...] = (EXACT,)
    attention: tuple[str, ...] = (REFUSE,)
    colour: str | None = None
    marker: str | None = None

    @property
    def encoder(self) -> Callable:
        """The function that makes a graph."""
        return resolve_name(self.where)


ENCODINGS = {
    "rolled": Encoding("graph_encoding.rolled:rolled", bipartite=True, colour="orange", marker="s"),
    "rolled-channel": Encoding(
        "graph_encoding.rolled_channel:rolled_channel",
        bipartite=True,
        colour="yellow",
        marker="D",
    ),
    "unrolled": Encoding(
        "graph_encoding.unrolled:unrolled",
        bipartite=False,
        wirings=(EXACT, WITH_SHORTCUTS, PUBLISHED),
        attention=ATTENTION,
        colour="blue",
        marker="o",
    ),
}
DEFAULT = "unrolled"
WIRINGS = tuple(dict.fromkeys(name for each in ENCODINGS.values() for name in each.wirings))
