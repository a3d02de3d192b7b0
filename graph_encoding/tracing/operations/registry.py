"""Which handler says what a function of torch does to the nodes that values stand for.

To follow one more function, write a handler in a file of its family::

    @handles("flip fliplr flipud")
    def rearranged(call, *args, **kwargs): ...

It is given the `Call` and the arguments, and returns a `Value` for a tensor, a list of them for
several, or anything else as it is. What has no multipartite graph it refuses in one line, with
``NotImplementedError``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from models.inputs import replaced

from ..network import ONE_BY_ONE, Network

OPERATORS = {
    **{"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "idiv": "div"},
    **{"radd": "add", "rmul": "mul", "truediv": "div", "rtruediv": "rdiv"},
}
ATEN = {"index": "index_select", "slice": "narrow"}
ATEN |= {f"adaptive_max_pool{n}d": f"adaptive_max_pool{n}d_with_indices" for n in (1, 2, 3)}
"""Of functions in programs of ``torch.export``, those whose names mean something else elsewhere."""

IN_PLACE = (
    "__iadd__",
    "__isub__",
    "__imul__",
    "__itruediv__",
    "__idiv__",
    "__setitem__",
    "__set__",
)


class Call:
    """A function that the network calls.

    Parameters
    ----------
    network : Network
    func : callable
    args : tuple
    kwargs : dict
        As the network gives them.

    Attributes
    ----------
    full_name : str
        Of the function, as torch has it.
    name : str
        Without underscores: ``relu`` of ``relu_``, ``add`` of ``__iadd__``, ``T`` of a property.
    in_place : bool
        Whether it writes to what it is given first.
    is_aten : bool
        Whether it is one of a program of ``torch.export``.
    """

    def __init__(self, network: Network, func: Callable, args: tuple, kwargs: dict) -> None:
        self.network, self.func, self.args, self.kwargs = network, func, args, kwargs
        self.full_name = name = getattr(func, "__name__", str(func))
        self.is_aten = isinstance(func, torch._ops.OpOverload)
        if self.is_aten:  # relu_.default
            name = name.partition(".")[0]
        self.is_property = name == "__get__"
        plain = (func.__self__.__name__ if self.is_property else name).strip("_")
        self.name = (ATEN if self.is_aten else OPERATORS).get(plain, plain)
        self.in_place = name in IN_PLACE or (name.endswith("_") and not name.endswith("__"))

    @property
    def handler(self) -> Handler | None:
        """What follows it, if anything does."""
        return HANDLERS.get("." * self.is_property + self.name)

    @property
    def may_alias(self) -> bool:
        """Whether its result may lie in the same memory as what it is given."""
        return self.handler is not None and self.handler.aliases


class Handler(NamedTuple):
    """What follows a function, and whether its result may share memory with its arguments."""

    function: Callable[..., Any]
    aliases: bool


HANDLERS: dict[str, Handler] = {}


def handles(names: str, aliases: bool = False) -> Callable[[Callable], Callable]:
    """Register a handler.

    Parameters
    ----------
    names : str
        `Call.name` of each function that it handles, with a dot before that of a property.
    aliases : bool
        Whether results may lie in the same memory as what the function is given.

    Raises
    ------
    ValueError
        If one of them has a handler already.
    """

    def register(function: Callable) -> Callable:
        found = {name: Handler(function, aliases) for name in names.split()}
        if twice := HANDLERS.keys() & found.keys():
            raise ValueError(f"{min(twice)} has a handler already")
        HANDLERS.update(found)
        return function

    return register


def apply(call: Call) -> Any:
    """What a function makes of the values among its arguments.

    Returns
    -------
    Value, list of Value, or anything else
        One for every tensor that the function gives; anything else is what it gives itself.

    Raises
    ------
    NotImplementedError
        If it has no multipartite graph; one line.
    """
    if call.handler is not None:
        return call.handler.function(call, *call.args, **call.kwargs)
    if call.is_property:
        return call.func(*call.args, **call.kwargs)  # a shape, a type
    found = _without_data(call)
    known = isinstance(found, torch.Size | bool | int | str | torch.dtype | torch.layout)
    if not known and not (isinstance(found, tuple) and all(isinstance(i, int) for i in found)):
        raise NotImplementedError(
            f"{call.name} has no multipartite graph that is known here; write it as functions that "
            f"have one, or let a part of the network be encoded without it; {ONE_BY_ONE}"
        )
    return found


def _without_data(call: Call) -> Any:
    """What a function says of a tensor without data.

    Only for what torch knows at once: elsewhere it computes shapes in Python, and imports its
    compiler first, for seconds.
    """

    def on_meta(tensor: torch.Tensor) -> torch.Tensor:
        return tensor if tensor.is_meta else tensor.to("meta")

    try:
        return call.func(*replaced(call.args, on_meta), **replaced(call.kwargs, on_meta))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise NotImplementedError(f"{call.func.__name__} fails: {error}") from error
