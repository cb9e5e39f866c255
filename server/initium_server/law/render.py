"""From canonical binary32 values to the bytes of a dtype: F32, F64 (widened), BF16 and F16 (nearest, ties to even).

Values arrive clamped to bounds that the dtype can hold, so rounding never leaves the bounds and never overflows. The
two narrow dtypes are rounded on the bit pattern with integers, so that no flush-to-zero mode can touch subnormals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from initium_server.law.jit import jit
from initium_server.law.philox import LENGTH

F32, BF16, F16, F64 = 0, 1, 2, 3
RENDERINGS = {"F32": F32, "BF16": BF16, "F16": F16, "F64": F64}
"""dtype name -> code, for every dtype that a random fill can have."""

_SIGN16 = np.uint32(0x8000)
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_ONE = np.uint32(1)
_BF16_HALF = np.uint32(0x7FFF)
_F16_HALF = np.uint32(0x0FFF)
_F16_NORMAL = np.uint32(0x38800000)
_F16_REBIAS = np.uint32(112 << 10)
_FRACTION = np.uint32(0x007FFFFF)
_HIDDEN = np.uint32(0x00800000)
_SUBNORMAL_SHIFT = np.uint32(126)
_VANISHED = np.uint32(25)
_S13, _S16, _S23 = np.uint32(13), np.uint32(16), np.uint32(23)


@jit
def bf16(bits: Any) -> Any:
    """uint32 bits of a binary32 number to uint16 bits of a bfloat16."""
    return np.uint16(np.uint32(bits + _BF16_HALF + ((bits >> _S16) & _ONE)) >> _S16)


@jit
def f16(bits: Any) -> Any:
    """uint32 bits of a binary32 number, at most 65504 in magnitude, to uint16 bits of a binary16."""
    size = np.uint32(bits & _MAGNITUDE)
    normal = np.uint32((np.uint32(size + _F16_HALF + ((size >> _S13) & _ONE)) >> _S13) - _F16_REBIAS)
    shift = np.uint32(_SUBNORMAL_SHIFT - (size >> _S23))
    shift = _VANISHED if shift > _VANISHED else shift
    whole = np.uint32((size & _FRACTION) | _HIDDEN)
    half = np.uint32(np.uint32(_ONE << np.uint32(shift - _ONE)) - _ONE)
    subnormal = np.uint32(np.uint32(whole + half + (np.uint32(whole >> shift) & _ONE)) >> shift)
    return np.uint16((np.uint32(bits >> _S16) & _SIGN16) | (normal if size >= _F16_NORMAL else subnormal))


@jit
def render_block(values: Any, scratch: Any, code: Any) -> None:
    """A block of values (float32) as elements of a dtype in `scratch` (float64[BLOCK], used as raw memory)."""
    if code == F32:
        singles = scratch.view(np.float32)
        for j in range(LENGTH):
            singles[j] = values[j]
    elif code == BF16:
        bits, halves = values.view(np.uint32), scratch.view(np.uint16)
        for j in range(LENGTH):
            halves[j] = bf16(bits[j])
    elif code == F16:
        bits, halves = values.view(np.uint32), scratch.view(np.uint16)
        for j in range(LENGTH):
            halves[j] = f16(bits[j])
    else:
        for j in range(LENGTH):
            scratch[j] = np.float64(values[j])
