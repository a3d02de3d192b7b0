"""Softmax attention: a position of its output stands for the set of values that it attends to.

What decides the shares, queries and keys, only gates and is not read on. So scores are no nodes:
they are followed through scales, masks and softmax, until they meet the values, only for which
query may read which key. That is fixed wherever masks are.
"""

from __future__ import annotations

import numpy as np
import torch

from .network import ONE_BY_ONE, Network
from .values import MIXED, Space, Value, Windows
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
    found = [_attended(network, codes, numbers) for numbers in values.alternatives]
    some = [numbers for numbers in found if bool((numbers >= 0).any())]
    return Value(tuple(some or found[:1]))


def _attended(network: Network, codes: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
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
    out = np.full((len(keys), codes.shape[1], keys.shape[2]), -1)
    if len(first):
        found = _sets(network, reads, (codes[first].max(axis=2) - 1) >> 1, ours >> 1)
        out[first], out[second] = (np.where(found < 0, -1, 2 * found + image) for image in (0, 1))
    return torch.from_numpy(out).view(*lead, *out.shape[1:])


def _sets(network: Network, reads: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Numbers of new spaces whose positions stand for what each query reads.

    Parameters
    ----------
    reads : numpy.ndarray of bool, shape (groups, queries, keys)
    queries : numpy.ndarray of int64, shape (groups, queries)
        Number of each query's first feature; negative if it is no node.
    keys : numpy.ndarray of int64, shape (groups, keys, features)
        Numbers of the values.
    """
    spaces = network.spaces
    home = np.where(keys >= 0, spaces.of(keys), -1)
    homes = home.max(axis=1)
    found = np.full((*queries.shape, keys.shape[2]), -1)
    if ((home >= 0) & (home != homes[:, None])).any():
        raise NotImplementedError("attention to the nodes of several layers by one head")
    for index in np.unique(homes[homes >= 0]):
        space, mine = spaces.all[index], homes == index
        group, feature = np.nonzero(mine)
        channel, there, position = _laid(space, keys, group, feature)
        groups, member = np.unique(group, return_inverse=True)
        boxes, some = _boxes(space, reads[groups] & there[:, None], position)
        sizes, places, windows = _laid_queries(network, queries[groups], boxes, some)
        wide = tuple(widen(inner, along) for inner, along in zip(space.windows, windows))
        new = spaces.add(space.layer, space.channels, wide)
        numbers = new.start + channel[:, None] * new.positions + places[member]
        found[group, :, feature] = np.where(some[member], numbers, -1)
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


def _boxes(space: Space, reads: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each query reads: intervals along each axis, (3, groups, queries, 2); and if any."""
    ordered = np.sort(position, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    some, volume, boxes = reads.any(axis=2), 1, []
    for size, along in zip(space.sizes, np.unravel_index(np.maximum(position, 0), space.sizes)):
        low = np.where(reads, along[:, None], size).min(axis=2)
        high = np.where(reads, along[:, None] + 1, 0).max(axis=2)
        volume = volume * (high - low)
        boxes.append(np.stack([low, high], axis=2) * some[..., None])
    if repeated.any() or (volume != reads.sum(axis=2))[some].any():
        raise NotImplementedError(NO_MAP)
    return np.stack(boxes), some


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
