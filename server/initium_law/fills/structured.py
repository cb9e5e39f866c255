"""Fills without randomness: constants, literals, the identity matrix, the Dirac delta."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from initium_law.dtypes import ITEM_SIZE, Bytes, encode
from initium_law.fills.writer import Writer, in_slabs

_ROWS = {1: "<u1", 2: "<u2", 4: "<u4", 8: "<u8"}


def elements(out: Bytes, dtype: str) -> npt.NDArray[np.unsignedinteger]:
    """The buffer as unsigned integers of the dtype's size; it need not be aligned."""
    return out.view(_ROWS[ITEM_SIZE[dtype]])


def _pattern(value: float, dtype: str) -> int:
    return int.from_bytes(encode(value, dtype), "little")


def constant(value: float, dtype: str) -> Writer:
    """Every element is `value`, rounded once."""
    element = np.frombuffer(encode(value, dtype), np.uint8)
    first = int(element[0])
    # Most constants are zeros, and memset is several times faster than anything that knows of elements.
    uniform = bool((element == first).all())

    def write(start: int, out: Bytes) -> None:
        if uniform:
            out.fill(first)
        else:
            _repeat(element, out)

    return write


def _repeat(element: Bytes, out: Bytes) -> None:
    """Fills `out` with `element` again and again, by copies of what is there already."""
    done = min(len(element), len(out))
    out[:done] = element[:done]
    while done < len(out):
        count = min(done, len(out) - done)
        out[done : done + count] = out[:count]
        done += count


def literal(data: bytes, dtype: str) -> Writer:
    """The tensor's own bytes."""
    source, size = np.frombuffer(data, np.uint8), ITEM_SIZE[dtype]

    def write(start: int, out: Bytes) -> None:
        out[:] = source[start * size : start * size + len(out)]

    return write


def eye(shape: Sequence[int], dtype: str) -> Writer:
    """Ones at (i, i), zeros elsewhere, as `torch.nn.init.eye_`."""
    if len(shape) != 2:
        raise ValueError(f"an eye fill needs a matrix, and this tensor has shape {list(shape)}")
    step, ones = shape[1] + 1, min(shape)
    zero, one = _pattern(0.0, dtype), _pattern(1.0, dtype)

    def write(start: int, out: Bytes) -> None:
        values = elements(out, dtype)
        values[:] = zero
        low, high = -(-start // step), min(ones, -(-(start + len(values)) // step))
        if low < high:
            values[low * step - start : (high - 1) * step - start + 1 : step] = one

    return write


def dirac(shape: Sequence[int], groups: int, dtype: str) -> Writer:
    """Ones where each group's output channel d meets input channel d at the kernel's centre k // 2, zeros elsewhere.

    As `torch.nn.init.dirac_`; the shape is (out channels, in channels per group, kernel extents...).
    """
    if len(shape) not in (3, 4, 5):
        raise ValueError(f"a dirac fill needs 3 to 5 axes, and this tensor has shape {list(shape)}")
    if groups < 1 or shape[0] % groups:
        raise ValueError(f"the {shape[0]} output channels cannot be divided into {groups} groups")
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    centre = sum(extent // 2 * stride for extent, stride in zip(shape[2:], strides[2:], strict=True))
    per_group = shape[0] // groups
    zero, one = _pattern(0.0, dtype), _pattern(1.0, dtype)

    def write(start: int, out: Bytes) -> None:
        values = elements(out, dtype)
        values[:] = zero
        channels = np.arange(start // strides[0], (start + len(values) - 1) // strides[0] + 1, dtype=np.int64)
        channel = channels % per_group
        at = (channels * strides[0] + channel * strides[1] + centre)[channel < shape[1]] - start
        values[at[(at >= 0) & (at < len(values))]] = one

    return in_slabs(write, ITEM_SIZE[dtype])
