"""How the law's kernels are compiled: numba, on first use, kept on disk where a cache directory can be written.

The law allows single IEEE 754 operations only, so no kernel may be compiled with `fastmath`, and none is `parallel`: a
kernel is one thread's work without the interpreter lock, and callers bring their own threads.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_njit: Any = functools.partial(numba.njit, nogil=True, fastmath=False, error_model="numpy")


@functools.cache
def _sources_digest() -> str:
    """SHA-256 of every source file of the law: numba's own stamp sees one file only, and kernels inline each other."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def jit(function: Callable[..., Any]) -> Any:
    """Compile `function` on first call, for each set of argument types.

    numba caches beside the source, else in `NUMBA_CACHE_DIR` or the user's cache directory; where none can be written
    it raises RuntimeError, and the kernel is then compiled anew in each process.
    """
    try:
        dispatcher = _njit(cache=True)(function)
        # Not public, hence the AttributeError below.
        dispatcher._cache._cache_file._source_stamp = _sources_digest()
    except (RuntimeError, OSError, AttributeError):
        return _njit()(function)
    return dispatcher
