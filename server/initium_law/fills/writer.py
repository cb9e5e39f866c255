"""Writers: what every fill becomes.

A writer takes the index of a first element and a uint8 buffer of whole elements, and fills it. All are pure and hold
only read-only data, so that any number of threads may call one at once.
"""

from __future__ import annotations

from collections.abc import Callable

from initium_law.dtypes import Bytes

Writer = Callable[[int, Bytes], None]

NEAR = 256
"""Elements so far apart are drawn together; a call costs as much as some hundred elements."""

SLAB = 1 << 15
"""Elements that a writer in Python works on at a time, which bounds its temporary memory."""


def in_slabs(write: Writer, size: int) -> Writer:
    """The same writer, called for at most SLAB elements of `size` bytes at a time."""

    def write_slabs(start: int, out: Bytes) -> None:
        for low in range(0, len(out) // size, SLAB):
            write(start + low, out[low * size : (low + SLAB) * size])

    return write_slabs
