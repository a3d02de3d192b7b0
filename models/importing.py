"""Modules of the user's own: imported from their own folder, hiding nobody else's.

A folder in front of the path of imports would hide all modules of the same names, the project's
(``models``, ``metrics``) among them, in this process and in those that it starts. So the folder
goes to the end of the path, and a module of it whose name is taken is imported as a submodule of a
package that has the folder as its path. Import statements of the modules in the folder find each
other under either name, also those that run late, inside functions: such a module has an
``__import__`` of its own.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import os
import sys
from importlib import machinery, util
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

ROOT = str(Path(sys.modules[__name__.partition(".")[0]].__file__).resolve().parents[1])
"""The folder from which the project is imported."""

PLACE = "own_modules_"
"""How the names of packages begin below which modules are imported whose own names are taken."""


def resolve(name: str, folder: str | Path) -> Any:
    """What a name stands for to somebody who works in a folder and has not heard of this project.

    Parameters
    ----------
    name : str
        ``package.module:function``. The modules of the folder come first, then those of
        ``PYTHONPATH`` and of Python, last the project's.
    folder : str or Path

    Returns
    -------
    object

    Raises
    ------
    ImportError, AttributeError, ValueError
        If there is no such thing; and whatever its module raises when it is imported.
    """
    return resolve_name(_placed(name, findable(folder)))


def findable(folder: str | Path) -> str:
    """Let modules in a folder be found, also by a pickle; the package below which they may be."""
    own = _folders(folder)
    place = PLACE + hashlib.sha256("\0".join(own).encode()).hexdigest()[:8]
    if place not in sys.modules:
        _open(place, own)
    sys.path += [path for path in own if path not in sys.path]
    return place


def _folders(folder: str | Path) -> list[str]:
    """The folder and those of ``PYTHONPATH``, without the project's."""
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    found = dict.fromkeys(os.path.realpath(path) for path in (folder, *given))
    return [path for path in found if path != ROOT]


def _open(place: str, own: list[str]) -> None:
    """Let modules of the folders be imported below `place`, and see each other."""
    package = ModuleType(place)
    package.__path__ = own
    sys.modules[place] = package

    def import_own(name, globals=None, locals=None, fromlist=(), level=0):
        """See `builtins.__import__`."""
        placed = name if level else _placed(name, place)
        found = builtins.__import__(placed, globals, locals, fromlist, level)
        if placed == name or fromlist:
            return found
        return sys.modules[f"{place}.{name.partition('.')[0]}"]  # what the statement binds

    class Loader(machinery.SourceFileLoader):
        def exec_module(self, module: ModuleType) -> None:
            module.__builtins__ = vars(builtins) | {"__import__": import_own}
            super().exec_module(module)

    finder = machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (Loader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )

    def hook(path: str) -> machinery.FileFinder:
        if not _belongs(path, own):
            raise ImportError(path)
        return finder(path)

    sys.path_hooks.insert(0, hook)
    for path in [path for path in sys.path_importer_cache if _belongs(path, own)]:
        del sys.path_importer_cache[path]
    sys.meta_path.append(_Unfound(place))


def _belongs(path: str, own: list[str]) -> bool:
    """Whether a folder is one of `own` or below it, and not of what else is on the path."""
    path = os.path.realpath(path)
    roots = {ROOT, *map(os.path.realpath, sys.path), *own}
    while path not in roots and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path in own


def _placed(name: str, place: str) -> str:
    """The name under which a module is imported that the user calls `name`.

    As Python finds it without the project: by that name where nobody else has it, and below `place`
    otherwise. What is not in the folders keeps its name.
    """
    top = name.partition(":")[0].partition(".")[0]
    own = sys.modules[place].__path__
    if top in sys.builtin_module_names:
        return name
    others = [path for path in sys.path if os.path.realpath(path) not in {ROOT, *own}]
    spec = machinery.PathFinder.find_spec(top, [*own, *others])
    where = _where(spec)
    if where is None or os.path.dirname(where) not in own:
        return name
    loaded = sys.modules.get(top)
    rival = machinery.PathFinder.find_spec(top, [ROOT, *others])
    taken = _where(loaded.__spec__) != where if loaded else rival and _where(rival) != where
    return f"{place}.{name}" if taken else name


def _where(spec: machinery.ModuleSpec | None) -> str | None:
    """The file or folder of a module."""
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return os.path.realpath(next(iter(spec.submodule_search_locations)))
    return os.path.realpath(spec.origin) if spec.has_location else None


class _Unfound:
    """Finds what nobody else finds: a submodule that is asked for by its name in the folder.

    Not an import statement asks so but ``importlib.import_module`` or a pickle, such as one of a
    whole network: ``models.yolo`` is not the project's.
    """

    def __init__(self, place: str) -> None:
        self.place = place

    def find_spec(self, name, path=None, target=None) -> machinery.ModuleSpec | None:
        if path is None or name.startswith(self.place) or _placed(name, self.place) == name:
            return None
        try:
            known = util.find_spec(f"{self.place}.{name}")
        except ModuleNotFoundError:  # nor is its parent there
            return None
        return known and machinery.ModuleSpec(name, _Known(known))


class _Known:
    """Loads a module that is known by another name: the same module."""

    def __init__(self, known: machinery.ModuleSpec) -> None:
        self.known = known

    def create_module(self, spec: machinery.ModuleSpec) -> ModuleType:
        return importlib.import_module(self.known.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.known
