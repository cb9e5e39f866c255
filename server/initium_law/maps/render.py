"""From canonical binary32 values to the bytes of a dtype, to nearest, ties to even.

F64 is the widened value. A finite value beyond a narrow dtype's largest saturates; a NaN becomes the dtype's one NaN
(see `dtypes`); an infinity stays one, and becomes the NaN where the dtype has none. Signs of zeros are kept. Random
values arrive clamped to bounds that the dtype can hold, so `render_block` has none of these cases. Narrow dtypes are
rounded on the bit pattern with integers, so that no flush-to-zero mode can touch subnormals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from initium_law.dtypes import FLOATS, ITEM_SIZE, Bytes, Singles, largest
from initium_law.jit import jit
from initium_law.maps.philox import BLOCK, LENGTH

F32, BF16, F16, F64, F8_E4M3, F8_E5M2 = 0, 1, 2, 3, 4, 5
RENDERINGS = {"F32": F32, "BF16": BF16, "F16": F16, "F64": F64, "F8_E4M3": F8_E4M3, "F8_E5M2": F8_E5M2}
"""dtype name -> code, for every dtype that values can be rendered in."""

_MAGNITUDE = np.uint32(0x7FFFFFFF)
_FRACTION = np.uint32(0x007FFFFF)
_HIDDEN = np.uint32(0x00800000)
_ONE = np.uint32(1)
_BF16_HALF = np.uint32(0x7FFF)
_VANISHED = np.uint32(25)
_S16, _S23 = np.uint32(16), np.uint32(23)


@jit
def size_of(code: Any) -> Any:
    """Bytes of an element of a rendering."""
    return 8 if code == F64 else 4 if code == F32 else 1 if code >= F8_E4M3 else 2


@jit
def bf16(bits: Any) -> Any:
    """uint32 bits of a binary32 number to uint16 bits of a bfloat16."""
    return np.uint16(np.uint32(bits + _BF16_HALF + ((bits >> _S16) & _ONE)) >> _S16)


@jit
def narrow(bits: Any, fraction: Any, lowest: Any, width: Any) -> Any:
    """uint32 bits of a binary32 number to those of a format of `width` bits, `fraction` of them after the point.

    `lowest` is the biased binary32 exponent of the format's smallest normal number; the number must not overflow.
    """
    size = np.uint32(bits & _MAGNITUDE)
    drop = np.uint32(_S23 - fraction)
    half = np.uint32(np.uint32(_ONE << np.uint32(drop - _ONE)) - _ONE)
    rebias = np.uint32(np.uint32(lowest - _ONE) << fraction)
    normal = np.uint32((np.uint32(size + half + ((size >> drop) & _ONE)) >> drop) - rebias)
    shift = np.uint32(np.uint32(lowest + drop) - (size >> _S23))
    shift = _VANISHED if shift > _VANISHED else shift
    whole = np.uint32((size & _FRACTION) | _HIDDEN)
    below = np.uint32(np.uint32(_ONE << np.uint32(shift - _ONE)) - _ONE)
    subnormal = np.uint32(np.uint32(whole + below + (np.uint32(whole >> shift) & _ONE)) >> shift)
    sign = np.uint32(np.uint32(bits >> np.uint32(31)) << np.uint32(width - _ONE))
    return sign | (normal if size >= np.uint32(lowest << _S23) else subnormal)


@jit
def f16(bits: Any) -> Any:
    """To binary16."""
    return np.uint16(narrow(bits, np.uint32(10), np.uint32(113), np.uint32(16)))


@jit
def f8_e4m3(bits: Any) -> Any:
    """To F8_E4M3 (OCP's E4M3: bias 7, no infinities)."""
    return np.uint8(narrow(bits, np.uint32(3), np.uint32(121), np.uint32(8)))


@jit
def f8_e5m2(bits: Any) -> Any:
    """To F8_E5M2 (OCP's E5M2: bias 15)."""
    return np.uint8(narrow(bits, np.uint32(2), np.uint32(113), np.uint32(8)))


@jit
def render_block(values: Any, elements: Any, code: Any) -> None:
    """A block of values (float32[BLOCK]) as elements of a dtype: uint8[BLOCK * size]."""
    bits = values.view(np.uint32)
    if code == F32:
        singles = elements.view(np.float32)
        for j in range(LENGTH):
            singles[j] = values[j]
    elif code == BF16:
        halves = elements.view(np.uint16)
        for j in range(LENGTH):
            halves[j] = bf16(bits[j])
    elif code == F16:
        halves = elements.view(np.uint16)
        for j in range(LENGTH):
            halves[j] = f16(bits[j])
    elif code == F64:
        doubles = elements.view(np.float64)
        for j in range(LENGTH):
            doubles[j] = np.float64(values[j])
    elif code == F8_E4M3:
        for j in range(LENGTH):
            elements[j] = f8_e4m3(bits[j])
    else:
        for j in range(LENGTH):
            elements[j] = f8_e5m2(bits[j])


def render(values: Singles, dtype: str) -> Bytes:
    """The elements of any values, NaN and infinities too; float32[n] to uint8[n * size]."""
    form, code, size = FLOATS[dtype], RENDERINGS[dtype], ITEM_SIZE[dtype]
    top = np.float32(largest(FLOATS["F32" if dtype == "F64" else dtype]))
    blocks = -(-len(values) // BLOCK)
    padded = np.zeros(blocks * BLOCK, np.float32)
    padded[: len(values)] = np.clip(np.where(np.isnan(values), np.float32(0), values), -top, top)
    out = np.empty(blocks * BLOCK * size, np.uint8)
    for b in range(blocks):
        render_block(padded[b * BLOCK : (b + 1) * BLOCK], out[b * BLOCK * size : (b + 1) * BLOCK * size], code)
    out = out[: len(values) * size]
    elements = out.view(f"<u{size}")
    infinity = form.nan if form.infinity is None else form.infinity
    sign = 0 if form.infinity is None else 1 << (8 * size - 1)
    elements[values == np.inf] = infinity
    elements[values == -np.inf] = infinity | sign
    elements[np.isnan(values)] = form.nan
    return out
