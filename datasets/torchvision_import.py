"""Import torchvision, also beside a torch that its compiled operators were not built for."""

import functools
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

import torch

BOX_OPERATOR = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@functools.cache
def import_torchvision() -> ModuleType:
    """Import torchvision, with ``torchvision.datasets``.

    The torchvision that package indexes serve by default is compiled for a CUDA build of torch.
    Beside a CPU-only torch its operator library cannot be loaded. torchvision tolerates that, but
    on import it registers shape rules for two operators, ``nms`` and ``qnms``, that only the
    library defines, and stops with "operator torchvision::nms does not exist". The datasets need
    no operators at all, so where the library does not load the two signatures are declared first;
    calling either would still be an error.

    Returns
    -------
    module
        ``torchvision``. It is imported when this function is first called and not before, because
        most runs need no torchvision and it takes seconds.

    Raises
    ------
    ImportError
        If torchvision is not installed.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ImportError("torchvision is not installed")
    if not _operators_load(Path(spec.origin).parent):
        _declare_operators()
    importlib.import_module("torchvision.datasets")
    return importlib.import_module("torchvision")


def _operators_load(folder: Path) -> bool:
    """Whether torchvision's compiled operators can be loaded; if so, they are from now on."""
    libraries = [*folder.glob("_C*.so"), *folder.glob("_C*.dylib"), *folder.glob("_C*.pyd")]
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except OSError:
        return False
    return bool(libraries)


@functools.cache
def _declare_operators() -> torch.library.Library:
    """Declare the signatures; they last as long as the returned object, which the cache holds."""
    library = torch.library.Library("torchvision", "DEF")
    library.define(f"nms{BOX_OPERATOR}")
    library.define(f"qnms{BOX_OPERATOR}")
    return library
