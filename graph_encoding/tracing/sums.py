"""Sums and products of values: which nodes the result stands for.

Layers that end in one sum are one layer of nodes. A summand from which another one is computed is
an identity shortcut: it adds no edges, as in the paper, or edges of weight 1. Anything else that is
added or multiplied stands beside: who reads the result reads the nodes of all. Tokens (or channels)
that are the same in all summands stay as they are; the others are summed alone.

A sum is settled when it is first read, whatever the order in which it was written: only then all
of its summands are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, reduce
from itertools import zip_longest
from operator import and_

import torch

from .connections import shortcut
from .network import Network
from .values import IMAGES, Value

DIVISIONS = ("div", "divide", "true_divide")


class Sum(Value):
    """A sum that is not settled yet."""

    def __init__(self, network: Network, terms: Sequence[Value]) -> None:
        self.network, self.terms, self.module = network, tuple(terms), network.module

    @property
    def shape(self) -> torch.Size:
        """As that of all terms."""
        return self.terms[0].shape

    @cached_property
    def alternatives(self) -> tuple[torch.Tensor, ...]:
        """The sum, settled."""
        return _settled(self.network, _flat(self), self.module).alternatives


class Moment(Value):
    """A mean along one axis, by which a norm that is written out may shift or scale its value.

    Parameters
    ----------
    of : Value
    shape : torch.Size
    mean : callable
        Gives what it stands for where anything else reads it, or refuses to.
    inverted : bool
        Whether it has been inverted, so that a norm multiplies by it.
    """

    def __init__(
        self, of: Value, shape: torch.Size, mean: Callable[[], Value], inverted: bool = False
    ) -> None:
        self.of, self.sizes, self.mean, self.inverted = of, shape, mean, inverted

    @property
    def shape(self) -> torch.Size:
        """Of the tensor."""
        return self.sizes

    @cached_property
    def alternatives(self) -> tuple[torch.Tensor, ...]:
        """The mean, which somebody reads."""
        return self.mean().alternatives


def normed(terms: Sequence[Value], by: str) -> list[Value]:
    """Two terms of a function, without a moment by which it norms the first one."""
    if len(terms) == 2 and isinstance(terms[1], Moment) and _is_equal(terms[1].of, terms[0]):
        names = ("mul", "multiply") if terms[1].inverted else ("sub", "subtract", *DIVISIONS)
        if by in names:
            return [terms[0]]
    return list(terms)


def summed(network: Network, terms: Sequence[Value]) -> Value:
    """The sum of values of one shape."""
    return Sum(network, terms) if len(terms) > 1 else terms[0]


def beside(network: Network, terms: Sequence[Value]) -> Value:
    """The nodes of all values together."""
    alternatives: list[torch.Tensor] = []
    for term in terms:
        for numbers in term.alternatives:
            for known in alternatives:  # what is met twice counts once
                numbers = numbers.masked_fill(numbers == known, -1)
            alternatives.append(numbers)
    some = [numbers for numbers in alternatives if bool((numbers >= 0).any())]
    if len(some) > 1:
        for term in terms:
            for key in network.spaces.layers(term):
                network.layers[key].read = True
    return Value(tuple(some or alternatives[:1]))


def _flat(value: Value) -> list[Value]:
    """The terms of a sum, and those of sums among them that nobody has read."""
    if isinstance(value, Sum) and "alternatives" not in value.__dict__:
        return [term for inner in value.terms for term in _flat(inner)]
    return [value]


def _settled(network: Network, terms: list[Value], module: str) -> Value:
    shape = terms[0].shape
    if all(_has_images_flattened(term) for term in terms):
        apart = [term.changed(lambda n: n.reshape(IMAGES, -1, *shape[1:])) for term in terms]
        return _settled(network, apart, module).changed(lambda n: n.reshape(shape))
    different: list[Value] = []
    for term in terms:
        if network.spaces.layers(term) and not any(_is_equal(term, known) for known in different):
            different.append(term)
    if len(different) < 2:
        return (different or terms)[0]
    if (at := _unlike(different)) is not None:
        some = [term.changed(lambda n: n[:, at]) for term in different]
        return _put(different[0], at, _settled(network, some, module))
    reads = [network.spaces.bits(term) for term in different]
    leads = [
        reduce(and_, (network.layers[key].ancestors for key in network.spaces.layers(term)))
        for term in different
    ]
    branches, shortcuts = [], []
    for i, (term, read) in enumerate(zip(different, reads, strict=True)):
        is_shortcut = any(read & ~lead == 0 for lead in leads[:i] + leads[i + 1 :])
        (shortcuts if is_shortcut else branches).append(term)
    rest = shortcuts if network.identity_shortcuts else []

    keys = [_open_layer(network, branch) for branch in branches]
    leader = next((i for i, key in enumerate(keys) if key is not None), None)
    if leader is None:
        return beside(network, [*branches, *rest])
    members = [
        i
        for i, key in enumerate(keys)
        if key is not None and _are_alike(network, branches[leader], key, branches[i], keys[leader])
    ]
    joint = branches[leader]
    if len(members) > 1 or rest:
        joint = _joint_layer(network, [keys[i] for i in members], joint)
        for term in rest:
            _add_shortcut(network, joint, term, module)
    others = [branch for i, branch in enumerate(branches) if i not in members]
    return beside(network, [joint, *others]) if others else joint


def _has_images_flattened(value: Value) -> bool:
    """Whether the first axis is that of images and positions, as where tokens are flattened."""
    images, rest = divmod(value.shape[0], IMAGES)
    return (
        images > 1
        and not rest
        and all(
            bool(((numbers[:images] < 0) | (numbers[:images] & 1 == 0)).all())
            for numbers in value.alternatives
        )
    )


def _is_equal(one: Value, other: Value) -> bool:
    if one is other:
        return True
    return len(one.alternatives) == len(other.alternatives) and all(
        map(torch.equal, one.alternatives, other.alternatives)
    )


def _unlike(values: Sequence[Value]) -> torch.Tensor | None:
    """Which tokens (channels of a map) differ, where others are the same in all values.

    None if all differ. As of class attention that leaves patches as they are.
    """
    first, *rest = (value.alternatives for value in values)
    if len(values[0].shape) < 3 or any(len(other) != len(first) for other in rest):
        return None
    differ = torch.zeros(values[0].shape[1], dtype=torch.bool)
    for other in rest:
        for one, two in zip(first, other, strict=True):
            differ |= (one != two).movedim(1, 0).flatten(1).any(1)
    return None if bool(differ.all()) else differ.nonzero()[:, 0]


def _put(value: Value, at: torch.Tensor, tokens: Value) -> Value:
    """A value with others in place of some of its tokens."""
    alternatives = []
    for old, new in zip_longest(value.alternatives, tokens.alternatives):
        numbers = torch.full(value.shape, -1) if old is None else old.clone()
        numbers[:, at] = -1 if new is None else new
        alternatives.append(numbers)
    return Value(tuple(alternatives))


def _are_alike(network: Network, one: Value, key: int, other: Value, other_key: int) -> bool:
    """Whether two layers lie in the same way in their values."""
    layers = network.layers
    places = [value.alternatives[0] - value.alternatives[0].min() for value in (one, other)]
    return layers[key].shape == layers[other_key].shape and torch.equal(*places)


def _open_layer(network: Network, value: Value) -> int | None:
    """Key of the node layer that a value is all of, if nothing has been made of it yet."""
    if len(value.alternatives) > 1:
        return None
    numbers = value.alternatives[0][0].reshape(-1) >> 1
    if int(numbers.min()) < 0:
        return None
    space = network.spaces.holding(int(numbers[0]))
    layer = network.layers[space.layer]
    if not space.whole or layer.read or layer.joined is not None or layer.members in network.apart:
        return None
    if len(numbers) != space.stop - space.start:
        return None
    there = numbers.sort().values
    if int(there[0]) != space.start or not bool((there.diff() == 1).all()):
        return None
    return space.layer


def _joint_layer(network: Network, keys: list[int], branch: Value) -> Value:
    """A node layer in place of those that end in it, laid as `branch` lays one of them."""
    _, whole = network.joint_layer(keys)
    first = whole.alternatives[0].min() - branch.alternatives[0].min()
    return branch.changed(lambda numbers: numbers + first)


def _add_shortcut(network: Network, joint: Value, rest: Value, module: str) -> None:
    """Edges of weight 1 from what an identity shortcut brings to the nodes of a sum."""
    numbers = joint.alternatives[0][0].reshape(-1)
    key = network.spaces.holding(int(numbers[0]) >> 1).layer
    order = numbers.argsort()
    shape = (IMAGES, *network.layers[key].shape)
    maps = rest.changed(lambda numbers: numbers.reshape(IMAGES, -1)[:, order].reshape(shape))
    shortcut(network, maps, key, f"{module} shortcut")
