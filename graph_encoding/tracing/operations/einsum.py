"""`einsum` of two operands, as the product of matrices or the linear layer that it is."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..attention import Scores
from ..linear import linear
from ..network import BY_LINEAR
from ..tensors import value_of
from ..values import MIXED, Value, is_mixed
from .attention import of_matrices
from .registry import Call, handles


@handles("einsum")
def einsum(call: Call, equation: str, *operands: Any) -> Value:
    """Scores of queries and keys, what attention gives, or a linear layer over an axis or some."""
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    terms, arrow, result = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    if not arrow or "." in equation or any(len(set(t)) < len(t) for t in [*letters, result]):
        raise NotImplementedError(f"einsum {equation!r} has no multipartite graph here")
    if len(operands) != 2:
        raise NotImplementedError("einsum of anything but two tensors")
    if _is_second(*operands):
        letters, operands = letters[::-1], operands[::-1]
    one, two = letters
    shared = [letter for letter in one if letter in two and letter in result]
    summed = [letter for letter in one if letter in two and letter not in result]
    rows, columns = ([c for c in of if c not in shared + summed] for of in (one, two))
    if not summed or {*shared, *rows, *columns} != set(result):
        raise NotImplementedError(f"einsum {equation!r} has no multipartite graph here")
    sizes = dict(zip(one + two, (*operands[0].shape, *operands[1].shape), strict=True))

    def laid(numbers: torch.Tensor, of: str, *axes: list[str]) -> torch.Tensor:
        numbers = numbers.permute([of.index(letter) for axis in axes for letter in axis])
        first, *others = ([sizes[letter] for letter in axis] for axis in axes)
        return numbers.reshape(*first, *map(math.prod, others))

    left, right = map(value_of, operands)
    if right is None:
        if shared:
            raise NotImplementedError(f"einsum {BY_LINEAR}")
        given = left.changed(lambda numbers: laid(numbers, one, rows, summed))
        if is_mixed(given):
            raise NotImplementedError(MIXED)
        found = linear(call.network, given, laid(operands[1], two, [], columns, summed))
    else:
        found = of_matrices(
            call,
            left.changed(lambda numbers: laid(numbers, one, shared, rows, summed)),
            right.changed(lambda numbers: laid(numbers, two, shared, summed, columns)),
        )
    axes = [*shared, *rows, *columns]
    order = [axes.index(letter) for letter in result]
    shape = [sizes[letter] for letter in axes]
    return found.changed(lambda numbers: numbers.reshape(shape).permute(order))


def _is_second(first: Any, second: Any) -> bool:
    """Whether what is to be the left matrix, shares or else a value, is the second operand."""
    return value_of(first) is None or isinstance(value_of(second), Scores)
