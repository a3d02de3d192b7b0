"""Sums and products of values: which nodes the result stands for.

Layers that end in one sum are one layer of nodes. A summand from which another one is computed is
an identity shortcut: it adds no edges, as in the paper, or edges of weight 1. Anything else that is
added or multiplied stands beside: who reads the result reads the nodes of all.

A sum is settled when it is first read, whatever the order in which it was written: only then all
of its summands are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from . import weights
from .values import IMAGES, Value

if TYPE_CHECKING:
    from .tracing import _Run


class Sum(Value):
    """A sum that is not settled yet."""

    def __init__(self, run: _Run, terms: Sequence[Value]) -> None:
        self.run, self.terms, self.module = run, tuple(terms), run.module

    @property
    def shape(self) -> torch.Size:
        """As that of all terms."""
        return self.terms[0].shape

    @cached_property
    def alternatives(self) -> tuple[torch.Tensor, ...]:
        """The sum, settled."""
        return _settled(self.run, _flat(self), self.module).alternatives


def summed(run: _Run, terms: Sequence[Value]) -> Value:
    """The sum of values of one shape."""
    return Sum(run, terms) if len(terms) > 1 else terms[0]


def beside(run: _Run, terms: Sequence[Value]) -> Value:
    """The nodes of all values together."""
    alternatives: list[torch.Tensor] = []
    for term in terms:
        for numbers in term.alternatives:
            if not any(torch.equal(numbers, known) for known in alternatives):
                alternatives.append(numbers)
    some = [numbers for numbers in alternatives if bool((numbers >= 0).any())]
    if len(some) > 1:
        for term in terms:
            for key in run.spaces.layers(term):
                run.trace.layers[key].read = True
    return Value(tuple(some or alternatives[:1]))


def _flat(value: Value) -> list[Value]:
    """The terms of a sum, and those of sums among them that nobody has read."""
    if isinstance(value, Sum) and "alternatives" not in value.__dict__:
        return [term for inner in value.terms for term in _flat(inner)]
    return [value]


def _settled(run: _Run, terms: list[Value], module: str) -> Value:
    different: list[Value] = []
    for term in terms:
        if run.spaces.layers(term) and not any(_is_equal(term, known) for known in different):
            different.append(term)
    if len(different) < 2:
        return (different or terms)[0]
    reads = [run.spaces.channels(term) for term in different]
    leads = [
        _common([run.trace.layers[key].ancestors for key in run.spaces.layers(term)])
        for term in different
    ]
    shortcuts = [
        any(read & ~lead == 0 for lead in leads[:i] + leads[i + 1 :])
        for i, read in enumerate(reads)
    ]
    branches = [
        term for term, is_shortcut in zip(different, shortcuts, strict=True) if not is_shortcut
    ]
    rest = [term for term, is_shortcut in zip(different, shortcuts, strict=True) if is_shortcut]
    if not run.identity_shortcuts:
        rest = []

    keys = [_open_layer(run, branch) for branch in branches]
    leader = next((i for i, key in enumerate(keys) if key is not None), None)
    if leader is None:
        return beside(run, [*branches, *rest])
    members = [
        i
        for i, key in enumerate(keys)
        if key is not None and _are_alike(run, branches[leader], key, branches[i], keys[leader])
    ]
    joint = branches[leader]
    if len(members) > 1 or rest:
        joint = _joint_layer(run, [keys[i] for i in members], joint)
        for term in rest:
            _add_shortcut(run, joint, term, module)
    others = [branch for i, branch in enumerate(branches) if i not in members]
    return beside(run, [joint, *others]) if others else joint


def _common(masks: Sequence[int]) -> int:
    found = masks[0]
    for mask in masks[1:]:
        found &= mask
    return found


def _is_equal(one: Value, other: Value) -> bool:
    return len(one.alternatives) == len(other.alternatives) and all(
        map(torch.equal, one.alternatives, other.alternatives)
    )


def _are_alike(run: _Run, one: Value, key: int, other: Value, other_key: int) -> bool:
    """Whether two layers lie in the same way in their values."""
    layers = run.trace.layers
    places = [value.alternatives[0] - value.alternatives[0].min() for value in (one, other)]
    return layers[key].shape == layers[other_key].shape and torch.equal(*places)


def _open_layer(run: _Run, value: Value) -> int | None:
    """Key of the node layer that a value is all of, if nothing has been made of it yet."""
    if len(value.alternatives) > 1:
        return None
    numbers = value.alternatives[0][0].reshape(-1) >> 1
    if int(numbers.min()) < 0:
        return None
    space = run.spaces.all[int(run.spaces.of(numbers[:1].numpy())[0])]
    layer = run.trace.layers[space.layer]
    if not space.whole or layer.read or layer.joined is not None or layer.members in run.alone:
        return None
    if len(numbers) != space.stop - space.start:
        return None
    there = numbers.sort().values
    if int(there[0]) != space.start or not bool((there.diff() == 1).all()):
        return None
    return space.layer


def _joint_layer(run: _Run, keys: list[int], branch: Value) -> Value:
    """A node layer in place of the layers that end in it; they are no more read alone."""
    layers = run.trace.layers
    last = max(keys, key=lambda key: layers[key].place)
    # A shortcut is a member too, so that the sum is not taken for the branch.
    members = frozenset().union(*(layers[key].members for key in keys))
    members |= frozenset({-1 - len(layers)}) if len(keys) == 1 else frozenset()
    whole = run.new_layer(layers[last].name, *layers[last].shape, members, layers[last].place)
    for key in keys:
        layers[key].joined = len(layers) - 1
        layers[-1].ancestors |= layers[key].ancestors
    start = int(branch.alternatives[0].min())
    return Value((branch.alternatives[0] - start + int(whole.alternatives[0].min()),))


def _add_shortcut(run: _Run, joint: Value, rest: Value, module: str) -> None:
    """Edges of weight 1 from what an identity shortcut brings to the nodes of a sum."""
    key = run.spaces.all[
        int(run.spaces.of(joint.alternatives[0].numpy().ravel()[:1] >> 1)[0])
    ].layer
    order = joint.alternatives[0][0].reshape(-1).argsort()
    shape = (IMAGES, *run.trace.layers[key].shape)
    maps = tuple(
        numbers.reshape(IMAGES, -1)[:, order].reshape(shape) for numbers in rest.alternatives
    )
    weights.shortcut(run, Value(maps), key, f"{module} shortcut")
