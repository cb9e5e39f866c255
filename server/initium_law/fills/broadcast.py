"""The writer of values that are repeated along axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from initium_law.dtypes import Bytes
from initium_law.fills.writer import NEAR, Writer, in_slabs


def broadcast(inner: Writer, shape: Sequence[int], axes: Sequence[int], size: int) -> Writer:
    """What `inner` writes of the tensor whose extents along `axes` are 1, repeated to `shape`, `size` bytes an element.

    A range costs what it costs, and the elements of `inner` that it repeats, each drawn once for SLAB of the range.
    """

    def write(start: int, out: Bytes) -> None:
        needed, place = np.unique(_sources(start, len(out) // size, shape, axes), return_inverse=True)
        drawn = np.empty((len(needed), size), np.uint8)
        gaps = np.flatnonzero(np.diff(needed) > NEAR) + 1
        for begin, end in pairwise((0, *gaps.tolist(), len(needed))):
            near = needed[begin:end] - needed[begin]
            values = np.empty((int(near[-1]) + 1) * size, np.uint8)
            inner(int(needed[begin]), values)
            drawn[begin:end] = values.reshape(-1, size)[near]
        out[:] = drawn[place].reshape(-1)

    return in_slabs(write, size)


def _sources(start: int, count: int, shape: Sequence[int], axes: Sequence[int]) -> npt.NDArray[np.int64]:
    """For each element from `start` on the one that it repeats: int64[count]."""
    rest, source, stride = np.arange(start, start + count, dtype=np.int64), np.zeros(count, np.int64), 1
    for axis in reversed(range(len(shape))):
        rest, index = np.divmod(rest, shape[axis])
        if axis not in axes:
            source += index * stride
            stride *= shape[axis]
    return source
