"""The dtypes of the law, and how one exact number becomes one element of each.

Names are safetensors'. Floats are described by the number of significand bits, the exponent of the smallest subnormal
and the bit patterns that have no finite value; everything else follows, so that F64 and F8_E5M2 share one rounding.
Elements are little-endian. A finite number never becomes infinite: it saturates at the largest finite value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ITEM_SIZE: Mapping[str, int] = {
    "U64": 8,
    "I64": 8,
    "F64": 8,
    "C64": 8,
    "F32": 4,
    "U32": 4,
    "I32": 4,
    "BF16": 2,
    "F16": 2,
    "U16": 2,
    "I16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
"""Bytes of one element, for every dtype the law writes, in the order in which safetensors files hold them."""


@dataclass(frozen=True, slots=True)
class Float:
    """A binary floating-point format; finite magnitudes are ordered as their bit patterns."""

    precision: int
    """Bits of the significand, the hidden one included."""
    quantum: int
    """The smallest subnormal is 2^quantum."""
    largest: int
    """Bit pattern of the largest finite value."""
    infinity: int | None
    """Bit pattern of +infinity, if the format has one."""
    nan: int
    """Bit pattern of the one NaN that the law writes."""
    size: int


FLOATS: Mapping[str, Float] = {
    "F64": Float(53, -1074, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF8000000000000, 8),
    "F32": Float(24, -149, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 4),
    "BF16": Float(8, -133, 0x7F7F, 0x7F80, 0x7FC0, 2),
    "F16": Float(11, -24, 0x7BFF, 0x7C00, 0x7E00, 2),
    "F8_E5M2": Float(3, -16, 0x7B, 0x7C, 0x7E, 1),
    "F8_E4M3": Float(4, -9, 0x7E, None, 0x7F, 1),
}

Rounding = Callable[[float], int]
"""`round` (to nearest, ties to even), `math.floor` or `math.ceil`."""


def largest(form: Float) -> float:
    """The largest finite value of the format."""
    bits = form.largest
    mantissa = bits & ((1 << (form.precision - 1)) - 1) | 1 << (form.precision - 1)
    return math.ldexp(mantissa, form.quantum + (bits >> (form.precision - 1)) - 1)


def rounded(value: float, form: Float, rounding: Rounding) -> float:
    """A finite value rounded once to the format, saturating."""
    multiple, exponent = _multiple(value, form, rounding)
    limit = largest(form)
    if abs(multiple) > math.ldexp(limit, -exponent):
        return math.copysign(limit, value)
    return math.ldexp(multiple, exponent)


def _multiple(value: float, form: Float, rounding: Rounding) -> tuple[int, int]:
    """(n, e) such that n 2^e is `value` rounded to the format, e >= quantum. Exact but for `rounding`."""
    exponent = max(math.frexp(value)[1] - form.precision, form.quantum) if value else form.quantum
    return rounding(math.ldexp(value, -exponent)), exponent


def _float_bits(value: float, form: Float, dtype: str) -> int:
    """The bit pattern of `value` rounded to nearest even."""
    sign = int(math.copysign(1.0, value) < 0) << (8 * form.size - 1)
    if math.isnan(value):
        return form.nan
    if math.isinf(value):
        if form.infinity is None:
            raise ValueError(f"{value} cannot be held by dtype {dtype}, which has no infinity; use a finite value")
        return sign | form.infinity
    multiple, exponent = _multiple(abs(value), form, round)
    # The hidden bit of a normal number carries into the exponent field, so one sum serves subnormals and carries too.
    magnitude = ((exponent - form.quantum) << (form.precision - 1)) + multiple
    return sign | min(magnitude, form.largest)


def _integer(value: float, dtype: str) -> bytes:
    """A whole number as an element of an integer dtype or BOOL (0 or 1)."""
    size, signed = ITEM_SIZE[dtype], dtype.startswith("I")
    top = 1 if dtype == "BOOL" else (1 << (8 * size - signed)) - 1
    bottom = -top - 1 if signed else 0
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{value!r} is not a whole number and cannot be held by dtype {dtype}; use a float dtype")
    if not bottom <= int(value) <= top:
        raise ValueError(f"{value!r} is out of range for dtype {dtype}, which holds {bottom} to {top}")
    return int(value).to_bytes(size, "little", signed=signed)


def encode(value: float, dtype: str) -> bytes:
    """One element: `value` rounded once from its exact binary64 value, little-endian.

    ValueError where the dtype cannot hold it: a fraction or an excess in an integer dtype, infinity in F8_E4M3.
    """
    if dtype == "C64":
        return encode(value, "F32") + bytes(4)
    form = FLOATS.get(dtype)
    if form is None:
        return _integer(value, dtype)
    return _float_bits(value, form, dtype).to_bytes(form.size, "little")
