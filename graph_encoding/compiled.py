"""Compilation of the inner loops: by numba, kept on disk between runs, without Python's lock."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def compiled(function: Callable) -> Callable:
    """Compile a function of numbers and arrays at its first call.

    The machine code is kept beside the source, in a read-only installation in the user's own
    cache, or in the folder that the environment variable ``NUMBA_CACHE_DIR`` names. Where none of
    these can be written to, every process compiles anew: slower to start, the same results.

    Parameters
    ----------
    function : callable
        In the subset of Python that numba compiles.

    Returns
    -------
    callable
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        return njit(nogil=True)(function)
