"""Softmax attention: a position of its output stands for the set of values that it attends to.

What decides the shares, queries and keys, only gates and is not read on. So scores are no nodes:
they are followed through scales, masks and softmax, until they meet the values, only for which
query may read which key. That is fixed wherever masks are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import torch

from .network import ONE_BY_ONE, Network
from .values import MIXED, MOST_PARTS, Space, Value, Windows
from .windows import widen

REFUSED = (
    "attention has no fixed graph, its shares depend on the data; --attention tokens "
    '(attention="tokens" in Python) lets every position read all that it attends to; ' + ONE_BY_ONE
)
NO_MAP = (
    "the positions that attention reads are no rows and columns of a map (nor are those of padded "
    "windows), or not the same ones for all heads"
)
BLOCKED = 50.0
"""Scores are of a few units; what a mask adds to a score to take its share away is below minus
this, from the largest that it adds to the row."""


class Scores(Value):
    """What is between queries and keys, before or after softmax.

    Parameters
    ----------
    alternatives : tuple of torch.Tensor of int64
        One, shape (..., queries, keys): 1 + the number of the query's first feature, 0 if that
        is no node, and -1 where the query does not read the key.
    are_shares : bool
        Whether softmax has been taken along the last axis.
    """

    def __init__(self, alternatives: tuple[torch.Tensor, ...], are_shares: bool = False) -> None:
        super().__init__(alternatives)
        self.are_shares = are_shares

    def changed(self, by: Callable[[torch.Tensor], torch.Tensor]) -> Scores:
        """The scores after a function of their numbers."""
        return Scores(super().changed(by).alternatives, self.are_shares)

    def where(self, reads: torch.Tensor) -> Scores:
        """The same, with keys that are not read."""
        (codes,) = self.alternatives
        shape = torch.broadcast_shapes(codes.shape, reads.shape)
        if shape != codes.shape:
            raise NotImplementedError("a mask of another shape than attention's scores")
        return Scores((codes.masked_fill(~reads.to("cpu"), -1),), self.are_shares)

    def biased(self, bias: torch.Tensor) -> Scores:
        """The same after a constant has been added that may rule keys out."""
        bias = bias.detach().to("cpu").double()
        if not bias.dim():
            return self
        return self.where(bias >= bias.amax(-1, keepdim=True) - BLOCKED)


def scores(queries: Value, keys: int) -> Scores:
    """Scores of queries (..., queries, features) for a number of keys."""
    first = torch.stack([numbers[..., :1] for numbers in queries.alternatives]).amax(0) + 1
    return Scores((first.expand(*first.shape[:-1], keys),))


def attended(network: Network, shares: Scores, values: Value) -> Value:
    """What attention gives.

    Parameters
    ----------
    network : Network
    shares : Scores
        (..., queries, keys)
    values : Value
        (..., keys, features)

    Returns
    -------
    Value
        (..., queries, features); an element stands for all nodes that the feature has at the keys
        that the query reads. Its maps are laid as those of the queries are, where these are nodes.

    Raises
    ------
    NotImplementedError
        If what a query reads is no rectangle of a map.
    """
    (codes,) = shares.alternatives
    found = [each for numbers in values.alternatives for each in _attended(network, codes, numbers)]
    some = [numbers for numbers in found if bool((numbers >= 0).any())]
    return Value(tuple(some or found[:1]))


def _attended(network: Network, codes: torch.Tensor, numbers: torch.Tensor) -> list[torch.Tensor]:
    lead = torch.broadcast_shapes(codes.shape[:-2], numbers.shape[:-2])
    codes, keys = (
        each.broadcast_to(*lead, *each.shape[-2:]).reshape(-1, *each.shape[-2:]).numpy()
        for each in (codes, numbers)
    )
    top = keys.max(axis=(1, 2), initial=-1)
    first, second = (np.flatnonzero((top >= 0) & (top & 1 == image)) for image in (0, 1))
    ours, others = keys[first], keys[second]
    reads = codes[first] >= 0
    if (
        len(first) != len(second)
        or (ours[ours >= 0] & 1).any()
        or not np.array_equal(np.where(ours < 0, -1, ours + 1), others)
        or not np.array_equal(reads, codes[second] >= 0)
    ):
        raise NotImplementedError(MIXED)
    shape = len(keys), codes.shape[1], keys.shape[2]
    if not len(first):
        return [torch.full((*lead, *shape[1:]), -1)]
    ours >>= 1
    if _are_channels(network, ours):
        several = _channels(reads, ours)
    else:
        several = _sets(network, reads, (codes[first].max(axis=2) - 1) >> 1, ours)
    alternatives = []
    for found in several:
        out = np.full(shape, -1)
        out[first], out[second] = (np.where(found < 0, -1, 2 * found + image) for image in (0, 1))
        alternatives.append(torch.from_numpy(out).view(*lead, *shape[1:]))
    return alternatives


def _are_channels(network: Network, keys: np.ndarray) -> bool:
    """Whether keys are channels, and their features positions: one for all keys of a group."""
    if keys.shape[1] == 1 or keys.min() < 0:
        return False
    starts, positions = np.array([(space.start, space.positions) for space in network.spaces.all]).T
    home = network.spaces.of(keys)
    place = (keys - starts[home]) % positions[home]
    several = bool((keys[:, 1:] != keys[:, :1]).any()) and int(positions[home].max()) > 1
    return several and bool((home == home[:, :1]).all() and (place == place[:, :1]).all())


def _channels(reads: np.ndarray, keys: np.ndarray) -> Iterator[np.ndarray]:
    """The numbers of one key after another that each query reads."""
    order, there = np.argsort(~reads, axis=2, kind="stable"), np.sort(~reads, axis=2) == 0
    group = np.arange(len(keys))[:, None]
    most = int(reads.sum(axis=2).max())
    if most > MOST_PARTS:
        raise NotImplementedError(f"attention to more than {MOST_PARTS} channels")
    for turn in range(most):
        yield np.where(there[..., turn, None], keys[group, order[..., turn]], -1)


def _sets(
    network: Network, reads: np.ndarray, queries: np.ndarray, keys: np.ndarray
) -> list[np.ndarray]:
    """Numbers of new spaces whose positions stand for what each query reads.

    Parameters
    ----------
    reads : numpy.ndarray of bool, shape (groups, queries, keys)
    queries : numpy.ndarray of int64, shape (groups, queries)
        Number of each query's first feature; negative if it is no node.
    keys : numpy.ndarray of int64, shape (groups, keys, features)
        Numbers of the values.

    Returns
    -------
    list of numpy.ndarray of int64, shape (groups, queries, features)
        Alternatives: one for each run of positions in a row or column, as of sets with holes.
    """
    spaces = network.spaces
    home = np.where(keys >= 0, spaces.of(keys), -1)
    found: list[np.ndarray] = []
    known = np.zeros((len(keys), keys.shape[2]), bool)
    for index in np.unique(home[home >= 0]):
        space, mine = spaces.all[index], (home == index).any(axis=1)
        group, feature = np.nonzero(mine)
        channel, there, position = _laid(space, np.where(home == index, keys, -1), group, feature)
        groups, member = np.unique(group, return_inverse=True)
        first = len(found) if (known & mine).any() else 0  # beside what they have of other layers
        known |= mine
        boxes_of = _boxes(space, reads[groups] & there[:, None], position)
        for turn, boxes in enumerate(boxes_of, first):
            if turn == len(found):
                found.append(np.full((*queries.shape, keys.shape[2]), -1))
            some = (boxes[..., 0] < boxes[..., 1]).all(axis=0)
            sizes, places, windows = _laid_queries(network, queries[groups], boxes, some)
            wide = tuple(widen(inner, along) for inner, along in zip(space.windows, windows))
            new = spaces.add(space.layer, space.channels, wide)
            numbers = new.start + channel[:, None] * new.positions + places[member]
            found[turn][group, :, feature] = np.where(some[member], numbers, -1)
            assert new.sizes == sizes
    return found


def _laid(
    space: Space, keys: np.ndarray, group: np.ndarray, feature: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which channel a feature of a group is, and which positions the keys of each group are.

    Returns
    -------
    channel : numpy.ndarray of int64, shape (features of groups,)
    there : numpy.ndarray of bool, shape (groups, keys)
    position : numpy.ndarray of int64, shape (groups, keys)
    """
    numbers = keys[group, :, feature]
    channels, positions = np.divmod(numbers - space.start, space.positions)
    present = numbers >= 0
    channel = np.where(present, channels, -1).max(axis=1)
    one = np.unique(group, return_index=True)[1]
    there, position = present[one], np.where(present, positions, -1)[one]
    of = np.unique(group, return_inverse=True)[1]
    if (
        (present & (channels != channel[:, None])).any()
        or not np.array_equal(present, there[of])
        or (present & (positions != position[of])).any()
    ):
        raise NotImplementedError(NO_MAP)
    return channel, there, position


