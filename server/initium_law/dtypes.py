"""The dtypes: the one table of them, and how an exact number becomes an element of each.

Names are safetensors'. Floats are described by the number of significand bits, the exponent of the smallest subnormal
and the bit patterns that have no finite value; everything else follows, so that F64 and F8_E5M2 share one rounding.
Elements are little-endian. A finite number never becomes infinite: it saturates at the largest finite value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class Dtype:
    """What is known of a dtype."""

    numpy: np.dtype[Any]
    """Its little-endian numpy type; that of ml_dtypes where numpy has none."""
    torch: str
    """Its name in torch."""
    form: Float | None = None
    """Its format, if it is a real floating-point dtype."""

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize


def _dtype(numpy: npt.DTypeLike, torch: str, *form: int | None) -> Dtype:
    return Dtype(np.dtype(numpy), torch, Float(*form) if form else None)  # type: ignore[arg-type]  # infinity alone is None


DTYPES: Mapping[str, Dtype] = {
    "U64": _dtype("<u8", "uint64"),
    "I64": _dtype("<i8", "int64"),
    "F64": _dtype("<f8", "float64", 53, -1074, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF8000000000000),
    "C64": _dtype("<c8", "complex64"),
    "F32": _dtype("<f4", "float32", 24, -149, 0x7F7FFFFF, 0x7F800000, 0x7FC00000),
    "U32": _dtype("<u4", "uint32"),
    "I32": _dtype("<i4", "int32"),
    "BF16": _dtype(ml_dtypes.bfloat16, "bfloat16", 8, -133, 0x7F7F, 0x7F80, 0x7FC0),
    "F16": _dtype("<f2", "float16", 11, -24, 0x7BFF, 0x7C00, 0x7E00),
    "U16": _dtype("<u2", "uint16"),
    "I16": _dtype("<i2", "int16"),
    "F8_E4M3": _dtype(ml_dtypes.float8_e4m3fn, "float8_e4m3fn", 4, -9, 0x7E, None, 0x7F),
    "F8_E5M2": _dtype(ml_dtypes.float8_e5m2, "float8_e5m2", 3, -16, 0x7B, 0x7C, 0x7E),
    "I8": _dtype("i1", "int8"),
    "U8": _dtype("u1", "uint8"),
    "BOOL": _dtype("?", "bool"),
}
"""Every dtype that the law writes, in the order in which safetensors files hold them."""

ITEM_SIZE: Mapping[str, int] = {name: dtype.size for name, dtype in DTYPES.items()}
"""Bytes of one element."""

FLOATS: Mapping[str, Float] = {name: dtype.form for name, dtype in DTYPES.items() if dtype.form}
"""The real floating-point dtypes: those that recipes may name."""

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
    sign = int(math.copysign(1.0, value) < 0) << (8 * ITEM_SIZE[dtype] - 1)
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
    return _float_bits(value, form, dtype).to_bytes(ITEM_SIZE[dtype], "little")


def exact(values: Doubles, dtype: str) -> Bytes:
    """Finite binary64 values as elements of a dtype that can hold them, each rounded once, as `encode` has it."""
    form = FLOATS["F32"] if dtype == "C64" else FLOATS.get(dtype)
    if form is not None and dtype != "F64":
        top = largest(form)
        values = np.clip(values, -top, top)
    narrow = dtype in FLOATS and ITEM_SIZE[dtype] < 4
    return (_odd(values) if narrow else values).astype(DTYPES[dtype].numpy).view(np.uint8)


def _odd(values: Doubles) -> Singles:
    """Binary32 numbers rounded to odd, from which any narrower format is then rounded as if from the exact value."""
    near = values.astype(np.float32)
    beyond = np.abs(near.astype(np.float64)) > np.abs(values)
    toward = np.where(beyond, np.nextafter(near, np.float32(0)), near)
    inexact = (toward.astype(np.float64) != values).astype(np.uint32)
    odd: Singles = (toward.view(np.uint32) | inexact).view(np.float32)
    return odd
