"""Fills without randomness: exact rounding of constants, and the matrices of `torch.nn.init`."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import torch

from initium_law import prepare
from initium_law.dtypes import FLOATS, ITEM_SIZE, encode, largest
from initium_law.grammar import Constant, Dirac, Eye, Literal, Normal, TruncNormal, Uniform

from .support import NUMPY, array, draw, whole


@pytest.mark.parametrize("dtype", ["F64", "F32", "BF16", "F16", "F8_E4M3", "F8_E5M2"])
def test_constants_are_rounded_once(dtype: str) -> None:
    """Every finite value of the dtype, the midpoints between neighbours, and the binary64 numbers next to those."""
    kind = np.dtype(NUMPY[dtype])
    top = largest(FLOATS[dtype])
    assert top == float(ml_dtypes.finfo(kind).max)
    rng = np.random.default_rng(1)
    bits = np.unique(rng.integers(0, FLOATS[dtype].largest, 400, np.uint64))
    values = np.sort(bits.astype(f"<u{kind.itemsize}").view(kind).astype(np.float64))
    for value in values.tolist():
        following = float(np.nextafter(kind.type(value), kind.type(np.inf if dtype != "F8_E4M3" else top)))
        exact = {value: value, following: following}
        if dtype != "F64":
            middle = (value + following) / 2
            even = value if encode(value, dtype)[0] % 2 == 0 else following
            exact |= {middle: even, np.nextafter(middle, 0): value, np.nextafter(middle, np.inf): following}
        for number, nearest in exact.items():
            for sign in (1.0, -1.0):
                found = np.frombuffer(encode(sign * float(number), dtype), kind)[0]
                assert float(found) == sign * nearest, (number, dtype)


def test_double_rounding_is_avoided() -> None:
    """0x1.01000001p0 lies just above a tie of BF16; by way of F32 it would become the tie and round down."""
    value = float.fromhex("0x1.0100000001p+0")
    assert array(Constant(value), (1,), "BF16")[0] == float.fromhex("0x1.02p+0")


@pytest.mark.parametrize("dtype", ["F64", "F32", "BF16", "F16", "F8_E4M3", "F8_E5M2"])
def test_constants_saturate(dtype: str) -> None:
    """A finite constant stays finite; infinities and NaN stay what they are where the dtype has them."""
    top = largest(FLOATS[dtype])
    assert array(Constant(1.7976931348623157e308), (2,), dtype).tolist() == [top, top]
    assert array(Constant(-1.7976931348623157e308), (1,), dtype)[0] == -top
    assert np.isnan(array(Constant(float("nan")), (1,), dtype)[0])
    if dtype != "F8_E4M3":
        assert array(Constant(float("-inf")), (1,), dtype)[0] == -np.inf
    assert np.signbit(array(Constant(-0.0), (1,), dtype)[0])


@pytest.mark.parametrize("dtype", [d for d in ITEM_SIZE if d not in FLOATS and d != "C64"])
def test_integer_constants(dtype: str) -> None:
    """Whole numbers in range are exact; others are refused."""
    kind = np.dtype(NUMPY[dtype])
    low, high = (0, 1) if dtype == "BOOL" else (int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    for value in (low, 0, 1, float(np.nextafter(high, 0)) if high >= 2**53 else high):
        drawn = np.frombuffer(whole(Constant(float(value)), (3,), dtype), kind)
        assert drawn.tolist() == [int(value)] * 3
    for bad in (0.5, float(low) - 1025.0, float(high) + 1025.0, float("nan"), float("inf")):
        if int(low) <= (bad if np.isfinite(bad) else 1e30) <= high and bad != 0.5:
            continue
        with pytest.raises(ValueError, match=dtype):
            prepare(Constant(bad), 0, "x", (3,), dtype)


def test_complex_constants_have_no_imaginary_part() -> None:
    """C64 is two F32, the real part first."""
    assert np.frombuffer(whole(Constant(0.1), (2,), "C64"), np.complex64).tolist() == [complex(np.float32(0.1), 0)] * 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3), (7, 7), (1, 9), (0, 4), (4, 0)])
def test_eye_is_torchs(shape: tuple[int, int]) -> None:
    """As `torch.nn.init.eye_`."""
    assert np.array_equal(array(Eye(), shape, "F32"), torch.nn.init.eye_(torch.empty(shape)).numpy())


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("shape", [(6, 2, 3), (6, 9, 4), (6, 3, 3, 3), (6, 1, 2, 4), (6, 4, 2, 3, 4), (12, 2, 1, 1)])
def test_dirac_is_torchs(shape: tuple[int, ...], groups: int) -> None:
    """As `torch.nn.init.dirac_`, kernels of even size and more channels than meet included."""
    assert np.array_equal(
        array(Dirac(groups), shape, "F32"), torch.nn.init.dirac_(torch.empty(shape), groups=groups).numpy()
    )


def test_literals_are_their_bytes() -> None:
    """Literals pass through untouched, in any dtype."""
    data = bytes(range(24))
    assert draw(prepare(Literal("d"), 0, "x", (3, 2), "I32", {"d": data}), 2, 3) == data[8:20]


def test_degenerate_random_fills_are_constants() -> None:
    """std = 0 is the mean, and equal bounds are the bound, rounded once."""
    assert array(Normal(0.1, 0.0), (2,), "F64").tolist() == [0.1, 0.1]
    assert array(Uniform(0.1, 0.1), (2,), "F64").tolist() == [0.1, 0.1]
    assert array(TruncNormal(0.5, 0.0, -1.0, 1.0), (1,), "F32").tolist() == [0.5]
    assert array(TruncNormal(7.0, 0.0, -1.0, 1.0), (1,), "BF16").tolist() == [1.0]


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2), ()])
def test_empty_and_scalar_tensors(shape: tuple[int, ...]) -> None:
    """No elements, no bytes; a scalar is one element."""
    assert len(whole(Normal(0.0, 1.0), shape, "F32")) == (4 if shape == () else 0)
