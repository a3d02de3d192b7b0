"""Names of a package whose modules are imported when a name is first asked for (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pkgutil import resolve_name


def later(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Make the ``__getattr__`` of a package, so that importing it does not import torch.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    modules : mapping of str to str
        The module of each name.

    Returns
    -------
    callable
    """

    def find(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return resolve_name(f"{modules[name]}:{name}")

    return find
