"""How the law's kernels are compiled: numba, on first use, kept on disk where a cache directory can be written.

The law allows single IEEE 754 operations only, so no kernel may be compiled with `fastmath`, and none is `parallel`: a
kernel is one thread's work without the interpreter lock, and callers bring their own threads.

numba itself is imported with the first use: planning prepares fills and draws nothing.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LOCK = threading.Lock()


class Kernel:
    """A function that numba compiles on its first call, for each set of argument types. Kernels may call each other."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any) -> Any:
        return self.dispatcher(*arguments)

    @property
    def dispatcher(self) -> Any:
        """numba's own object for the function."""
        if self._dispatcher is None:
            with _LOCK:
                self._dispatcher = self._dispatcher or _dispatcher(self.py_func)
        return self._dispatcher

    @property
    def _numba_type_(self) -> Any:
        """What numba asks of a name that it meets in a function."""
        return self.dispatcher._numba_type_


jit = Kernel


def _dispatcher(function: Callable[..., Any]) -> Any:
    """numba caches beside the source, else in `NUMBA_CACHE_DIR` or the user's cache directory.

    Where none can be written it raises RuntimeError, and the kernel is then compiled anew in each process.
    """
    import numba

    njit: Any = functools.partial(numba.njit, nogil=True, fastmath=False, error_model="numpy")
    try:
        dispatcher = njit(cache=True)(function)
        # Not public, hence the AttributeError below.
        dispatcher._cache._cache_file._source_stamp = _sources_digest()
    except (RuntimeError, OSError, AttributeError):
        return njit()(function)
    return dispatcher


@functools.cache
def _sources_digest() -> str:
    """SHA-256 of every source file of the law: numba's own stamp sees one file only, and kernels inline each other."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
