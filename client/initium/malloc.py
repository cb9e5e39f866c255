"""Keeps glibc from giving every received or drawn MiB back to the kernel and fetching it anew, zeroed, a moment later.

By default a block of a MiB is mapped and unmapped each time: 256 page faults, which cost a stream more than its
digests do. This is for processes that exist to stream; a library must not set it for its host.
"""

from __future__ import annotations

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
MAPPED_FROM = 4 << 20
"""Blocks of this size and more are mapped; smaller ones come from the heap."""
KEPT = 64 << 20
"""Free memory that the heap keeps at most."""


def keep_freed_memory() -> None:
    """Tunes this process's allocator; does nothing where the C library is not glibc."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM)
        libc.mallopt(_M_TRIM_THRESHOLD, KEPT)
