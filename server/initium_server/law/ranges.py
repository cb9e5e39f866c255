"""Numbers that count along one axis, and how binary64 arrays become elements of a dtype."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import ml_dtypes
import numpy as np
import numpy.typing as npt

from initium_server.core.fills import Arange, Linspace
from initium_server.law.dtypes import FLOATS, ITEM_SIZE, encode, largest
from initium_server.law.structured import Bytes, Writer, in_slabs

Doubles = npt.NDArray[np.float64]

_NUMPY = {
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
}


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


def exact(values: Doubles, dtype: str) -> Bytes:
    """Finite binary64 values as elements of a dtype, each rounded once, as `dtypes.encode` has it."""
    if dtype not in FLOATS:
        return _whole_numbers(values, dtype).view(np.uint8)
    if dtype == "F64":
        return values.astype("<f8").view(np.uint8)
    top = largest(FLOATS[dtype])
    clipped = np.clip(values, -top, top)
    if dtype == "F32":
        return clipped.astype("<f4").view(np.uint8)
    return _odd(clipped).astype(_NUMPY[dtype]).view(np.uint8)


def _odd(values: Doubles) -> npt.NDArray[np.float32]:
    """Binary32 numbers rounded to odd, from which any narrower format is then rounded as if from the exact value."""
    near = values.astype(np.float32)
    beyond = np.abs(near.astype(np.float64)) > np.abs(values)
    toward = np.where(beyond, np.nextafter(near, np.float32(0)), near)
    inexact = (toward.astype(np.float64) != values).astype(np.uint32)
    odd: npt.NDArray[np.float32] = (toward.view(np.uint32) | inexact).view(np.float32)
    return odd


def _whole_numbers(values: Doubles, dtype: str) -> npt.NDArray[np.generic]:
    if dtype == "C64":
        top = largest(FLOATS["F32"])
        return np.clip(values, -top, top).astype(np.complex64)
    kind = "?" if dtype == "BOOL" else f"<{'i' if dtype.startswith('I') else 'u'}{ITEM_SIZE[dtype]}"
    return values.astype(kind)
