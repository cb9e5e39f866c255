"""Numbers that count along one axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from initium_law.dtypes import FLOATS, ITEM_SIZE, Bytes, Doubles, encode, exact
from initium_law.fills.writer import Writer, in_slabs
from initium_law.grammar import Arange, Linspace


def arange(fill: Arange, shape: Sequence[int], dtype: str) -> Writer:
    """start + step i: a product and a sum in binary64, then rounded once to the dtype."""
    extent = _extent(shape, fill.axis)
    _check_finite(start=fill.start, step=fill.step, last=fill.start + fill.step * max(extent - 1, 0))
    if dtype not in FLOATS and extent:
        for end in (fill.start, fill.start + fill.step * (extent - 1)):
            encode(end, dtype)
        if extent > 1 and dtype != "C64" and fill.step != int(fill.step):
            raise ValueError(
                f"step {fill.step!r} is not a whole number, and this tensor has {dtype}; use a float dtype"
            )
    return _along(fill.axis, shape, dtype, lambda i: fill.start + fill.step * i)


def linspace(fill: Linspace, shape: Sequence[int], dtype: str) -> Writer:
    """start + step i in the first half, then end - step (n - 1 - i); step = (end - start) / (n - 1), n the extent.

    In binary64, then rounded once to the dtype. n = 1 gives start.
    """
    if dtype not in FLOATS:
        raise ValueError(f"a linspace fill needs a float dtype, and this tensor has {dtype}")
    extent = _extent(shape, fill.axis)
    _check_finite(start=fill.start, end=fill.end, span=fill.end - fill.start)
    step = (fill.end - fill.start) / (extent - 1) if extent > 1 else 0.0

    def values(i: Doubles) -> Doubles:
        return np.where(i < max(extent // 2, 1), fill.start + step * i, fill.end - step * (extent - 1 - i))

    return _along(fill.axis, shape, dtype, values)


def _extent(shape: Sequence[int], axis: int) -> int:
    if not 0 <= axis < len(shape):
        raise ValueError(f"axis {axis} is not one of shape {list(shape)}, which has {len(shape)}")
    if shape[axis] > 1 << 53:
        raise ValueError(f"axis {axis} has {shape[axis]} elements; a range counts to 2^53")
    return shape[axis]


def _check_finite(**numbers: float) -> None:
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f"{name}={value} of a range is not finite")


def _along(axis: int, shape: Sequence[int], dtype: str, values: Callable[[Doubles], Doubles]) -> Writer:
    """`values` of the index along `axis`; element e has index (e div inner) mod extent."""
    inner, size = math.prod(shape[axis + 1 :]), ITEM_SIZE[dtype]

    def write(start: int, out: Bytes) -> None:
        at = np.arange(start, start + len(out) // size, dtype=np.int64)
        index = at // inner % shape[axis]
        out[:] = exact(values(index.astype(np.float64)), dtype)

    return in_slabs(write, size)
