"""Maps of the linear flow whose positions stand for sets of positions of other maps.

A position of a pooled or resized map, and a gate's, which is one for all, stands for a set of
nodes, and a node that is met twice counts once (see graph_encoding). So the flow keeps, with a map
of sets, what they are of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional as F

Sets = list[tuple[int, torch.Tensor, list[torch.Tensor]]]
"""What a map is the sum of: first channel, another map, and along each axis 0/1 matrices (new
position, position) of the sets of the other map's positions."""


def _sets(x: torch.Tensor) -> Sets:
    eyes = [torch.eye(size, dtype=torch.float64) for size in x.shape[2:]]
    return getattr(x, "sets", [(0, x, eyes)])


def _of_sets(sets: Sets, shape: Sequence[int]) -> torch.Tensor:
    """The map, in which what is met twice counts once."""
    out, known = torch.zeros(shape, dtype=torch.float64), Sets()
    for first, of, along in sets:
        if any(first == f and of is o and all(map(torch.equal, along, a)) for f, o, a in known):
            continue
        known.append((first, of, along))
        maps = of
        for axis, matrix in enumerate(along, 2):
            maps = (matrix @ maps.movedim(axis, -2)).movedim(-2, axis)
        out[:, first : first + of.shape[1]] += maps
    out.sets = known
    return out


def pooled(x: torch.Tensor, windows: list[torch.Tensor]) -> torch.Tensor:
    """A map of which every position is the sum of a set; of sets, of what is in any of them."""
    sets = [
        (first, of, [((new @ old) > 0).double() for new, old in zip(windows, along, strict=True)])
        for first, of, along in _sets(x)
    ]
    return _of_sets(sets, (*x.shape[:2], *map(len, windows)))


def beside(cat: Callable, of: Sequence[torch.Tensor], dim: int = 0) -> torch.Tensor:
    """Maps side by side, of the sets that they are of; constants among them are nothing."""
    if any(x.requires_grad for x in of):
        of = [x if x.requires_grad else torch.zeros_like(x) for x in of]
    out = cat(of, dim)
    if dim in (1, 1 - out.dim()) and any(hasattr(x, "sets") for x in of):
        out.sets, first = [], 0
        for x in of:
            out.sets += [(first + start, *rest) for start, *rest in _sets(x)]
            first += x.shape[1]
    return out


def added(terms: Sequence[torch.Tensor]) -> torch.Tensor:
    """A sum, also of a map and a gate, whose positions are all one."""
    shape = torch.broadcast_shapes(*(x.shape for x in terms))
    terms = list({id(x): x for x in terms}.values())
    maps = len(shape) > 3 and all(len(x.shape) == len(shape) for x in terms)
    if not maps or not any(hasattr(x, "sets") or x.shape != shape for x in terms):
        return _once(terms)
    sets = []
    for x in terms:
        for first, of, along in _sets(x):
            if x.shape[1] < shape[1]:  # one channel beside several
                of = of.expand(-1, shape[1], *of.shape[2:])
            wide = [m.expand(size, -1) for size, m in zip(shape[2:], along, strict=True)]
            sets.append((first, of, wide))
    out = _of_sets(sets, shape)
    if any(_is_node(x, shape) and any(_leads(y, x) for y in terms) for x in terms):
        return out.clone()
    return out


def _once(terms: Sequence[torch.Tensor]) -> torch.Tensor:
    """A sum in which a token that is met twice, as all of its features tell, counts once.

    Single features, or channels, may be equal by chance: of weights that are alike.
    """
    out = terms[0]
    for i, x in enumerate(terms[1:], 1):
        if x.dim() == 3:
            same = (x == of for of in terms[:i])
            met = torch.stack(torch.broadcast_tensors(*(each.all(-1, True) for each in same)))
            x = torch.where(met.any(0), 0, x)
        out = out + x
    return out


def _is_node(x: torch.Tensor, shape: Sequence[int]) -> bool:
    return x.shape == shape and not hasattr(x, "sets") and x.grad_fn is not None


def _leads(x: torch.Tensor, to: torch.Tensor) -> bool:
    """Whether another value is computed from all that a value is of, a shortcut's."""
    known, left = set(), [function for function, _ in to.grad_fn.next_functions]
    while left:
        function = left.pop()
        if function is not None and function not in known:
            known.add(function)
            left += [before for before, _ in function.next_functions]
    return all(of.grad_fn in known for _, of, _ in _sets(x))


def over_axes(x: torch.Tensor, dim: object, keepdim: bool = False) -> torch.Tensor:
    dims = [d % x.dim() for d in ((dim,) if isinstance(dim, int) else dim)]
    if hasattr(x, "sets") and dims == [1] and x.dim() == 5 and not keepdim:  # of what is stacked
        sets = [(0, each, along[1:]) for _, of, along in x.sets for each in of.unbind(1)]
        return _of_sets(sets, (len(x), *x.shape[2:]))
    if not hasattr(x, "sets") or min(dims) < 2:
        return x.sum(dims, keepdim)
    windows = [torch.eye(size, dtype=torch.float64) for size in x.shape[2:]]
    for d in dims:
        windows[d - 2] = torch.ones(1, x.shape[d], dtype=torch.float64)
    found = pooled(x, windows)
    return found if keepdim else found.squeeze(dims)


def resized(x: torch.Tensor, resize: Callable) -> torch.Tensor:
    """The sum of all positions that have a share in one of the resized map, as torch shows them."""
    windows = []
    for axis, size in enumerate(x.shape[2:]):
        one = [1, size, *[1] * (x.dim() - 2)]
        one[axis + 2] = size
        unit = torch.eye(size, dtype=torch.float64).view(one).expand(1, size, *x.shape[2:])
        shares = resize(unit)[0].movedim(axis + 1, 1)
        windows.append((shares.reshape(*shares.shape[:2], -1)[..., 0].T.abs() > 1e-9).double())
    return pooled(x, windows)


def windows_of_kernel(given: dict, sizes: tuple[int, ...]) -> list[torch.Tensor]:
    """Along each axis, 0/1 matrix (pooled, size) of the windows of pooling, as torch shows them."""
    kernel, padding = given["kernel_size"], given.get("padding", 0)
    several = [
        [of] * len(sizes) if isinstance(of, int) else list(of) * (len(sizes) if len(of) == 1 else 1)
        for of in (kernel, given.get("stride") or kernel, padding)
    ]
    ceil = given.get("ceil_mode", False)
    return [
        (
            F.avg_pool1d(torch.eye(size, dtype=torch.float64)[:, None], *axis, ceil)[:, 0].T > 0
        ).double()
        for size, *axis in zip(sizes, *several, strict=True)
    ]


def adaptive_windows(size: int, pooled: int) -> torch.Tensor:
    """0/1 matrix (pooled, size): which positions adaptive pooling takes, as torch tells."""
    each = torch.eye(size, dtype=torch.float64)[:, None]
    return (F.adaptive_avg_pool1d(each, pooled)[:, 0].T > 0).double()