def _boxes(space: Space, reads: np.ndarray, position: np.ndarray) -> list[np.ndarray]:
    """What each query reads, as boxes: intervals along each axis, (3, groups, queries, 2).

    Every query reads the boxes at its place in all arrays; empty intervals are none.
    """
    ordered = np.sort(position, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    volume, runs = 1, []
    for size, along in zip(space.sizes, np.unravel_index(np.maximum(position, 0), space.sizes)):
        at = along[..., None] == np.arange(size)
        there = np.matmul(reads, at, dtype=np.float32) > 0
        volume = volume * there.sum(axis=2)
        runs.append(_runs(there))
    boxes = [np.stack(box) for box in product(*runs)]
    if repeated.any() or (volume != reads.sum(axis=2)).any() or len(boxes) > MOST_PARTS:
        raise NotImplementedError(NO_MAP)
    return boxes


def _runs(there: np.ndarray) -> list[np.ndarray]:
    """Of each row of a 0/1 array (..., size) the first run of ones, the second, and so on.

    Returns
    -------
    list of numpy.ndarray of int64, shape (..., 2)
    """
    rows = np.pad(there.reshape(-1, there.shape[-1]).astype(np.int8), ((0, 0), (1, 1)))
    row, start = np.nonzero(np.diff(rows, axis=1) == 1)
    stop = np.nonzero(np.diff(rows, axis=1) == -1)[1]
    turn = np.arange(len(row)) - np.searchsorted(row, row)
    found = np.zeros((max(turn.max(initial=0) + 1, 1), len(rows), 2), np.int64)
    found[turn, row] = np.stack([start, stop], axis=1)
    return list(found.reshape(len(found), *there.shape[:-1], 2))


def _laid_queries(
    network: Network, queries: np.ndarray, boxes: np.ndarray, some: np.ndarray
) -> tuple[tuple[int, ...], np.ndarray, Windows]:
    """A map of queries of which every row and column reads certain rows and columns.

    It is that of the queries' own nodes, or else a row.

    Returns
    -------
    sizes : tuple of int
        Depth, height and width.
    places : numpy.ndarray of int64, shape (groups, queries)
    windows : tuple of three numpy.ndarray of int64, shape (size, 2)
    """
    choices = [((1, 1, queries.shape[1]), np.broadcast_to(np.arange(queries.shape[1]), some.shape))]
    if queries.min() >= 0:
        space = network.spaces.holding(int(queries.min()))
        if queries.max() < space.stop:
            choices.insert(0, (space.sizes, (queries - space.start) % space.positions))
    for sizes, places in choices:
        windows = []
        for size, along, box in zip(sizes, np.unravel_index(places, sizes), boxes):
            of = np.zeros((size, 2), np.int64)
            of[along[some]] = box[some]
            if not np.array_equal(of[along[some]], box[some]):
                break
            windows.append(of)
        else:
            return sizes, places, tuple(windows)
    raise NotImplementedError(NO_MAP)
