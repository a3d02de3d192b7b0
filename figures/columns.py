"""Where a multipartite graph's nodes and edges lie on a picture: columns, and lanes above them."""

from __future__ import annotations

import numpy as np

from graph_encoding import Graph, NodeLayer

SCALES = ("linear", "log")
"""What the height of a column is of: its nodes, or their logarithm."""

LEAST_HEIGHT = {"linear": 0.02, "log": 0.3}
LANES = 0.45
"""Most of the height that the lanes take up."""


class Columns:
    """The node layers of a graph as columns, one apart, from left to right.

    Heights are measured downwards: the tallest column goes from 0 to 1, lanes lie above 0. An edge
    between neighbouring columns is a straight line; one that passes columns goes over them in a
    lane; one inside a column is folded halfway to the next.

    Parameters
    ----------
    graph : Graph
    scale : {"linear", "log"}
        What the height of a column is: its number of nodes, so that the network is the paper's
        funnel, or its logarithm. The smallest columns are a little taller, so that they are seen.

    Attributes
    ----------
    heights : numpy.ndarray of float64, shape (layers,)
    pairs : set of (int, int)
        Columns between which there may be edges, the left one first.
    lanes : dict of (int, int) to int
        Lane for edges between two columns that are not neighbours.
    top : float
        Where the uppermost lane ends; 0 or less.
    """

    def __init__(self, graph: Graph, scale: str = "linear") -> None:
        self.layers = graph.layers
        self._offsets = np.array([layer.offset for layer in graph.layers])
        self._sizes = np.array([layer.size for layer in graph.layers])
        share = np.log1p(self._sizes) if scale == "log" else self._sizes
        share = share / share.max()
        least = LEAST_HEIGHT[scale]
        self.heights = least + (1 - least) * share if scale == "log" else np.maximum(share, least)
        self.pairs = self._pairs(graph)
        self.lanes = self._assign()
        count = max(self.lanes.values(), default=-1) + 1
        self._lane_height = min(0.09, LANES / count) if count else 0.0
        self.top = -count * self._lane_height

    def of(self, nodes: np.ndarray) -> np.ndarray:
        """Column of each node id."""
        return np.searchsorted(self._offsets, nodes, side="right") - 1

    def height(self, nodes: np.ndarray, column: np.ndarray | int) -> np.ndarray:
        """Height at which each node lies in its column."""
        place = (nodes - self._offsets[column] + 0.5) / self._sizes[column]
        return 0.5 + (place - 0.5) * self.heights[column]

    def path(
        self, pair: tuple[int, int], start: np.ndarray, end: np.ndarray, x: np.ndarray
    ) -> np.ndarray:
        """Height of edges at places between two columns.

        Parameters
        ----------
        pair : tuple of int
            The columns, the left one first; not the same.
        start, end : numpy.ndarray
            Heights of the edges' nodes.
        x : numpy.ndarray
            Columns from the left one, broadcast with the heights.

        Returns
        -------
        numpy.ndarray
        """
        return bent(start, end, *self.bend(pair, x))

    def bend(
        self, pair: tuple[int, int], x: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, int, float]:
        """What `bent` takes of edges between two columns, beside their heights.

        Parameters
        ----------
        pair, x
            As for `path`.

        Returns
        -------
        along, raised : numpy.ndarray
            Shares: how far along the edges each place is, and how far up in their lane.
        lane : int
        lane_height : float
        """
        length = pair[1] - pair[0]
        if pair not in self.lanes:
            return x / length, np.zeros_like(x), 0, 0.0
        raised = np.clip(np.minimum(x, length - x) / min(1.0, length / 2), 0, 1)
        return (
            x / length,
            raised * raised * (3 - 2 * raised),
            self.lanes[pair],
            float(self._lane_height),
        )

    def _pairs(self, graph: Graph) -> set[tuple[int, int]]:
        pairs = set()
        for block in graph.blocks:
            sources, targets = (
                range(*self.of(np.array([layer.offset, layer.stop - 1])) + np.array([0, 1]))
                for layer in (block.source, block.target)
            )
            pairs |= {(min(a, b), max(a, b)) for a in sources for b in targets}
        return pairs

    def _assign(self) -> dict[tuple[int, int], int]:
        spans = [pair for pair in self.pairs if pair[1] - pair[0] > 1]
        lanes: list[list[tuple[int, int]]] = []
        found = {}
        for span in sorted(spans, key=lambda span: (span[1] - span[0], span)):
            free = (
                number
                for number, lane in enumerate(lanes)
                if all(span[1] <= low or high <= span[0] for low, high in lane)
            )
            number = next(free, len(lanes))
            lanes += [[]] if number == len(lanes) else []
            lanes[number].append(span)
            found[span] = number
        return found


def bent(start, end, along, raised, lane, lane_height):
    """Height of edges; of numbers as of arrays, so that compiled loops take it too.

    Parameters
    ----------
    start, end : float or numpy.ndarray
        Heights of the edges' nodes.
    along, raised, lane, lane_height
        From `Columns.bend`.

    Returns
    -------
    float or numpy.ndarray
    """
    line = start + (end - start) * along
    in_lane = (0.25 + 0.5 * line - 1 - lane) * lane_height
    return line + (in_lane - line) * raised


def width(columns: int) -> float:
    """Inches for a picture of so many columns, so narrow that it can be read on a page."""
    return min(max(9.0, 1.6 + 0.44 * columns), 32.0)


def rows(columns: int, most: int | None = None) -> list[tuple[int, int]]:
    """First and last column of each row of a picture; a row begins with the last one's end.

    Parameters
    ----------
    columns : int
    most : int, optional
        Columns of a row, 2 or more; by default there is one row.

    Returns
    -------
    list of (int, int)
        All rows but the last have the same length.

    Examples
    --------
    >>> rows(6, 4)
    [(0, 3), (3, 5)]
    """
    gaps = max(1, columns - 1)
    count = -(-gaps // ((most or columns + 1) - 1))
    length = -(-gaps // count)
    return [(first, min(first + length, columns - 1)) for first in range(0, gaps, length)]


def names(graph: Graph, layer: NodeLayer) -> list[str]:
    """The layers of weights that end in a column, all but the first without what they share.

    Parameters
    ----------
    graph : Graph
    layer : NodeLayer
        Of the graph.

    Returns
    -------
    list of str
        Of a layer where none ends, its own name.
    """
    found = [block.name for block in graph.blocks if block.target == layer and block.total_weights]
    found = list(dict.fromkeys(name for merged in found for name in merged.split(" + ")))
    if not found:
        return [layer.name]
    first = found[0].split(".")
    for place, other in enumerate(found[1:], 1):
        parts = other.split(".")
        shared = 0
        while shared + 1 < len(parts) and parts[: shared + 1] == first[: shared + 1]:
            shared += 1
        found[place] = ".".join(parts[shared:])
    return found


def short(name: str, most: int = 22) -> str:
    """A name with its middle left out, where it is long."""
    half = most // 2
    return name if len(name) <= most else f"{name[: half - 1]}…{name[-half:]}"
