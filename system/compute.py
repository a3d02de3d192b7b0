"""Where to compute: threads and devices, and the libraries that do it."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    import torch

MOST_THREADS = 256  # on machines with fewer cores; libraries end the process if there are no more


def import_libraries() -> None:
    """Import torch and numba, without looking for garbage in what they make.

    Their objects, hundreds of thousands, stay as long as the process. To go through them, while
    they are made and again whenever Python looks for unreachable cycles, costs a fifth of a second.
    """
    if "torch" in sys.modules:
        return
    enabled = gc.isenabled()
    gc.disable()
    try:
        import numba  # noqa: F401
        import torch  # noqa: F401
    finally:
        if enabled:
            gc.enable()
    gc.freeze()


def use_threads(count: int | None) -> None:
    """Bound the threads of torch, numba and BLAS; without a number each takes all cores.

    Parameters
    ----------
    count : int, optional

    Raises
    ------
    UserError
        If there are far more than cores.
    """
    if count is None:
        return
    if count > max(MOST_THREADS, os.cpu_count() or 1):
        raise UserError(f"--threads {count}: there are {os.cpu_count()} cores; give fewer threads")
    import_libraries()
    import numba
    import scipy.linalg  # noqa: F401  (loads SciPy's BLAS, so that the bound applies to it)
    import threadpoolctl
    import torch

    torch.set_num_threads(count)
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    threadpoolctl.threadpool_limits(count)


def threads(count: int | None = None) -> int:
    """That many threads, by default as many as cores that this process may use."""
    if count is None and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return count or os.cpu_count() or 1


def require_device(device: str) -> None:
    """Refuse ``cuda`` where there is none."""
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise UserError("--device cuda: torch finds no CUDA device here; use --device cpu")


def repeatable(device: str | torch.device) -> contextlib.AbstractContextManager[None]:
    """On CUDA, algorithms that can be repeated, and float32 without the shorter TF32 in it."""
    import torch

    if torch.device(device).type != "cuda":
        return contextlib.nullcontext()
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
