"""What networks are called with, and what they give: tensors in nested tuples, lists, dictionaries.

Whole numbers among what a network is called with are known, as masks are, until an Embedding looks
rows up by them. Which those are is the same for graphs and for pruners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

import torch

DEEPEST = 64
"""What tuples and the like may hold of one another: fewer than Python's calls do."""

RAGGED = "nested tensors (torch.nested) have no axis of positions: pad them, and give a mask"


STILL_TOKENS = frozenset(
    str.split(
        """
        view reshape flatten unflatten permute transpose squeeze unsqueeze expand getitem narrow
        select chunk split unbind cat stack contiguous clone detach to type long int
        add sub clamp masked_fill where
        """
    )
)
"""Functions after which token ids are still such: no mask, no count, no number of a position."""


def is_known(tensor: torch.Tensor) -> bool:
    """Whether it is token ids or a mask, and not numbers such as those of pixels."""
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.uint8)


def split(example: Any) -> tuple[tuple, dict[str, Any]]:
    """Arguments and keyword arguments of an example, as they are.

    Parameters
    ----------
    example : torch.Tensor, tuple or mapping
        The only argument, all of them, or those with keywords.
    """
    if isinstance(example, Mapping):
        return (), dict(example)
    return (example if isinstance(example, tuple) else (example,)), {}


def tensors_in(of: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    """All tensors in nested tuples, lists, dictionaries and dataclasses.

    Raises
    ------
    NotImplementedError
        If one of these holds itself.
    """
    _require_end(depth)
    if isinstance(of, torch.Tensor):
        yield of
        return
    if isinstance(of, dict):
        of = list(of.values())
    elif is_dataclass(of) and not isinstance(of, type):
        of = list(vars(of).values())
    if isinstance(of, tuple | list):
        for item in of:
            yield from tensors_in(item, depth + 1)


def replaced(of: Any, by: Callable[[torch.Tensor], Any], depth: int = 0) -> Any:
    """Nested arguments with every tensor replaced; raises as `tensors_in`."""
    _require_end(depth)

    def inside(items: Iterable) -> Iterator:
        return (replaced(item, by, depth + 1) for item in items)

    if isinstance(of, torch.Tensor):
        return by(of)
    if isinstance(of, tuple) and hasattr(of, "_fields"):
        return type(of)(*inside(of))
    if isinstance(of, tuple | list):
        return type(of)(inside(of))
    if isinstance(of, dict):
        return dict(zip(of, inside(of.values()), strict=True))
    return of


def _require_end(depth: int) -> None:
    if depth > DEEPEST:
        raise NotImplementedError(
            "tuples, lists, dictionaries or dataclasses in it hold themselves, or one another more "
            f"than {DEEPEST} deep: give their tensors without"
        )
