"""Compilation of the inner loops: by numba, kept on disk between runs, without Python's lock."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable

from numba import njit
from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys

from . import compiling


def compiled(function: Callable | None = None, *, any_order: bool = False) -> Callable:
    """Compile a function of numbers and arrays at its first call.

    The machine code is kept beside the source, in a read-only installation in the user's own
    cache, or in the folder that the environment variable ``NUMBA_CACHE_DIR`` names. Where none of
    these can be written to, every process compiles anew: slower to start, the same results. So it
    is, with a warning, where what is kept is damaged or the disk is full.

    Parameters
    ----------
    function : callable
        In the subset of Python that numba compiles. Without it, a decorator.
    any_order : bool
        Whether sums may be added up in another order than the written one, which is faster.

    Returns
    -------
    callable
    """
    if function is None:
        return functools.partial(compiled, any_order=any_order)
    dispatcher = njit(nogil=True, fastmath={"reassoc", "contract"} if any_order else False)(
        function
    )
    try:
        dispatcher._cache = _Kept(function)  # as its method enable_caching does with numba's own
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
    return dispatcher


class _Kept(FunctionCache):
    """Machine code on disk; the function is compiled whatever is wrong there."""

    def __init__(self, function):
        super().__init__(function)
        # The code holds that of what it calls, instructions and constants: it is old if the file of
        # one of these, or a number, has changed.
        names = [function.__globals__.get(name) for name in function.__code__.co_names]
        caches = (getattr(each, "_cache", None) for each in names)
        called = [each.stamp for each in caches if isinstance(each, _Kept)]
        written = [each._defn.__code__.co_filename for each in names if hasattr(each, "_defn")]
        times = [os.stat(file).st_mtime for file in (__file__, *written)]
        numbers = [each for each in names if isinstance(each, int | float)]
        self.stamp = self._impl.locator.get_source_stamp(), *called, *times, *numbers
        self._cache_file._source_stamp = self.stamp

    def load_overload(self, sig, target_context):
        # Numba's own first imports all that compiling needs, most of numba and SciPy (0.3 s). What
        # is kept needs the runtime alone; numba imports the rest itself before it compiles.
        rtsys.initialize(target_context)
        try:
            found = self._load_overload(sig, target_context)
            if found is None:
                compiling.begins()
            return found
        except Exception as error:  # whatever comes of unpickling what is no pickle
            _tell(self.cache_path, "cannot be read", _why(error))
        try:
            self.flush()  # the index, which is read again before anything is added
        except OSError:
            self.disable()
        compiling.begins()
        return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _tell(self.cache_path, "cannot be written", _why(error))
            self.disable()


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "damaged"


@functools.cache  # once for a folder and what is wrong with it, not once a function
def _tell(folder: str, what: str, why: str) -> None:
    """Warn in one line."""
    warnings.warn_explicit(
        f"the compiled code that is kept here {what} ({why}): it is compiled anew; "
        "NUMBA_CACHE_DIR names another folder",
        RuntimeWarning,
        folder,
        0,
    )
